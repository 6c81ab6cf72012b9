"""What a lab remembers of itself: written before anything is made, so that half a lab can be ended too."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

from failoverd.lab.layout import (
    NETNS_FILES,
    RUNNING_NAMESPACES,
    STATE_PARENT,
    STATE_PREFIX,
    SUBNETS,
    Layout,
    Options,
    lab_of_namespace,
    plan,
    state_folder,
)
from failoverd.lab.processes import alive, run
from failoverd.model.errors import ConfigError, FailoverdError

_RECORD = "lab.json"
# What drills, tests and measurements call their labs: the number is that of the process that each is for.
_OWNED = re.compile(r"(?:drill-|t|bench|ways)(\d+)(?:-.+)?")


@contextmanager
def exclusively() -> Iterator[None]:
    """Hold the one lock of all labs of this machine: numbers and shared folders are taken and given back under it."""
    parent = os.open(STATE_PARENT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        yield
    finally:
        os.close(parent)


def claim(options: Options) -> Layout:
    """Take the lab's name and the smallest free number; ConfigError when the name is taken."""
    with exclusively():
        folder = Path(state_folder(options.name))
        if options.name in names():
            raise ConfigError("a lab of that name exists", options.name, f"failoverd lab down --name {options.name}")
        layout = plan(options, _free_index())
        folder.mkdir(mode=0o755)
        values = {field.name: getattr(options, field.name) for field in fields(options)}
        record = {"index": layout.index, "options": {**values, "settings": dict(options.settings)}}
        (folder / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        return layout


def load(name: str) -> Layout:
    """The layout of a lab that was brought up earlier; ConfigError when there is none of that name."""
    layout = find(name)
    if layout is None:
        there = ", ".join(names()) or "none"
        raise ConfigError("no such lab", name, f"labs on this machine: {there}; failoverd lab up")
    return layout


def find(name: str) -> Layout | None:
    """The layout of a lab, or None when it left no readable record."""
    try:
        record = json.loads((Path(state_folder(name)) / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    options = dict(record["options"])
    settings: Mapping[str, object] = MappingProxyType(options.pop("settings"))
    return plan(Options(**options, settings=settings), record["index"])


def names() -> tuple[str, ...]:
    """The labs that have left anything on this machine, in alphabetical order.

    A folder in memory, a namespace, or private /etc files: the last outlive a restart of the machine.
    """
    found = {path.name.removeprefix(STATE_PREFIX) for path in Path(STATE_PARENT).glob(STATE_PREFIX + "*")}
    for parent in (RUNNING_NAMESPACES, NETNS_FILES):
        found |= {lab for path in Path(parent).glob("fo.*") if (lab := lab_of_namespace(path.name))}
    return tuple(sorted(found))


def orphans() -> tuple[str, ...]:
    """The labs whose names hold the number of a process that is gone: it was killed before it could end them."""
    owned = ((name, _OWNED.fullmatch(name)) for name in names())
    return tuple(name for name, owner in owned if owner and not alive(int(owner[1])))


def _free_index() -> int:
    taken = {layout.index for name in names() if (layout := find(name)) is not None}
    links = run(["ip", "-o", "-4", "addr", "show"])
    taken |= {int(number) for number in re.findall(r"\b198\.18\.(\d+)\.", links)}
    taken |= {int(number) for number in re.findall(r"\bfo(\d+)\b", run(["ip", "-o", "link", "show"]))}
    free = [index for index in range(SUBNETS) if index not in taken]
    if not free:
        raise FailoverdError("no network is free for another lab", f"{SUBNETS} are in use", "failoverd lab down --all")
    return free[0]
