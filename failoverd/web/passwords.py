"""The page's own list of people: `USER:scrypt:SALT:HASH`, one a line, in a file that only its owner may read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from failoverd.model.errors import ConfigError

# A try costs about 40 ms and 16 MB, ours and an attacker's alike.
_COST: Final = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
_LINE: Final = re.compile(r"([A-Za-z0-9._@+-]{1,64}):scrypt:([A-Za-z0-9+/=]{24}):([A-Za-z0-9+/=]{44})")
USER: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_NOBODY: Final = (bytes(16), bytes(32))

People = Mapping[str, tuple[bytes, bytes]]


def hashed(password: str, salt: bytes) -> bytes:
    """What is kept of a password."""
    return hashlib.scrypt(password.encode(), salt=salt, **_COST)


def line_of(user: str, password: str) -> str:
    """The line for a person; ConfigError for a name that could not stand in it and for a short password."""
    if USER.fullmatch(user) is None:
        raise ConfigError(f"'{user}' is no name for the page", "", "letters, digits and . _ @ + -, at most 64")
    if len(password) < 8:
        raise ConfigError("the password is too short", "", "at least 8 characters")
    salt = os.urandom(16)
    told = (base64.b64encode(part).decode() for part in (salt, hashed(password, salt)))
    return f"{user}:scrypt:{':'.join(told)}"


def read_people(file: Path) -> People:
    """Everybody in the file; ConfigError where a line is none, with its number and nothing of what stands in it."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read", str(error)) from error
    found: dict[str, tuple[bytes, bytes]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            why = "is no line of it" if match is None else f"names {match[1]} a second time"
            raise ConfigError(f"{file}:{number} {why}", "", "failoverd web --password USER prints such a line")
        found[match[1]] = base64.b64decode(match[2]), base64.b64decode(match[3])
    if not found:
        raise ConfigError(f"{file} names nobody", "", "failoverd web --password USER prints a line for it")
    return found


def right(people: People, user: str, password: str) -> bool:
    """Whether that is this person's password; it takes the same time for people who are not there."""
    salt, kept = people.get(user, _NOBODY)
    same = hmac.compare_digest(hashed(password, salt), kept)
    return same and user in people
