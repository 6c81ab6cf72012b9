"""Servers that are silent while the primary answers: looks do not wait for them, they are asked beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeGuard

from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import Sight, Unreachable, Why
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import as_sight, beside

# No packet, or no word: the look has taken its whole time and says nothing about the host.
SILENCE = frozenset({Why.TIMED_OUT, Why.HUNG})


def silent(sight: Sight | None) -> TypeGuard[Unreachable]:
    """Whether this is a server that was waited for in vain."""
    return isinstance(sight, Unreachable) and sight.why in SILENCE


class Awaited:
    """The silent servers of one cluster, with what was found of each when it was last waited for.

    Invariant: at most one call to each is under way. What such a call reads is never shown: it only tells that the next
    look may wait for this server again.
    """

    def __init__(self) -> None:
        self._found: dict[str, Unreachable] = {}
        self._asked: set[str] = set()

    def ask(self, eyes: Eyes, policy: ClusterPolicy, primary: str) -> Mapping[str, Sight]:
        """Ask every silent server beside; the sights of those that have not answered yet, as old as this look."""
        names = [s.name for s in policy.servers if s.name in self._found and s.name != primary]
        calls = {name: self._asking(eyes, policy, name) for name in names if name not in self._asked}
        self._asked.update(calls)
        beside(eyes.tasks, calls)
        now, left = eyes.clock.now(), {name: self._found.get(name) for name in names}
        return {name: replace(sight, read_at=now) for name, sight in left.items() if sight is not None}

    def note(self, sights: Mapping[str, Sight]) -> None:
        """Remember who was silent in a look that waited for these servers."""
        for name, sight in sights.items():
            self._keep(name, sight)

    def _keep(self, name: str, sight: Sight) -> None:
        if silent(sight):
            self._found[name] = sight
        else:
            self._found.pop(name, None)

    def _asking(self, eyes: Eyes, policy: ClusterPolicy, name: str) -> Callable[[], None]:
        began = eyes.clock.now()

        def ask() -> None:
            try:
                self._keep(name, eyes.servers.look(policy.name, name, policy.detection.timeout))
            except Exception as error:  # noqa: BLE001 - nobody hears it here: the next look meets it again
                self._keep(name, as_sight(name, error, began))
            finally:
                self._asked.discard(name)

        return ask
