"""Walks a YAML document along the schema: reads every key, remembers where its value comes from, collects complaints.

The schema's annotations say everything: a dataclass is a section, a tuple a list, a mapping a section with names that
people choose, anything else a single value of the kind that stands in its annotation.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from failoverd.config.checks import CHECKS
from failoverd.config.complaints import Complaint, Place, Wrong
from failoverd.config.document import Entry, Item, Scalar, Section, Sequence, kind_of
from failoverd.config.kinds import Kind, Outside
from failoverd.config.schema import INHERITED, ServerConfig
from failoverd.config.tagged import Tagged, variant


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: where it is written, None for a default; `via` is the path of the key that gave it."""

    place: Place | None
    via: str


@dataclass(frozen=True, slots=True)
class At:
    """Where the walk is.

    `above` maps each inherited section to the path of the one above; `base` is that path for the present section.
    `final` is True where nothing below can override what is read.
    """

    path: str
    place: Place
    above: Mapping[str, str]
    base: str = ""
    final: bool = False

    def into(self, key: str, place: Place | None = None) -> At:
        """One key further down."""
        path = f"{self.path}.{key}" if self.path else key
        return replace(self, path=path, place=place or self.place, base=self.above.get(key, self.base))


class Broken:
    """Stands for a value that could not be read; a complaint tells why."""


BROKEN: Final = Broken()


