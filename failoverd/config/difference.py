"""What differs between the settings that the active manager runs with and those of a file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from failoverd.config.explain import shown
from failoverd.config.schema import Config
from failoverd.model.settings import InForce, Settings

# What is read once, when the manager starts; of `manager` some keys count after a reload.
_ONCE = ("zookeeper",)
_MANAGER_RELOADED = frozenset({"site_guard"})


class Needs(StrEnum):
    """How a manager comes by other settings."""

    RELOAD = "reload"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key as people write it: what the active manager has and what the file says, None where there is none."""

    key: str
    active: str | None
    file: str | None
    needs: Needs


@dataclass(frozen=True, slots=True)
class Compared:
    """One cluster: its active manager, None without one, and every difference; `listed` where the file has it."""

    cluster: str
    active: InForce | None
    listed: bool
    differences: tuple[Difference, ...] = ()
    same_digest: bool = True

    @property
    def told(self) -> bool:
        """Whether the active manager tells its settings at all: earlier versions tell a digest only."""
        return self.active is not None and bool(self.active.settings.told)

    @property
    def same(self) -> bool:
        """Whether the active manager runs with what the file says."""
        return self.active is not None and self.listed and self.same_digest and not self.differences


def compared(file: Mapping[str, Settings], active: Mapping[str, InForce]) -> tuple[Compared, ...]:
    """Every cluster of the file and every one that has an active manager."""
    return tuple(_one(name, file.get(name), active.get(name)) for name in dict.fromkeys((*file, *active)))


def until_restart(running: Config, wanted: Config) -> tuple[str, ...]:
    """What a manager that was started with the first goes on with after a reload of the second, as keys."""
    changed = ["clusters"] if set(running.clusters) ^ set(wanted.clusters) else []
    changed += [
        f"manager.{key.name}"
        for key in fields(wanted.manager)
        if key.name not in _MANAGER_RELOADED and getattr(running.manager, key.name) != getattr(wanted.manager, key.name)
    ]
    return (*changed, *(name for name in _ONCE if getattr(running, name) != getattr(wanted, name)))


def _one(name: str, ours: Settings | None, theirs: InForce | None) -> Compared:
    if ours is None or theirs is None:
        return Compared(name, theirs, ours is not None)
    same = ours.digest == theirs.settings.digest
    found = differences(theirs.settings.told, ours.told) if theirs.settings.told else ()
    return Compared(name, theirs, True, found, same)


def differences(active: Mapping[str, object], file: Mapping[str, object]) -> tuple[Difference, ...]:
    """Every key that differs, in the order of the file; what all servers have from a section above is said once."""
    theirs, ours = _servers(active), _servers(file)
    before = dict(_flat({**active, "servers": _known(theirs, ours)}))
    after = dict(_flat({**file, "servers": _known(ours, theirs)}))
    changed = {key: (before.get(key), after.get(key)) for key in dict.fromkeys((*after, *before))}
    changed = {key: pair for key, pair in changed.items() if pair[0] != pair[1]}
    return tuple(
        Difference(key, *pair, needs=Needs.RESTART if key.partition(".")[0] in _ONCE else Needs.RELOAD)
        for key, pair in changed.items()
        if changed.get(_above(key)) != pair
    )


def _above(key: str) -> str:
    """The cluster's own key that a server's is taken from: `mysql.user` of `servers.db1.mysql.user`."""
    first, _, rest = key.partition(".")
    return rest.partition(".")[2] if first == "servers" else ""


def _servers(told: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    """The servers by their names."""
    listed = told.get("servers")
    found = listed if isinstance(listed, list) else []
    return {str(one["name"]): one for one in found}


def _known(servers: Mapping[str, Mapping[str, object]], others: Mapping[str, object]) -> Mapping[str, object]:
    """The servers with all their keys; of one that the other side does not have, the host alone."""
    return {name: one if name in others else one["host"] for name, one in servers.items()}


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key with its value as people write it."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    else:
        yield path, shown(tuple(value) if isinstance(value, list) else value)
