"""YAML as a tree that remembers places: the only module that knows the YAML library.

Text stays text: whether `off` or `08` is a word or a number is decided by its key, not by YAML's own guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from failoverd.config.complaints import Complaint, Place


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: its text as written, and YAML's guess at its type (`str`, `int`, `float`, `bool`, `null`)."""

    place: Place
    text: str
    guess: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of items."""

    place: Place
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its item; the place is the key's."""

    key: str
    place: Place
    item: Item


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping, in the order of the file; a key may stand in it more than once."""

    place: Place
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Entry | None:
        """The first entry of that key."""
        return next((e for e in self.entries if e.key == key), None)

    def repeated(self) -> Iterator[tuple[Entry, Entry]]:
        """For each key that stands here again: the first entry and the later one."""
        for index, entry in enumerate(self.entries):
            first = self.get(entry.key)
            if first is not None and first is not self.entries[index]:
                yield first, entry


Item = Scalar | Sequence | Section


def kind_of(item: Item) -> str:
    """What an item is, for people."""
    names: dict[type, str] = {Sequence: "a list", Section: "a section"}
    if isinstance(item, Scalar):
        return "empty" if item.guess == "null" else f"'{item.text}'"
    return names[type(item)]


def parse(file: Path) -> Section | Complaint:
    """The file as a section; a complaint where it cannot be read, is no YAML, or is no mapping."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Complaint("", Place(file, 1), "there is no such file", "name another one with -c or $FAILOVERD_CONFIG")
    except (OSError, UnicodeDecodeError) as error:
        return Complaint("", Place(file, 1), f"cannot be read: {error}")
    try:
        item = Conversion(file).item(yaml.compose(text, Loader=yaml.SafeLoader), ())
    except yaml.MarkedYAMLError as error:
        hint = "indentation is by blanks, never by tabs"
        return Complaint("", Place(file, line_of(error)), f"is not YAML: {error.problem}", hint)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Complaint("", Place(file, line), f"is not YAML: the sign number {error.character} is no text")
    except Unusable as error:
        return error.complaint
    except (yaml.YAMLError, RecursionError) as error:
        return Complaint("", Place(file, 1), f"is not YAML: {error}")
    if not isinstance(item, Section):
        return Complaint("", item.place, f"is {kind_of(item)} instead of sections with keys")
    return item


def line_of(error: yaml.MarkedYAMLError) -> int:
    """Where it went wrong: what never ends went wrong where it begins, and so did a line that is no key."""
    found, begun = error.problem_mark, error.context_mark
    endless = error.problem is not None and "end" in error.problem and "stream" in error.problem
    if begun is not None and (found is None or endless or error.context == "while scanning a simple key"):
        found = begun
    return int(found.line) + 1 if found is not None else 1


class Unusable(Exception):
    """Something that YAML allows and that means nothing here."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.complaint = Complaint("", place, sentence)


class Conversion:
    """One file's tree of the library's as ours; an alias is converted once, however often it is used."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[int, Item] = {}

    def item(self, found: Any, above: tuple[int, ...]) -> Item:
        """The item; Unusable where an alias contains itself or a key is no plain text."""
        if found is None:
            return Section(Place(self._file, 1), ())
        if id(found) in above:
            raise Unusable(self._place(found), "an alias contains itself")
        if id(found) not in self._known:
            self._known[id(found)] = self._new(found, (*above, id(found)))
        return self._known[id(found)]

    def _new(self, found: Any, above: tuple[int, ...]) -> Item:
        place = self._place(found)
        if found.tag.startswith("!"):
            raise Unusable(place, f"the tag {found.tag} means nothing here")
        if found.id == "scalar":
            return Scalar(place, found.value, found.tag.rpartition(":")[2])
        if found.id == "sequence":
            return Sequence(place, tuple(self.item(item, above) for item in found.value))
        return Section(place, tuple(self._entry(key, item, above) for key, item in found.value))

    def _entry(self, key: Any, item: Any, above: tuple[int, ...]) -> Entry:
        place = self._place(key)
        if key.id != "scalar":
            raise Unusable(place, "a key must be plain text")
        return Entry(key.value, place, self.item(item, above))

    def _place(self, found: Any) -> Place:
        return Place(self._file, found.start_mark.line + 1)
