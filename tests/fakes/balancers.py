"""HAProxies in memory: which servers each leads clients to, and whether it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from failoverd.model.errors import BalancerError
from failoverd.model.traffic import BalancerSight, Steering
from failoverd.ports import Lease


@dataclass
class FakeBalancers:
    """Implements `ports.Balancers`; `ready` by socket, `silent` those that do not answer, `told` every change."""

    names: tuple[str, ...]
    ready: dict[str, set[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    told: list[Steering] = field(default_factory=list)
    denied: dict[str, str] = field(default_factory=dict)

    def look(self, place: str, backend: str, timeout: float) -> BalancerSight:
        if place in self.silent:
            return BalancerSight(place, problem=f"HAProxy at {place} cannot be asked")
        ready = frozenset(self.ready.setdefault(place, set()))
        return BalancerSight(place, ready, frozenset(self.names) - ready)

    def steer(self, wanted: Steering, lease: Lease, timeout: float) -> int:
        if wanted.socket in self.silent:
            raise BalancerError(f"HAProxy at {wanted.socket} cannot be asked")
        ready = self.ready.setdefault(wanted.socket, set())
        after = (ready - wanted.others) | {wanted.server}
        changed = len(ready ^ after)
        if changed:
            lease.check()
            self.told.append(wanted)
        ready.clear()
        ready.update(after)
        return changed

    def may_change(self, place: str, backend: str, timeout: float) -> str:
        return f"HAProxy at {place} cannot be asked" if place in self.silent else self.denied.get(place, "")
