"""Everything that a decision may look at, with the questions of fact that several tables ask."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.decide.testimony import Testimony, Word, disconnected, from_probe, from_standby, testify
from failoverd.model.cloning import UNFINISHED, CloneSide
from failoverd.model.history import History, Recorded
from failoverd.model.host import HostFacts, ProbeOutcome
from failoverd.model.plans import Request
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import NOWHERE

# What an agent or a probe said longer ago says nothing about now (seconds).
FRESH = 2.0
NOBODY = Recorded("", "", 0)
SHUT_DOOR = frozenset({Why.REFUSED, Why.RESET})


@dataclass(frozen=True, slots=True)
class Situation:
    """One snapshot in its history under a policy. `now` is our clock's seconds, `wall` the time of day's.

    Invariant: the history has taken in the snapshot already. `request` is a person's wish, None for the manager itself.
    `sides` is what those say who would have a part in a clone, where one is wanted.
    """

    snapshot: TopologySnapshot
    history: History
    policy: ClusterPolicy
    now: float
    wall: float
    request: Request | None = None
    sides: tuple[CloneSide, ...] = ()

    @property
    def recorded(self) -> Recorded:
        """The recorded primary; nameless where nothing is recorded."""
        return self.history.recorded or NOBODY

    @property
    def primary(self) -> ServerState | None:
        """The recorded primary's state, if it answered."""
        return self.snapshot.state(self.recorded.name)

    @property
    def lossless(self) -> bool:
        """Whether acknowledged commits had a second copy; a primary that was let go on without counts as async."""
        return self.policy.lossless and not self.recorded.degraded

    @property
    def missed(self) -> Unreachable:
        """Why the recorded primary did not answer."""
        return self.snapshot.missed(self.recorded.name)

    @property
    def facts(self) -> HostFacts | None:
        """What the agent on the primary's host says, if it is fresh."""
        facts = self.snapshot.facts(self.recorded.name)
        return facts if facts is not None and self.now - facts.read_at <= FRESH else None

    @property
    def elapsed(self) -> float:
        """Seconds since the primary was first missed."""
        return self.since(self.history.down_since)

    def since(self, moment: float | None) -> float:
        """Seconds since then, 0 for a moment that has not been."""
        return max(self.now - moment, 0.0) if moment is not None else 0.0

    def others(self) -> tuple[ServerState, ...]:
        """Every server that answered and is not the recorded primary."""
        return tuple(s for s in self.snapshot.reached() if s.name != self.recorded.name)

    def probes(self) -> tuple[Testimony, ...]:
        """What fresh logins to the primary from other hosts say."""
        return tuple(
            from_probe(p, self.now)
            for p in self.snapshot.probes
            if p.target == self.recorded.name != p.origin and self.now - p.read_at <= FRESH
        )

    def standbys(self) -> tuple[Testimony, ...]:
        """What standby managers say that were asked about the primary lately."""
        return tuple(
            from_standby(told, self.recorded.server_uuid, self.now)
            for told in self.snapshot.standbys
            if told.target == self.recorded.name and self.now - told.asked_at <= FRESH
        )

    def witnesses(self) -> tuple[Testimony, ...]:
        """What the second routes say that end at the primary's own replicas and their hosts."""
        return (*(testify(s, self.recorded.server_uuid) for s in self.others()), *self.probes())

    def testimonies(self) -> tuple[Testimony, ...]:
        """What everybody else says."""
        return (*self.witnesses(), *self.standbys())

    def said(self, word: Word) -> tuple[Testimony, ...]:
        """Who says this. That a standby manager hears the primary counts; that it does not bears nothing out: managers
        may stand together on the wrong side of a cut.
        """
        heard = self.testimonies() if word is Word.ALIVE else self.witnesses()
        return tuple(t for t in heard if t.word is word)

    def agreeing(self) -> tuple[str, ...]:
        """Sentences of the second routes that bear out an agent's word that no process is left."""
        cut = [
            f"the receiver of {s.name} is not connected"
            for s in self.others()
            if disconnected(s, self.recorded.server_uuid)
        ]
        return (*cut, *(t.sentence for t in self.said(Word.SILENT)))

    def gone(self) -> bool:
        """Hard evidence: the agent finds no process on the data directory, a second route agrees, no login succeeds."""
        if self.facts is None or self.facts.alive:
            return False
        logins = (*self.probes(), *self.standbys())
        return bool(self.agreeing()) and all(t.word is not Word.ALIVE for t in logins)

    def orderly(self) -> bool:
        """Whether the primary was stopped by order, so that its restart may be waited for."""
        if self.history.leaving_since is not None:
            return True
        facts = self.facts
        return facts is not None and not facts.alive and facts.orderly is True and facts.fenced_epoch is None

    def hung(self) -> bool:
        """Whether something lives there that does not answer.

        Our own look that did not come back is the weakest sign: a login from elsewhere that got no packet outweighs it.
        """
        if self.facts is not None:
            return self.facts.alive
        logins = {
            p.outcome
            for p in self.snapshot.probes
            if p.target == self.recorded.name != p.origin and self.now - p.read_at <= FRESH
        }
        return ProbeOutcome.HUNG in logins or (self.missed.why is Why.HUNG and not logins)

    def follows(self, replica: ServerState, source: ServerState) -> bool:
        """Whether the replica's default channel follows that server, by identity or by address."""
        channel = replica.main
        return channel is not None and (
            channel.source_uuid == source.server_uuid or (not channel.source_uuid and channel.source == source.endpoint)
        )

    def below(self, top: ServerState) -> frozenset[str]:
        """Names of all servers that follow `top` directly or through a chain, itself included."""
        found = {top.name: top}
        grown = True
        while grown:
            more = {
                s.name: s
                for s in self.snapshot.reached()
                if s.name not in found and any(self.follows(s, source) for source in found.values())
            }
            found |= more
            grown = bool(more)
        return frozenset(found)

    def source_of(self, state: ServerState) -> str:
        """Whom a server follows, by name where it is listed, by address where not; empty for nobody."""
        channel = state.main
        if channel is None or channel.source.host in {NOWHERE.host, UNFINISHED.host}:
            return ""
        return self.policy.named(channel.source) or str(channel.source)
