"""Replication filters of a channel, taken out of the server's own list and said again for another channel. Pure.

The server lists names without quotes, so a name with a comma or a bracket in it cannot be told from two: such a list is
refused, because a filter that is said wrongly loses data in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from failoverd.drivers.mysql.statements import FILTERS, Statement
from failoverd.model.errors import StepFailed

Row = Mapping[str, Any]
_PLAIN = re.compile(r"[^,()`'\"\\.%]+")
_PAIR = re.compile(r"\(([^,()]+),([^,()]+)\)")


def change_filter(name: str, rule: str) -> Statement:
    """The statement that gives a channel (its last value) one filter; StepFailed where its names are ambiguous.

    KeyError for a filter that is not in the table.
    """
    if name not in FILTERS:
        raise KeyError(name)
    said = ", ".join(_PARTS[name](rule))
    return Statement(f"CHANGE REPLICATION FILTER {name} = ({said}) FOR CHANNEL %s", "copy a filter", changes=True)


def differing(wanted: Iterable[Row], present: Iterable[Row]) -> tuple[tuple[str, str], ...]:
    """The filters that one channel has and another has not, or otherwise; an empty rule takes one away."""
    has = {str(row["name"]): str(row["rule"]) for row in wanted}
    other = {str(row["name"]): str(row["rule"]) for row in present}
    return tuple((name, has.get(name, "")) for name in FILTERS if has.get(name, "") != other.get(name, ""))


def _databases(rule: str) -> list[str]:
    return [_quoted(name) for name in _split(rule)]


def _tables(rule: str) -> list[str]:
    return [".".join(_quoted(part) for part in _two(name)) for name in _split(rule)]


def _patterns(rule: str) -> list[str]:
    found = _split(rule)
    for name in found:
        if name.count(".") != 1 or re.search(r"['\"]", name):
            raise _ambiguous(name)
    # every percent sign twice, because what is sent goes through the library's own formatting
    return ["'" + name.replace("\\", "\\\\").replace("%", "%%") + "'" for name in found]


def _pairs(rule: str) -> list[str]:
    if rule and not re.fullmatch(rf"{_PAIR.pattern}(,{_PAIR.pattern})*", rule):
        raise _ambiguous(rule)
    return [f"({_quoted(old)}, {_quoted(new)})" for old, new in _PAIR.findall(rule)]


def _split(rule: str) -> list[str]:
    return rule.split(",") if rule else []


def _two(name: str) -> tuple[str, str]:
    database, dot, table = name.partition(".")
    if not dot:
        raise _ambiguous(name)
    return database, table


def _quoted(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise _ambiguous(name)
    return f"`{name}`"


def _ambiguous(name: str) -> StepFailed:
    return StepFailed("a replication filter cannot be copied", repr(name), "name it without commas and brackets")


_PARTS: Mapping[str, Callable[[str], list[str]]] = MappingProxyType(
    {
        "REPLICATE_DO_DB": _databases,
        "REPLICATE_IGNORE_DB": _databases,
        "REPLICATE_DO_TABLE": _tables,
        "REPLICATE_IGNORE_TABLE": _tables,
        "REPLICATE_WILD_DO_TABLE": _patterns,
        "REPLICATE_WILD_IGNORE_TABLE": _patterns,
        "REPLICATE_REWRITE_DB": _pairs,
    }
)
