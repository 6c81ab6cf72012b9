"""The kinds of values a key can have: each reads one scalar, or says in a sentence why it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from failoverd.config.complaints import Wrong
from failoverd.config.document import Scalar
from failoverd.config.secret import Secret, check_file, check_private, credential_file, read_secret
from failoverd.model.load import loads_of
from failoverd.model.policy import LongTransactions

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_QUERY = re.compile(r"SELECT\b[^;]*", re.IGNORECASE)
_NOT_IN_QUERY = re.compile(r"\bINTO\b|\bFOR\s+(UPDATE|SHARE)\b|\bLOCK\s+IN\b|_LOCKS?\s*\(", re.IGNORECASE)
_WHOLE: Final = re.compile(r"0|-?[1-9]\d{0,17}")


class Kind(Protocol):
    """How the scalar at a key is read; `base` is the folder that relative paths start from."""

    def read(self, scalar: Scalar, base: Path) -> object:
        """The value, or Wrong."""


@runtime_checkable
class Outside(Protocol):
    """A kind whose value lies outside the configuration file, at a place that may have a default."""

    @property
    def default(self) -> str:
        """The place, empty where one must be named."""

    def read(self, scalar: Scalar, base: Path) -> object:
        """The value, or Wrong."""

    def absent(self) -> object:
        """What stands for the default's value while nobody needs it."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A time with its unit, in seconds within the limits; `whole` where MySQL knows only whole seconds."""

    least: float
    most: float
    whole: bool = False

    def read(self, scalar: Scalar, base: Path) -> float:
        """Seconds as a float."""
        seconds = seconds_of(scalar.text)
        if not self.least <= seconds <= self.most:
            raise Wrong(f"{scalar.text} is outside {spell(self.least)} to {spell(self.most)}")
        if self.whole and seconds != int(seconds):
            raise Wrong(f"{scalar.text} is not a whole number of seconds", "MySQL stores whole seconds here")
        return seconds


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within limits; some keys know a word beside it, or may be empty."""

    least: int
    most: int
    word: str = ""
    null: bool = False

    def read(self, scalar: Scalar, base: Path) -> int | str | None:
        """The number, the word, or None."""
        if self.null and scalar.guess == "null":
            return None
        if self.word and scalar.text == self.word:
            return self.word
        if _WHOLE.fullmatch(scalar.text) is None or scalar.guess == "str":
            also = f" or {self.word}" if self.word else ""
            sentence = f"'{scalar.text}' is not a whole number{f' and not {self.word!r}' if self.word else ''}"
            raise Wrong(sentence, f"{self.least} to {self.most}{also}, without quotes")
        if not self.least <= int(scalar.text) <= self.most:
            raise Wrong(f"{scalar.text} is outside {self.least} to {self.most}")
        return int(scalar.text)


@dataclass(frozen=True, slots=True)
class Text:
    """Words of a given form; `says` names the form, `most` limits the length."""

    form: re.Pattern[str]
    says: str
    most: int = 255
    null: bool = False

    def read(self, scalar: Scalar, base: Path) -> str | None:
        """The text as written."""
        if self.null and scalar.guess == "null":
            return None
        if scalar.guess == "null" or self.form.fullmatch(scalar.text) is None:
            raise Wrong(f"'{scalar.text}' is not {self.says}")
        if len(scalar.text) > self.most:
            raise Wrong(f"'{scalar.text}' is longer than {self.most} characters")
        return scalar.text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `make` turns the word into the value."""

    words: tuple[str, ...]
    make: Callable[[str], object] = str

    def read(self, scalar: Scalar, base: Path) -> object:
        """What the word stands for."""
        if scalar.text not in self.words:
            raise Wrong(f"'{scalar.text}' is not one of {', '.join(self.words)}")
        return self.make(scalar.text)


