"""The outside that the code really has (commands, configuration keys, JSON fields) against docs/contract.md.

Each part is looked at as soon as the module that makes it exists. Names in rows: `command ops list`,
`option check --grants`, `config clusters.*.servers[].host`, `json verdict`.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from tests.house.coverage import CONTRACT, rows
from tests.house.tree import Finding, parsed

# Modules whose string keys are the JSON that people's scripts read; docs/contract.md is told about each key.
JSON_MAKERS: tuple[str, ...] = ()
# Sections that may be repeated under a cluster or a server are listed once, at the top.
_OVERRIDE = re.compile(r"^clusters\.\*\.(?:servers\[\]\.)?(?=(?:mysql|replication|ssh|agent)\.)")
# Options that every command of a kind has, listed once; click's own are nobody's row.
_SHARED_OPTIONS = {"--json", "--yes", "--dry-run", "--reason"}
_CLICKS_OWN = {"--help", "--version"}


def unlisted_commands(root: Path) -> Iterator[Finding]:
    """Commands and options of the code that have no row, and delivered commands that the code does not have."""
    if not (root / "failoverd/cli/main.py").is_file():
        return
    try:
        main = importlib.import_module("failoverd.cli.main").main
    except ImportError as error:
        yield Finding("failoverd/cli/main.py", 1, f"cannot be imported: {error}")
        return
    commands, options = surface_of(main)
    yield from compared(root, "command", commands)
    yield from compared(root, "option", options)


def unlisted_keys(root: Path) -> Iterator[Finding]:
    """Configuration keys of the schema that have no row, and delivered keys that the schema does not have."""
    if not (root / "failoverd/config/schema.py").is_file():
        return
    try:
        keys = keys_of(importlib.import_module("failoverd.config.schema").Config)
    except ImportError as error:
        yield Finding("failoverd/config/schema.py", 1, f"cannot be imported: {error}")
        return
    yield from compared(root, "config", {_OVERRIDE.sub("", key) for key in keys})


def unlisted_fields(root: Path) -> Iterator[Finding]:
    """JSON fields that a renderer writes and that have no row."""
    if JSON_MAKERS:
        yield from compared(root, "json", {key for place in JSON_MAKERS for key in _string_keys(root / place)})


def compared(root: Path, kind: str, real: set[str]) -> Iterator[Finding]:
    """Both directions: what is real has a row, and what has a delivered row is real."""
    listed = {row.name.removeprefix(f"{kind} "): row for row in rows(root, CONTRACT) if row.name.startswith(f"{kind} ")}
    for name in sorted(real - set(listed)):
        yield Finding(CONTRACT, 1, f"the code has {kind} '{name}' and there is no row for it")
    for name, row in listed.items():
        if row.state == "delivered" and name not in real:
            yield Finding(CONTRACT, row.line, f"{kind} '{name}' is delivered and the code does not have it")


def surface_of(group: click.Command, path: str = "") -> tuple[set[str], set[str]]:
    """Names of all commands below a click group, and of their own options (`ops list`, `check --grants`)."""
    commands: set[str] = set()
    options: set[str] = set()
    for option in group.params:
        if isinstance(option, click.Option) and not _CLICKS_OWN & set(option.opts):
            name = max(option.opts, key=len)
            options |= {name} & _SHARED_OPTIONS or {f"{path} {name}".strip()}
    for name, command in getattr(group, "commands", {}).items():
        below, theirs = surface_of(command, f"{path} {name}".strip())
        commands |= below or {f"{path} {name}".strip()}
        options |= theirs
    return commands, options


def keys_of(shape: object, path: str = "") -> Iterator[str]:
    """Dotted paths of a tree of dataclasses; `*` stands for a name people choose, `[]` for each item of a list."""
    for inner, mark in _shapes_in(shape):
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            hints = typing.get_type_hints(inner)
            below = [f"{path}{mark}.{field.name}".strip(".") for field in dataclasses.fields(inner)]
            for name, field in zip(below, dataclasses.fields(inner), strict=True):
                deeper = list(keys_of(hints[field.name], name))
                yield from deeper or [name]


def _shapes_in(shape: object, mark: str = "") -> Iterator[tuple[object, str]]:
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        for argument in arguments:
            yield from _shapes_in(argument, mark)
    elif origin is tuple and arguments:
        yield from _shapes_in(arguments[0], mark + "[]")
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _shapes_in(arguments[1], mark + ".*")
    else:
        yield shape, mark


def _string_keys(path: Path) -> Iterator[str]:
    for found in ast.walk(parsed(path)):
        if isinstance(found, ast.Dict):
            for key in found.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
