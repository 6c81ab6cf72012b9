"""Every key of the configuration with what the schema says of it: for the reference, and for tests of bad input."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from failoverd.config.kinds import Kind
from failoverd.config.schema import Config
from failoverd.config.walk import dissect


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its path, in which `*` is a name that people choose and `[]` each item of a list, and its kind."""

    path: str
    kind: Kind
    listed: bool
    field: dataclasses.Field[Any]
    about: str


@dataclass(frozen=True, slots=True)
class Part:
    """One section: its path, its shape, and whether it may be left out."""

    path: str
    shape: type[Any]
    optional: bool


def walked(shape: type[Any] = Config, path: str = "") -> Iterator[Key | Part]:
    """All sections and keys, in the order of the schema."""
    hints = typing.get_type_hints(shape, include_extras=True)
    for field in dataclasses.fields(shape):
        bare, kind, optional = dissect(hints[field.name])
        here = f"{path}.{field.name}".strip(".")
        origin = typing.get_origin(bare)
        inner = typing.get_args(bare)
        if origin is Mapping or (origin is tuple and kind is None):
            deeper, mark = (inner[1], ".*") if origin is Mapping else (inner[0], "[]")
            yield Part(here + mark, deeper, optional=False)
            yield from walked(deeper, here + mark)
        elif kind is None:
            yield Part(here, bare, optional)
            yield from walked(bare, here)
        else:
            yield Key(here, kind, origin is tuple, field, typing.get_args(hints[field.name])[2])


def keys() -> tuple[Key, ...]:
    """All keys."""
    return tuple(found for found in walked() if isinstance(found, Key))
