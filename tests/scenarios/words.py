"""The words of a transcript: short names for identities, options as key=value, and what is impossible."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from failoverd.gtid import GtidSet

_SHORT = re.compile(r"\bdb(\d+)(?=:)")
_LONG = re.compile(r"00000000-0000-0000-0000-0000000000(\d\d)")


class Impossible(ValueError):
    """A transcript describes a world that cannot be."""


def identity(name: str) -> str:
    """The server_uuid of a server called db<number>."""
    number = re.fullmatch(r"db(\d+)", name)
    if number is None:
        raise Impossible(f"{name}: servers are called db1, db2, ...")
    return f"00000000-0000-0000-0000-{int(number[1]):012d}"


def gtids(text: str) -> GtidSet:
    """A set written with short names: db1:1-100,db3:7."""
    return GtidSet.parse(_SHORT.sub(lambda found: identity(found[0]), text))


def shortened(text: str) -> str:
    """Output with short names in place of identities."""
    return _LONG.sub(lambda found: f"db{int(found[1])}", text)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a world: its subject, bare words, and options."""

    subject: str
    flags: tuple[str, ...]
    options: Mapping[str, str]
    used: set[str]

    @staticmethod
    def parse(text: str) -> Line:
        subject, *rest = shlex.split(text)
        options = dict(word.split("=", 1) for word in rest if "=" in word)
        return Line(subject, tuple(word for word in rest if "=" not in word), options, set())

    def has(self, flag: str) -> bool:
        self.used.add(flag)
        return flag in self.flags

    def get(self, key: str, default: str) -> str:
        self.used.add(key)
        return self.options.get(key, default)

    def maybe(self, key: str) -> str | None:
        self.used.add(key)
        return self.options.get(key)

    def number(self, key: str, default: float) -> float:
        value = float(self.get(key, str(default)))
        if value < 0:
            raise Impossible(f"{self.subject}: {key} is negative")
        return value

    def done(self) -> None:
        """Complain about words that nobody has asked for: a typing error must not pass."""
        left = (set(self.flags) | set(self.options)) - self.used
        if left:
            raise Impossible(f"{self.subject}: nobody knows {', '.join(sorted(left))}")
