"""The one error that an operation answers with."""

from __future__ import annotations

from typing import Any

STALE_EPOCH = "STALE_EPOCH"
BUSY = "BUSY"
BAD_REQUEST = "BAD_REQUEST"
NOT_FOUND = "NOT_FOUND"
ENCRYPTED = "ENCRYPTED"
DAMAGED = "DAMAGED"
DOOR = "DOOR"
IO = "IO"
TIMEOUT = "TIMEOUT"
INTERNAL = "INTERNAL"

CODES = frozenset({STALE_EPOCH, BUSY, BAD_REQUEST, NOT_FOUND, ENCRYPTED, DAMAGED, DOOR, IO, TIMEOUT, INTERNAL})


# How the reason begins for which a right could not be proven, though it may be there: nobody's rights are wrong then.
UNKNOWN = "unknown: "


class Fault(Exception):
    """What went wrong (a code of CODES and a sentence), where or why (detail), and what to do about it (hint)."""

    def __init__(self, code: str, what: str, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.code = code
        self.what = what
        self.detail = detail
        self.hint = hint

    def as_json(self) -> dict[str, str]:
        """The error object of a reply."""
        return {"code": self.code, "what": self.what, "detail": self.detail, "hint": self.hint}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Fault:
        """Read the error object of a reply; an unknown code becomes INTERNAL."""
        code = value.get("code")
        known = code if isinstance(code, str) and code in CODES else INTERNAL
        return Fault(known, *(str(value.get(key, "")) for key in ("what", "detail", "hint")))

    @staticmethod
    def of_os_error(error: OSError, what: str) -> Fault:
        """Name an operating system error: a missing right is the door's matter, a missing file is NOT_FOUND."""
        detail = f"{error.strerror or error} ({error.filename})" if error.filename else str(error)
        if isinstance(error, PermissionError):
            hint = "put the agent's account into the group of mysqld's account; agent_check names what is missing"
            return Fault(DOOR, what, detail, hint)
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else IO
        return Fault(code, what, detail)


def why_not(error: Fault | OSError) -> str:
    """Why a right is not proven; of a deadline that has passed, that nothing is known."""
    late = isinstance(error, Fault) and error.code == TIMEOUT
    return f"{UNKNOWN}{error}" if late else str(error)
