"""Secrets: from a file only its owner may read, from the environment, or from systemd's credentials; never shown."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from failoverd.config.complaints import Wrong

_INDIRECT: Final = re.compile(r"\$\{(env|credential):([A-Za-z0-9_.-]+)\}")


class Secret:
    """A password that shows itself nowhere: its text is had by `reveal` alone; `origin` says where it was read."""

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self.origin = origin

    def reveal(self) -> str:
        """The secret's text, to be handed to the server and to nobody else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


def read_secret(written: str, base: Path) -> Secret:
    """The secret that `written` names: a path from `base` on, `${env:NAME}` or `${credential:NAME}`; else Wrong."""
    indirect = _INDIRECT.fullmatch(written)
    if indirect is None:
        if "${" in written:
            raise Wrong(f"'{written}' is no place for a secret", "a path, ${env:NAME} or ${credential:NAME}")
        path = base / written
        check_private(path)
        return Secret(only_line(path), str(path))
    source, name = indirect.groups()
    return Secret(from_environment(name) if source == "env" else only_line(credential_of(name)), written)


def from_environment(name: str) -> str:
    """The value of an environment variable; Wrong where it is not set or empty."""
    text = os.environ.get(name, "")
    if not text:
        raise Wrong(f"the environment variable {name} is not set", f"start failoverd with {name}=...")
    return text


def credential_file(written: str) -> Path | None:
    """The file that `${credential:NAME}` means, None for anything else; Wrong where systemd laid out nothing."""
    indirect = _INDIRECT.fullmatch(written)
    return credential_of(indirect[2]) if indirect and indirect[1] == "credential" else None


def credential_of(name: str) -> Path:
    """The file of a credential that systemd laid out for this service; Wrong where it laid out none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise Wrong("there are no systemd credentials here", f"LoadCredential={name}:... in the unit sets them up")
    return Path(folder) / name


def only_line(path: Path) -> str:
    """The single line that a secret's file holds; Wrong where it is unreadable, empty or longer."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"{path} cannot be read: {error.strerror if isinstance(error, OSError) else error}") from error
    if len(lines) != 1 or not lines[0]:
        raise Wrong(f"{path} holds {len(lines)} lines instead of one with the password")
    return lines[0]


def check_private(path: Path) -> None:
    """Wrong unless the file is there, belongs to us or to root, and nobody else may read or write it.

    Root takes everybody's: a command of root's reads what belongs to the manager's account.
    """
    found = check_file(path)
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise Wrong(f"{path} can be read by others (mode {mode:04o})", f"chmod 0600 {path}")
    if os.geteuid() not in {0, found.st_uid} and found.st_uid != 0:
        raise Wrong(f"{path} belongs to user id {found.st_uid}", f"run as its owner, or chown {os.geteuid()} {path}")


def check_file(path: Path) -> os.stat_result:
    """Wrong unless the path is a file that we may read."""
    try:
        found = path.stat()
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}", "create it, or name another one") from error
    if not stat.S_ISREG(found.st_mode):
        raise Wrong(f"{path} is not a file")
    if not os.access(path, os.R_OK):
        raise Wrong(f"{path} cannot be read by this user", f"run as its owner (user id {found.st_uid})")
    return found
