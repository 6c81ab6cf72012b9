"""Checking requests field by field: what is not named here is refused, and so is a wrong type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from failoverd.agent.faults import BAD_REQUEST, Fault
from failoverd.gtid import GtidSet, GtidSyntaxError

if TYPE_CHECKING:
    from collections.abc import Mapping

Check = Callable[[Any], Any]

REQUIRED = object()
_LONGEST_TEXT = 4096


@dataclass(frozen=True)
class Field:
    """How one field is checked, and what it is when left out (REQUIRED: it may not be)."""

    check: Check
    default: Any = REQUIRED


def read(fields: Mapping[str, Field], given: Any, where: str) -> dict[str, Any]:
    """Check an object against its fields; Fault BAD_REQUEST names the first that is wrong."""
    if not isinstance(given, dict):
        raise Fault(BAD_REQUEST, f"{where} must be an object")
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise Fault(BAD_REQUEST, f"unknown field {unknown[0]!r} in {where}", hint=f"known are {', '.join(fields)}")
    return {name: _one(name, field, given, where) for name, field in fields.items()}


def _one(name: str, field: Field, given: Mapping[str, Any], where: str) -> Any:
    if name not in given:
        if field.default is REQUIRED:
            raise Fault(BAD_REQUEST, f"field {name!r} is missing in {where}")
        return field.default
    try:
        return field.check(given[name])
    except ValueError as error:
        raise Fault(BAD_REQUEST, f"field {name!r} in {where} is wrong", str(error)) from error


def text(value: Any) -> str:
    """Any string without control characters, at most 4096 characters."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise ValueError("a printable text is expected")
    return value


def matching(pattern: str, what: str) -> Check:
    """Make a check for texts of one shape."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        if not compiled.fullmatch(text(value)):
            raise ValueError(f"{value[:80]!r} is not {what}")
        return str(value)

    return check


def optional(check: Check) -> Check:
    """Make a check that also takes null."""
    return lambda value: None if value is None else check(value)


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")  # noqa: TRY004 - every wrong field is a ValueError
    return value


def whole(least: int, most: int) -> Check:
    """Make a check for whole numbers within limits."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return value

    return check


def seconds(value: Any) -> float:
    """Seconds above 0, at most a day."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 86400:
        raise ValueError("seconds above 0, at most 86400, are expected")
    return float(value)


def one_of(*values: str) -> Check:
    """Make a check for one out of a list."""

    def check(value: Any) -> str:
        if value not in values or not isinstance(value, str):
            raise ValueError(f"one of {', '.join(values)} is expected")
        return value

    return check


def path(value: Any) -> str:
    """An absolute path without a ".." in it."""
    if not text(value).startswith("/") or ".." in value.split("/"):
        raise ValueError("an absolute path is expected")
    return str(value)


def gtid_set(value: Any) -> GtidSet:
    """A GTID set in MySQL's text, of any length."""
    if not isinstance(value, str):
        raise ValueError("a GTID set is expected")  # noqa: TRY004 - every wrong field is a ValueError
    try:
        return GtidSet.parse(value)
    except GtidSyntaxError as error:
        raise ValueError(str(error)) from error


cluster = matching(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", "a cluster's name")
server = matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a server's name")
operation = matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", "an operation's name")
links = matching(r"(?!left-)[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", "a name of links whose cause can end")


def operations(value: Any) -> list[str]:
    """At most eight names of operations."""
    if not isinstance(value, list) or len(value) > 8:
        raise ValueError("a list of at most 8 names is expected")
    return [operation(one) for one in value]


uuid = matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a uuid in lower case")
_UNIT = r"[A-Za-z0-9][A-Za-z0-9@_.:-]{0,100}\.service"
hold = matching(rf"guard|none|systemd:{_UNIT}", "guard, none or systemd:UNIT.service")
unit = matching(_UNIT, "a service unit")
epoch = whole(0, 2**62)