@dataclass(frozen=True, slots=True)
class Patience:
    """What is done about long transactions: `wait`, `abort`, or `kill-after` with a duration."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """The words as written, when they mean something."""
        patience_of(scalar.text)
        return scalar.text


@dataclass(frozen=True, slots=True)
class Limits:
    """Status variables of a server, each with its limit; may be empty."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """The limits as written, when they mean something."""
        try:
            loads_of(scalar.text)
        except ValueError as error:
            raise Wrong(str(error), "as in Threads_running=80,Threads_connected=500") from None
        return scalar.text


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT of people's own that only reads and leaves our locks alone; may be empty."""

    def read(self, scalar: Scalar, base: Path) -> str:
        """The query, trimmed."""
        query = scalar.text.strip()
        if query and _QUERY.fullmatch(query) is None:
            raise Wrong(f"'{query}' is not one SELECT", "it begins with SELECT and has no semicolon")
        if _NOT_IN_QUERY.search(query):
            raise Wrong(f"'{query}' does more than to read", "no INTO, no FOR UPDATE or SHARE, no function of locks")
        return query


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false, without quotes."""

    def read(self, scalar: Scalar, base: Path) -> bool:
        """The truth value."""
        if scalar.guess != "bool":
            raise Wrong(f"'{scalar.text}' is neither true nor false")
        return scalar.text.lower() in {"true", "yes", "on"}


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of this machine that failoverd makes where it is missing."""

    def read(self, scalar: Scalar, base: Path) -> Path:
        """The path; relative ones start beside the configuration file."""
        if not scalar.text or scalar.guess == "null":
            raise Wrong("a folder must be named")
        path = base / scalar.text
        if path.exists() and not path.is_dir():
            raise Wrong(f"{path} is not a folder")
        return path


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine that must be there; a `private` one only its owner may read.

    A private one can also be a `${credential:NAME}` of systemd's, which sees to who may read it.
    """

    private: bool = False
    null: bool = False
    default: str = ""

    def read(self, scalar: Scalar, base: Path) -> Path | None:
        """The path; relative ones start beside the configuration file."""
        if scalar.guess == "null":
            if self.null:
                return None
            raise Wrong("a file must be named")
        credential = credential_file(scalar.text) if self.private else None
        path = credential or base / scalar.text
        (check_private if self.private and not credential else check_file)(path)
        return path

    def absent(self) -> Path:
        """The default's path, unchecked."""
        return Path(self.default)


@dataclass(frozen=True, slots=True)
class SecretAt:
    """Where a password is read: a file only its owner may read, `${env:NAME}` or `${credential:NAME}`."""

    default: str = ""

    def read(self, scalar: Scalar, base: Path) -> object:
        """The secret."""
        if scalar.guess == "null" or not scalar.text:
            raise Wrong("a place for the password must be named", "a path, ${env:NAME} or ${credential:NAME}")
        return read_secret(scalar.text, base)

    def absent(self) -> Secret:
        """An empty secret."""
        return Secret("", self.default)


def seconds_of(text: str) -> float:
    """The seconds that a number with its unit means; Wrong where it is something else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Wrong(f"'{text}' is not a duration", "a number with its unit: 500ms, 4s, 10m, 1h")
    return round(float(found[1]) * _UNITS[found[2]], 6)


def patience_of(text: str) -> LongTransactions:
    """What is done about long transactions; Wrong for other words."""
    word, _, after = text.partition(" ")
    if word == "wait" and not after:
        return LongTransactions("wait")
    if word == "abort" and not after:
        return LongTransactions("abort")
    if word != "kill-after" or not after:
        raise Wrong(f"'{text}' is not one of wait, abort, kill-after T", "as in kill-after 1s")
    return LongTransactions("kill-after", seconds_of(after.strip()))


def spell(seconds: float) -> str:
    """A duration as people write it: 0.5 is 500ms, 3600 is 1h."""
    if seconds < 1 and seconds:
        return f"{seconds * 1000:g}ms"
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"


def words_of(kind: type[StrEnum]) -> Choice:
    """The choice among an enumeration's words."""
    return Choice(tuple(str(word) for word in kind), kind)
