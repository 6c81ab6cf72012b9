"""What is wrong with a configuration: every complaint has a path, a place and a hint, and all are told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from failoverd.model.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: file and line, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong; `path` is like `clusters.shop.servers[1].host`, empty for a whole file."""

    path: str
    place: Place
    sentence: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: {self.path}: " if self.path else f"{self.place}: "
        return f"{where}{self.sentence}{f' ({self.hint})' if self.hint else ''}"


class ConfigErrors(ConfigError):
    """All complaints about a configuration, in the order of their places; nothing was touched."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        self.complaints = tuple(sorted(complaints, key=lambda c: (str(c.place.file), c.place.line, c.path)))
        count = len(self.complaints)
        what = "the configuration has an error" if count == 1 else f"the configuration has {count} errors"
        super().__init__(what, "\n".join(map(str, self.complaints)))


class Wrong(ValueError):
    """A single value is not what it should be: the sentence for people and a hint."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
