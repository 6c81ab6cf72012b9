"""What an active manager does to keep a healthy cluster lossless: a pure answer to one look."""

from __future__ import annotations

from dataclasses import dataclass, replace

from failoverd.decide.situation import Situation
from failoverd.model.ackers import able, seen_acknowledging
from failoverd.model.history import Recorded
from failoverd.model.sight import ServerState

# A replica that restarts is back within this time: so long do commits wait before acknowledgements are given up (s).
DEGRADE_AFTER = 10.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What to do, in this order: record before giving up, servers next, record what got better last.

    `acknowledge` are replicas whose side is to be switched on; `wait` and `give_up` are about the primary `server`.
    """

    server: str
    acknowledge: tuple[str, ...] = ()
    wait: bool = False
    give_up: bool = False
    ackers: tuple[str, ...] = ()


def upkeep(s: Situation, short_since: float | None) -> Upkeep | None:
    """What keeps the cluster lossless now; None where it is not wanted or the primary is not open.

    `short_since` is since when too few have acknowledged, None while enough do. The primary is made to wait only when
    enough are registered: before that its commits would hang.
    """
    primary = s.primary
    if not s.policy.lossless or primary is None or not primary.writable:
        return None
    wanted, semi = s.policy.semi_sync.wait_count, primary.semi_sync
    enough = semi.clients >= wanted
    degrade = s.policy.semi_sync.on_no_ackers == "degrade" and semi.source_on and not enough
    long = short_since is not None and s.now - short_since >= DEGRADE_AFTER
    return Upkeep(
        server=primary.name,
        acknowledge=tuple(state.name for state in s.others() if lazy(s, state, primary)),
        wait=enough and semi.source_plugin and bool(semi.lacks(wanted)),
        give_up=degrade and long,
        ackers=tuple(sorted(seen_acknowledging(s.snapshot, s.policy, primary) | set(s.recorded.ackers))),
    )


def lazy(s: Situation, state: ServerState, primary: ServerState) -> bool:
    """Whether a closed replica of the primary could acknowledge to it, and does not."""
    follows = state.main is not None and state.main.source_uuid == primary.server_uuid
    return follows and state.super_read_only and able(state, s.policy) and not state.acknowledging


def better(recorded: Recorded, found: Upkeep, primary: ServerState, wait_count: int) -> Recorded:
    """The record after this look: everybody who was seen acknowledging, and whether the primary waits for them."""
    degraded = recorded.degraded and bool(primary.semi_sync.lacks(wait_count))
    return replace(recorded, ackers=found.ackers, degraded=degraded)
