"""Every value that is in effect, and where it comes from: what `config explain` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failoverd.config.kinds import spell
from failoverd.config.load import Loaded
from failoverd.config.secret import Secret
from failoverd.config.walk import Origin


@dataclass(frozen=True, slots=True)
class Explained:
    """One key: its path, its value as people write it, and where that comes from; `inherited` from a section above."""

    path: str
    value: str
    origin: str
    inherited: bool


def explain(loaded: Loaded) -> tuple[Explained, ...]:
    """All keys in the order of the schema; secrets show only where they were read."""
    return tuple(
        Explained(path, shown(value), comes_from(path, origin, loaded.path), origin.via != path)
        for path, value in loaded.values.items()
        for origin in [loaded.origins[path]]
    )


# What a cluster is judged and handled by; accounts, keys and folders are nobody's business in a report.
_POLICY = ("replication", "detection", "failover", "durability", "semi_sync", "traffic", "rejoin", "switchover")


def policy_in_effect(loaded: Loaded, cluster: str) -> Mapping[str, str]:
    """The settings that a cluster is handled by, as people write them; marked where they are not the default."""
    found = {}
    for one in explain(loaded):
        key = one.path.removeprefix(f"clusters.{cluster}.")
        if key != one.path and key.partition(".")[0] in _POLICY and not key.endswith(("password_file", ".user")):
            found[key] = one.value if one.origin.startswith("default") else f"{one.value} (set)"
    return found


def shown(value: object) -> str:
    """A value as people write it in the file."""
    if isinstance(value, Secret):
        return f"*** (read from {value.origin})"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return spell(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)


def comes_from(path: str, origin: Origin, main: Path) -> str:
    """`default`, or file and line; the key it was taken from where that is another one."""
    if origin.place is None:
        where = "default"
    else:
        file = origin.place.file
        where = f"{file.relative_to(main.parent) if file.is_relative_to(main.parent) else file}:{origin.place.line}"
    return where if origin.via == path else f"{where} by {origin.via}"
