"""Limits of a server's load: status variables and what they may be, as people write them."""

from __future__ import annotations

import re

# Pairs of a status variable and the value that it may have.
Loads = tuple[tuple[str, int], ...]

BUSY = "Threads_running"
_LIMIT = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})=(\d{1,18})", re.ASCII)


def loads_of(text: str) -> Loads:
    """The limits in a text such as `Threads_running=80,Threads_connected=500`; none in an empty one. ValueError names
    the part that is none.
    """
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        limit = _LIMIT.fullmatch(part)
        if limit is None:
            raise ValueError(f"'{part}' is no status variable with its limit, as in {BUSY}=80")
        found[limit[1].capitalize()] = int(limit[2])
    return tuple(found.items())


def loads_text(loads: Loads) -> str:
    """The same limits as text."""
    return ",".join(f"{variable}={limit}" for variable, limit in loads)
