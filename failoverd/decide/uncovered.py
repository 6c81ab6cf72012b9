"""What a check of a cluster does not prove: a table, so that nobody takes its silence for an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from failoverd.model.policy import ClusterPolicy


@dataclass(frozen=True, slots=True)
class Uncovered:
    """One row: what is not proven, in a sentence, and under which settings that is so."""

    id: str
    sentence: str
    holds: Callable[[ClusterPolicy], bool]


ROWS: Final = (
    Uncovered(
        "together",
        "each part was tried by itself: that they work together only a rehearsal shows (failoverd drill)",
        lambda _: True,
    ),
    Uncovered(
        "fence",
        "the right to fence was tried on a process and files of the agents' own: no server was fenced",
        lambda _: True,
    ),
    Uncovered("rows", "data were compared by GTID sets: no row was read", lambda _: True),
    Uncovered(
        "unreceived",
        "durability is async: what no replica had received is lost with the primary's disk",
        lambda policy: not policy.lossless,
    ),
    Uncovered(
        "clients",
        "no address and no balancer is moved: how clients find a new primary was not looked at",
        lambda policy: not policy.traffic.any,
    ),
    Uncovered("hooks", "your own programs were not run", lambda policy: bool(policy.hooks.points)),
)


def uncovered(policy: ClusterPolicy) -> tuple[Uncovered, ...]:
    """What a check of this cluster leaves open."""
    return tuple(row for row in ROWS if row.holds(policy))
