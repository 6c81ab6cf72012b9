"""The text of GTID sets: what MySQL prints and accepts, read strictly and written canonically."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from failoverd.gtid.intervals import Interval, Intervals

Origin = tuple[str, str]
"""A server's uuid in lower case, and the tag ("" for none)."""

LAST_NUMBER = 2**63 - 2
"""The greatest transaction number MySQL gives (sql/rpl_gtid.h: GNO_END is one above)."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_SHOWN = 60
_SURELY_SMALL = 19
"""Fewer digits than the greatest number has."""


class GtidSyntaxError(ValueError):
    """Text that is no GTID set; the message names the offending part and says why."""

    def __init__(self, part: str, why: str) -> None:
        shown = part if len(part) <= _SHOWN else part[:_SHOWN] + "..."
        super().__init__(f"not a GTID set: {shown!r}: {why}")
        self.part = shown
        self.why = why


def read_uuid(text: str) -> str:
    """Give a uuid in lower case; GtidSyntaxError when it is none."""
    uuid = text.strip().lower()
    if not _UUID.fullmatch(uuid):
        raise GtidSyntaxError(text, "a uuid like 3e11fa47-71ca-11e1-9e33-c80aa9429562 is expected")
    return uuid


def read_tag(text: str) -> str:
    """Give a tag in lower case, "" for none; GtidSyntaxError when it is none."""
    tag = text.strip().lower()
    if tag and not _TAG.fullmatch(tag):
        raise GtidSyntaxError(text, "a tag has 1 to 32 letters, digits and underscores and begins with no digit")
    return tag


def read_number(text: str) -> int:
    """Give a transaction number; GtidSyntaxError outside 1 .. LAST_NUMBER."""
    digits = text.strip()
    # the length first: a hostile text of a million digits must not be turned into a number
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else 0
    if not 1 <= number <= LAST_NUMBER:
        raise GtidSyntaxError(text, f"a number from 1 to {LAST_NUMBER} is expected")
    return number


def read_interval(text: str) -> Interval:
    """Give one interval, "7" or "7-9"."""
    first, dash, last = text.partition("-")
    start = read_number(first)
    end = read_number(last) if dash else start
    if end < start:
        raise GtidSyntaxError(text, "the interval ends before it begins")
    return start, end


def _plain_interval(text: str) -> Interval | None:
    """Read an interval as servers print it, many thousands of which may come; None for whatever needs a closer look."""
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and first.isascii() and len(first) < _SURELY_SMALL):
        return None
    start = end = int(first)
    if dash:
        if not (last.isdecimal() and last.isascii() and len(last) < _SURELY_SMALL):
            return None
        end = int(last)
    return (start, end) if 0 < start <= end else None


def parse(text: str) -> dict[Origin, list[Interval]]:
    """Read a whole set; intervals come in the order of the text, repeated origins are put together."""
    found: dict[Origin, list[Interval]] = {}
    for one in text.split(","):
        if one.strip():
            _parse_uuid_set(one, found)
    return found


def _parse_uuid_set(text: str, found: dict[Origin, list[Interval]]) -> None:
    head, *rest = text.split(":")
    uuid, tag, filled = read_uuid(head), "", True
    if not rest:
        raise GtidSyntaxError(text, "no interval follows the uuid")
    intervals = found.setdefault((uuid, tag), [])
    for part in rest:
        quick = _plain_interval(part)
        if quick is not None:
            intervals.append(quick)
            filled = True
            continue
        if part.strip()[:1].isdigit():
            intervals.append(read_interval(part))
            filled = True
            continue
        tag = read_tag(part)
        if not tag or not filled:
            raise GtidSyntaxError(text, "an interval is empty or missing")
        intervals = found.setdefault((uuid, tag), [])
        filled = False
    if not filled:
        raise GtidSyntaxError(text, f"no interval follows the tag {tag!r}")


def render(parts: Iterable[tuple[Origin, Intervals]]) -> str:
    r"""Write sorted parts as MySQL 9.7 prints them, with "," in place of its ",\\n"."""
    out: list[str] = []
    previous = ""
    for (uuid, tag), intervals in parts:
        if uuid != previous:
            out.append(f",{uuid}" if previous else uuid)
            previous = uuid
        if tag:
            out.append(f":{tag}")
        out.extend(f":{first}" if first == last else f":{first}-{last}" for first, last in intervals)
    return "".join(out)


def shorten(text: str, count: int, limit: int) -> str:
    """Cut a set's text for people at a separator, and say how many transactions the whole has."""
    if len(text) <= limit:
        return text
    tail = f"... ({count} transactions)"
    head = text[: max(limit - len(tail), 0)]
    cut = max(head.rfind(":"), head.rfind(","))
    return head[: max(cut, 0)] + tail
