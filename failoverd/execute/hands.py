"""What a step needs in order to act: the ports, the lease, the claims of this operation, and whom to tell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import MappingProxyType

from failoverd.execute.control import Conduct, standing_of
from failoverd.gtid import GtidSet
from failoverd.model.control import ControlRooms, Controls, Unattended
from failoverd.model.durability import Durability
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.events import Event
from failoverd.model.host import FenceProof
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, EntryKind, Operation, Saved
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage
from failoverd.model.verdict import Refusal
from failoverd.ports import (
    Agents,
    Archive,
    Balancers,
    ClaimedServer,
    Clock,
    Coordination,
    Hooks,
    Lease,
    Servers,
    Tasks,
)

# A killed session gives its locks back when its statement has ended: so long is that waited for (seconds).
ENDING = 5.0


def unwatched(moment: str) -> None:
    """Nobody wants to be told about the moments of an operation."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What is neither server nor host: HAProxies, people's own programs, people, the archive of what diverged; None
    where this process was built without.
    """

    balancers: Balancers | None = None
    hooks: Hooks | None = None
    rooms: ControlRooms | None = None
    archive: Archive | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """The ports that acting needs; `moment` is told where an operation stands, so that tests can stop it there."""

    servers: Servers
    agents: Agents
    coordination: Coordination
    tasks: Tasks
    clock: Clock
    moment: Callable[[str], None] = unwatched
    outside: Outside = Outside()
    controls: Controls = field(default_factory=Unattended)


class Hands:
    """One operation's means of acting, and what gathers while it runs: claims, proofs, what was saved.

    `missing` is what nobody can give back, `given_up` what was accepted as lost on the way, `relaxed` what servers
    had that were let off forcing commits to disk, `refusals` what was found out only while acting. `intended` is true
    from the moment that the promote-intent may be in the journal, `beside` where an earlier manager may have opened the
    elect beside an old primary that was not proven shut. `final` is what a closed primary holds for good, `closed_at`
    when it was closed (wall seconds), `known_start` when it had been started as we last saw it take writes,
    `barred` whether another manager has a server that is never taken from it, `given_up_for` why no other attempt is
    made, `asleep` the events that the new primary keeps disabled, `looks` what each server showed right before its
    present step, `uncompared` why tables that people named could not be compared.
    """

    closed_at: float | None
    known_start: float | None

    def __init__(
        self, means: Means, lease: Lease, policy: ClusterPolicy, operation: Operation, tell: Callable[[str], None]
    ) -> None:
        self.servers = means.servers
        self.agents = means.agents
        self.coordination = means.coordination
        self.tasks = means.tasks
        self.clock = means.clock
        self.moment = means.moment
        self.outside = means.outside
        self.conduct = Conduct(means.controls, standing_of(operation, policy))
        self.lease = lease
        self.policy = policy
        self.operation = operation
        self.tell = tell
        self.claims: dict[str, ClaimedServer] = {}
        self.looks: dict[str, ServerState] = {}
        self.left_out: set[str] = set()
        self.fence: FenceProof | None = None
        self.saved: list[Saved] = []
        self.missing = self.given_up = GtidSet()
        self.relaxed: dict[str, Durability] = {}
        self.refusals: list[Refusal] = []
        self.hooked: set[str] = set()
        self.uncompared: list[str] = []
        self.stage_told: Stage | None = None
        self.intended = self.beside = self.barred = False
        self.opened_at: float | None = None
        self.opened_with = self.final = GtidSet()
        self.given_up_for = ""
        self.asleep: tuple[Event, ...] = ()
        self.closed_at = self.known_start = None
        self._frozen_until: float | None = None

    def begin_freeze(self) -> None:
        """The time without writes begins: from here on the freeze budget runs. StepFailed where people want to wait."""
        now = self.clock.now()
        self.conduct.freeze(now)
        self.closed_at = self.clock.wall().timestamp()
        self._frozen_until = now + self.conduct.limits.freeze_budget

    def end_budget(self) -> None:
        """No freeze budget runs any more: somebody takes writes again, or is about to."""
        self._frozen_until = None

    def intend(self) -> None:
        """The elect is about to be chosen for good. StepFailed where people want it otherwise at that very moment."""
        self.conduct.choose()
        self.intended = True

    def left(self, otherwise: float) -> float:
        """Seconds that are left of the freeze budget; `otherwise` where none runs."""
        if self._frozen_until is None or self.intended:
            return otherwise
        return self._frozen_until - self.clock.now()

    def recall(self, found: Unfinished) -> None:
        """Take up what this operation's journal tells: the proof of a fence, what was saved, when it was opened."""
        intent = found.intent()
        self.intended, self.beside = intent is not None, found.beside()
        if self.intended:
            self.conduct.go_forward()
        self.fence = found.fence()
        self.saved = list(found.saved())
        self.relaxed = found.relaxed()
        self.hooked = set(found.hooked())
        self.opened_at = found.opened_at(intent.elect) if intent else None

    def takes_back(self, server: str) -> bool:
        """Whether opening this server is the undo of its fence: nothing is promoted by that."""
        return self.operation.kind.moves and server == self.operation.plan.old_primary

    @property
    def cluster(self) -> str:
        """The cluster this operation is about."""
        return self.policy.name

    def claimed(self, server: str) -> ClaimedServer:
        """The claimed session of a server; StepFailed where there is none, because only those may be changed."""
        claim = self.claims.get(server)
        if claim is None:
            raise StepFailed(f"{server} is not claimed by this operation", hint="only claimed servers are changed")
        return claim

    def seen(self, state: ServerState) -> TopologySnapshot:
        """A snapshot of just this server, for asking a step whether it is achieved."""
        return TopologySnapshot(self.cluster, state.read_at, MappingProxyType({state.name: state}))

    def write(self, kind: EntryKind, body: dict[str, object], *, wait: bool) -> None:
        """Append a record to the operation's journal; with `wait` it is durable on return."""
        entry = Entry(kind, self.clock.wall().timestamp(), MappingProxyType(body))
        self.coordination.write(self.lease, self.operation, entry, wait)

    def note_open(self, state: ServerState) -> None:
        """The elect was read back writable: when that was, and the set that every replica must reach."""
        if self.opened_at is None:
            self.opened_at = self.clock.wall().timestamp()
            self.conduct.thaw()
        if not self.opened_with:
            self.opened_with = state.executed

    def claim_again(self, names: Iterable[str]) -> None:
        """Fresh claims: old sessions end by that, with any late statement. Who cannot be claimed stays out."""
        self.release()
        self.claim_more(names)

    def claim_more(self, names: Iterable[str]) -> None:
        """Claim those that are not claimed yet and can be."""
        for name in set(names) - self.claims.keys():
            with contextlib.suppress(ServerError, StepFailed):
                self.claim(name, self.policy.detection.timeout * 2)

    def claim(self, server: str, seconds: float) -> None:
        """Claim one server. StepFailed where this operation has given it up meanwhile: a step may end long after nobody
        waits for it any more, and must not come back then.
        """
        claims = self.claims
        claim = claims[server] = self.servers.claim(self.cluster, server, self.lease, seconds)
        if server in self.left_out or claims is not self.claims:
            claims.pop(server, None)
            claim.release()
            raise StepFailed(f"{server} was claimed too late", "this operation goes on without it")

    def claim_anew(self, lost: ClaimedServer) -> bool:
        """Another claim in place of one whose session is lost, so that its last statement has ended; whether
        it was had. Raises FencedOut where a newer epoch is there, CoordinationError where the lease has ended.
        """
        if self.claims.get(lost.name) is not lost:
            return False
        self.drop(lost.name)
        with contextlib.suppress(ServerError, StepFailed):
            self.claim(lost.name, ENDING)
        return lost.name in self.claims

    def leave_out(self, server: str) -> None:
        """Something still runs there whose end nobody waits for: only fresh claims may look at it again."""
        self.left_out.add(server)
        self.claims.pop(server, None)

    def drop(self, server: str) -> None:
        """Give up a server whose positions may still move: it is neither elected nor changed by this operation."""
        claim = self.claims.pop(server, None)
        if claim is not None:
            claim.release()

    def end(self) -> None:
        """Give every session lock back; nobody talks to this operation any more."""
        self.release()
        self.conduct.close()

    def release(self) -> None:
        """Give every session lock back."""
        claims, self.claims, self.left_out = self.claims, {}, set()
        for claim in tuple(claims.values()):
            claim.release()
