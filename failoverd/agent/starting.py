"""What a server would start with, closed or open: persisted variables, its command line, its option files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

_NAMES = ("read_only", "super_read_only")
_GROUPS = ("mysqld", "server", "mysqld-")
_USUAL = ("/etc/my.cnf", "/etc/mysql/my.cnf")
_DEPTH = 8
_ON = frozenset({"", "1", "on", "true", "yes"})

Found = dict[str, bool]


def starts_closed(datadir: str, argv: list[bytes] | None) -> bool | None:
    """Whether a mysqld with this command line would refuse writes when it starts; None where that cannot be read, or
    where nothing is said in any place that is known here.

    A persisted value beats the command line, which beats option files. One of the two variables is enough: the
    stronger brings the weaker with it.
    """
    if argv is None:
        return None
    words = [os.fsdecode(word) for word in argv[1:]]
    told = dict(word[2:].split("=", 1) for word in words if word.startswith("--defaults") and "=" in word)
    try:
        values = {} if "--no-defaults" in words else _from_files(told)
        values = {**values, **_from_words(words), **_persisted(os.path.join(datadir, "mysqld-auto.cnf"))}
    except (OSError, ValueError, RecursionError):
        return None
    return any(values.values()) if values or "defaults-file" in told or "--no-defaults" in words else None


def _persisted(path: str) -> Found:
    try:
        with open(path, encoding="utf-8") as stream:
            told = json.load(stream)
    except FileNotFoundError:
        return {}
    return dict(_values(told))


def _values(told: Any) -> Iterator[tuple[str, bool]]:
    """The variables sit in groups whose names differ between versions of the file."""
    for key, item in told.items() if isinstance(told, dict) else ():
        if key in _NAMES and isinstance(item, dict):
            yield key, str(item.get("Value", "")).lower() in _ON
        else:
            yield from _values(item)


def _from_words(words: list[str]) -> Found:
    found: Found = {}
    for word in words:
        if word.startswith("--"):
            found.update(_option(word[2:]))
    return found


def _option(text: str) -> Found:
    name, _, value = text.partition("=")
    name, value = name.strip().lower().replace("-", "_"), value.strip().strip("'\"").lower()
    for prefix, given in (("loose_", None), ("skip_", False), ("disable_", False), ("enable_", True)):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            return {name: given} if given is not None and name in _NAMES else _option(f"{name}={value}")
    return {name: value in _ON} if name in _NAMES else {}


def _from_files(told: dict[str, str]) -> Found:
    if "defaults-file" in told:
        paths = [told["defaults-file"]]
    else:
        paths = [path for path in (*_USUAL, told.get("defaults-extra-file", "")) if path and os.path.exists(path)]
    found: Found = {}
    for path in paths:
        for line in _lines(path, _DEPTH):
            found.update(_option(line))
    return found


def _lines(path: str, depth: int) -> Iterator[str]:
    """The lines of the server's groups, with those of included files in their places."""
    if depth == 0:
        raise ValueError(f"{path} is included too deep")
    ours = False
    with open(path, encoding="utf-8", errors="surrogateescape") as stream:
        lines = [line.strip() for line in stream]
    for line in lines:
        if line.startswith("!"):
            for included in _included(line):
                yield from _lines(included, depth - 1)
        elif line.startswith("["):
            group = line[1 : line.find("]")].strip().lower()
            ours = group in _GROUPS or group.startswith(_GROUPS[2])
        elif ours and line and line[0] not in "#;":
            yield line


def _included(line: str) -> list[str]:
    word, _, place = line.partition(" ")
    place = place.strip()
    if word == "!includedir":
        return [os.path.join(place, name) for name in sorted(os.listdir(place)) if name.endswith(".cnf")]
    return [place] if word == "!include" else []
