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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from tests.house.coverage import CONTRACT, rows
from tests.house.tree import Finding, parsed

# Modules whose string keys are the JSON that people's scripts read; one that is not there yet has no keys.
JSON_MAKERS = (
    "failoverd/model/divergence_json.py",
    "failoverd/model/published.py",
    "failoverd/model/status.py",
    "failoverd/service/errant.py",
    "failoverd/service/publish.py",
    "failoverd/decide/controlling.py",
    "failoverd/cli/agent.py",
    "failoverd/cli/check.py",
    "failoverd/cli/config.py",
    "failoverd/cli/ops.py",
    "failoverd/cli/session.py",
)
# Sections that may be repeated under a cluster or a server are listed once, at the top.
_OVERRIDE = re.compile(r"^clusters\.\*\.(?:servers\[\]\.)?(?=(?:mysql|replication|ssh|agent)\.)")
# Options that every command of a kind has, listed once; click's own are nobody's row.
_SHARED_OPTIONS = {"--json", "--yes", "--dry-run", "--reason"}
_IN_EVERY_LAB = re.compile(r"^lab .*(?= --name$)")
_CLICKS_OWN = {"--help", "--version"}


def unlisted_commands(root: Path) -> Iterator[Finding]:
    """Commands without a row, and delivered ones that the code does not have."""
    yield from _judged(root, "command", "failoverd.cli.main", lambda module: surface_of(module.main)[0])


def unlisted_options(root: Path) -> Iterator[Finding]:
    """Options without a row, and delivered ones that no command takes."""
    yield from _judged(root, "option", "failoverd.cli.main", lambda module: surface_of(module.main)[1])


def unlisted_keys(root: Path) -> Iterator[Finding]:
    """Configuration keys without a row, and delivered ones that the schema does not have."""

    def keys(module: types.ModuleType) -> set[str]:
        return {_OVERRIDE.sub("", key) for key in keys_of(module.Config)}

    yield from _judged(root, "config", "failoverd.config.schema", keys)


def unlisted_verdicts(root: Path) -> Iterator[Finding]:
    """Verdicts without a row, and delivered ones that are never given."""
    yield from _judged(root, "verdict", "failoverd.model.verdict", lambda module: set(map(str, module.VerdictName)))


def unlisted_refusals(root: Path) -> Iterator[Finding]:
    """Rows of the refusal table without a row on the page; others are refused elsewhere than in the table."""
    findings = _judged(root, "refusal", "failoverd.decide.refusals", lambda module: {row.id for row in module.REFUSALS})
    yield from (finding for finding in findings if "there is no row" in finding.what)


def unlisted_fields(root: Path) -> Iterator[Finding]:
    """JSON fields without a row, and delivered ones that nothing writes."""
    there = [root / place for place in JSON_MAKERS if (root / place).is_file()]
    if there:
        yield from compared(root, "json", {key for path in there for key in _string_keys(path)})


def _judged(root: Path, kind: str, name: str, look: Callable[[types.ModuleType], set[str]]) -> Iterator[Finding]:
    """Compare what a module of this process really holds; before the module exists there is nothing to compare."""
    place = name.replace(".", "/") + ".py"
    if not (root / place).is_file():
        return
    try:
        real = look(importlib.import_module(name))
    except (ImportError, AttributeError) as error:
        yield Finding(place, 1, f"cannot be looked at: {error}")
        return
    yield from compared(root, kind, real)


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
            options |= {name} & _SHARED_OPTIONS or {_IN_EVERY_LAB.sub("lab", f"{path} {name}".strip())}
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