class Walk:
    """One walk over one document; afterwards `complaints`, `values` and `origins` tell what was found."""

    def __init__(self) -> None:
        self.complaints: dict[Complaint, None] = {}
        self.values: dict[str, object] = {}
        self.origins: dict[str, Origin] = {}
        self._pending: dict[str, Complaint] = {}
        self._unread: set[str] = set()

    def complain(self, path: str, place: Place, sentence: str, hint: str = "") -> Broken:
        """Note what is wrong; the same thing is noted once."""
        self.complaints[Complaint(path, place, sentence, hint)] = None
        return BROKEN

    def place_of(self, path: str, otherwise: Place) -> Place:
        """Where the value at that path is written, or the place of what it stands in."""
        origin = self.origins.get(path)
        return origin.place if origin and origin.place else otherwise

    def section(self, shape: type[Any], section: Section, at: At) -> object:
        """An instance of the dataclass `shape`, or BROKEN."""
        hints = typing.get_type_hints(shape, include_extras=True)
        self._strict(section, at.path, hints)
        if shape is ServerConfig:
            at = replace(at, final=True)
        values: dict[str, object] = {}
        # What is inherited comes first, because what stands beside it may inherit from it.
        for field in sorted(dataclasses.fields(shape), key=lambda f: f.name not in INHERITED):
            entry = section.get(field.name)
            inner = at.into(field.name, entry.place if entry else None)
            values[field.name] = self._field(hints[field.name], entry, inner, field)
            if field.name in INHERITED:
                at = replace(at, above={**at.above, field.name: inner.path})
        if any(value is BROKEN for value in values.values()):
            return BROKEN
        found: object = shape(**values)
        self._check(shape, found, at)
        return found

    def _field(self, hint: object, entry: Entry | None, at: At, field: dataclasses.Field[Any]) -> object:
        shape, kind, optional = dissect(hint)
        origin = typing.get_origin(shape)
        if origin is tuple and entry is None and field.default is not dataclasses.MISSING:
            self.values[at.path], self.origins[at.path] = field.default, Origin(None, at.path)
            return field.default
        if origin is tuple:
            if entry is None and field.default is not dataclasses.MISSING:
                return field.default
            return self._list(typing.get_args(shape)[0], kind, entry, at)
        if kind is None:
            if optional and (entry is None or (isinstance(entry.item, Scalar) and entry.item.guess == "null")):
                self.values[at.path], self.origins[at.path] = None, Origin(None, at.path)
                return None
            return self._within(shape, entry.item if entry else Section(at.place, ()), at)
        if origin is Mapping:
            return self._named(typing.get_args(shape)[1], kind, entry, at)
        return self._leaf(kind, entry, at, field)

    def _within(self, shape: Any, item: Item, at: At) -> object:
        if not isinstance(item, Section):
            self._unread.add(at.path)
            return self.complain(at.path, item.place, f"is {kind_of(item)} instead of a section with keys")
        if isinstance(shape, type) and issubclass(shape, Tagged):
            shape = variant(shape, item)
            if isinstance(shape, str):
                return self.complain(at.path, item.place, shape)
        return self.section(shape, item, at)

    def _list(self, shape: Any, kind: Kind | None, entry: Entry | None, at: At) -> object:
        if entry is None:
            return self.complain(at.path, at.place, "is missing", "a list with at least one entry")
        if not isinstance(entry.item, Sequence):
            return self.complain(at.path, entry.place, f"is {kind_of(entry.item)} instead of a list")
        if not entry.item.items:
            return self.complain(at.path, entry.place, "is an empty list", "it needs at least one entry")
        found: list[object] = []
        for index, item in enumerate(entry.item.items):
            inner = replace(at, path=f"{at.path}[{index}]", place=item.place)
            found.append(self._within(shape, item, inner) if kind is None else self._read(kind, item, inner))
        if BROKEN in found:
            return BROKEN
        if kind is not None:
            self.values[at.path], self.origins[at.path] = tuple(found), Origin(entry.place, at.path)
        return tuple(found)

    def _named(self, shape: Any, kind: Kind, entry: Entry | None, at: At) -> object:
        section = entry.item if entry else Section(at.place, ())
        if not isinstance(section, Section):
            return self.complain(at.path, at.place, f"is {kind_of(section)} instead of sections with names")
        if not section.entries:
            return self.complain(at.path, at.place, "holds nothing", "name at least one")
        self._same_twice(section, at.path)
        found: dict[str, object] = {}
        spelled: dict[str, str] = {}
        for named in section.entries:
            inner = replace(at.into(named.key, named.place), base="")
            first = spelled.setdefault(named.key.lower(), named.key)
            if first != named.key:
                self.complain(inner.path, named.place, f"differs from '{first}' only by case")
            name = self._read(kind, Scalar(named.place, named.key, "str"), inner)
            value = self._within(shape, named.item, inner)
            found[named.key] = BROKEN if name is BROKEN else value
        return BROKEN if BROKEN in found.values() else types.MappingProxyType(found)

    def _leaf(self, kind: Kind, entry: Entry | None, at: At, field: dataclasses.Field[Any]) -> object:
        source = f"{at.base}.{field.name}"
        if entry is not None:
            value = self._read(kind, entry.item, at)
        elif at.base in self._unread:  # what it would have said is not known, and no default is to be missed
            self.origins[at.path], value = Origin(None, at.path), BROKEN
        elif at.base and source in self.values:
            value = self.values[source]
            self.origins[at.path] = self.origins[source]
        else:
            value = self._default(kind, at, field)
        self.values[at.path] = value
        waiting = self._pending.get(self.origins[at.path].via) if at.path in self.origins else None
        if waiting and at.final:
            self.complaints[waiting] = None
        return value

    def _read(self, kind: Kind, item: Item, at: At) -> object:
        self.origins[at.path] = Origin(item.place, at.path)
        if not isinstance(item, Scalar):
            return self.complain(at.path, item.place, f"is {kind_of(item)} instead of a single value")
        try:
            return kind.read(item, item.place.file.parent)
        except Wrong as wrong:
            return self.complain(at.path, item.place, wrong.sentence, wrong.hint)

    def _default(self, kind: Kind, at: At, field: dataclasses.Field[Any]) -> object:
        self.origins[at.path] = Origin(None, at.path)
        if field.default is not dataclasses.MISSING:
            return field.default
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        if not isinstance(kind, Outside) or not kind.default:
            return self.complain(at.path, at.place, "is missing")
        try:
            return kind.read(Scalar(at.place, kind.default, "str"), Path("/"))
        except Wrong as wrong:
            # Somebody below may name another file: only what a server really uses is complained about.
            self._pending[at.path] = Complaint(at.path, at.place, wrong.sentence, wrong.hint)
            return kind.absent()

    def _strict(self, section: Section, path: str, known: Iterable[str]) -> None:
        self._same_twice(section, path)
        names = list(known)
        for entry in section.entries:
            if entry.key not in names:
                near = difflib.get_close_matches(entry.key, names, 1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
                self.complain(f"{path}.{entry.key}" if path else entry.key, entry.place, "is not a known key", hint)

    def _same_twice(self, section: Section, path: str) -> None:
        for first, again in section.repeated():
            where = f"{path}.{again.key}" if path else again.key
            self.complain(where, again.place, "stands here a second time", f"the first is at {first.place}")

    def _check(self, shape: type[Any], found: object, at: At) -> None:
        if at.path.rpartition(".")[2] in INHERITED and not at.final:
            return  # a key further down may still make it whole
        for row in CHECKS:
            if row.shape is shape and row.broken(found):
                path = f"{at.path}.{row.key}"
                source = self.origins[path].via if path in self.origins else path
                self.complain(source, self.place_of(path, at.place), row.sentence, row.hint)


def dissect(hint: object) -> tuple[Any, Kind | None, bool]:
    """What an annotation says: the bare type, the kind of its values, and whether None is allowed."""
    kind: Kind | None = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, kind = typing.get_args(hint)[:2]
    optional = isinstance(hint, types.UnionType) and types.NoneType in typing.get_args(hint)
    if optional and kind is None:
        hint = next(argument for argument in typing.get_args(hint) if argument is not types.NoneType)
    return hint, kind, optional
