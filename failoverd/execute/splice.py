"""Splice: copy what is lacking beside the elect's relay logs and let its own applier run it on a channel of its own.

Much travels in parts: the first one is small, so that the applier begins soon, and while it executes one part the next
one is copied. Parts are executed one after the other, because transactions rest on those before them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from failoverd.execute.drain import Drainage
from failoverd.execute.hands import Hands
from failoverd.execute.losses import give_up
from failoverd.execute.pace import Pace
from failoverd.gtid import GtidSet
from failoverd.model.counted import counted
from failoverd.model.errors import AgentError, CoordinationError, FencedOut, RecoveryIncomplete, ServerError
from failoverd.model.host import Holding, Lot, Spliced
from failoverd.model.plans import Saved
from failoverd.model.steps import SPLICE_CHANNEL, DropSplice, Splice
from failoverd.ports import ClaimedServer, Clock

# A copy that breaks off is begun again so often, of what is still lacking then.
COPIES = 2
# Bytes of the first part. Copying is at least twice as fast as executing, so each part may be twice the one before it.
FIRST_PART = 16 * 1024 * 1024
GROWTH = 2
# Both sides of a part watch their own progress; this only ends a wait that nobody watches (seconds).
LONGEST = 86400.0


def splice(step: Splice, hands: Hands) -> str:
    """Bring all parts, one after the other, and remove the channel.

    Interrupted anywhere it can be done again: only what is not executed yet travels then.
    """
    claim = hands.claimed(step.server)
    work = Splicing(step, claim, hands)
    try:
        return work.run()
    except RecoveryIncomplete as error:
        with contextlib.suppress(ServerError, AgentError):
            leave(step.server, claim, hands)
        return give_up(RecoveryIncomplete(error.what, error.detail, error.left | work.after), hands)
    finally:
        if work.brought:
            hands.saved.append(Saved(work.brought, step.origin, step.way))


class Splicing:
    """One splice. `brought` is what the server has executed of it so far, `left` what it lacks yet, `after` what comes
    after the part that is under way.
    """

    def __init__(self, step: Splice, claim: ClaimedServer, hands: Hands) -> None:
        self._step = step
        self._claim = claim
        self._hands = hands
        self._most = FIRST_PART
        self._problem = ""
        self._bytes = self._parts = 0
        self._deeds: list[str] = []
        self.left = self.after = GtidSet()
        self.brought = GtidSet()

    def run(self) -> str:
        """All of it, in words. RecoveryIncomplete where the source fails or nothing moves."""
        self._claim.drop_spliced()
        self.left = self._step.gtids - self._claim.read().executed
        if not self.left:
            return "executed meanwhile"
        watch = Stopwatch(self._hands.clock)
        laid: Spliced | None = self._copied(self.left, aside=False)
        watch.lap("copied")
        while laid is not None:
            laid = self._executed(laid)
        watch.lap(f"executed in {self._parts} parts" if self._parts > 1 else "executed")
        leave(self._step.server, self._claim, self._hands)
        watch.lap("removed")
        size = f"{counted(len(self.brought), 'transaction')}, {counted(self._bytes, 'byte')}"
        what = f"{size} on channel {SPLICE_CHANNEL}: {watch}"
        return "; ".join((what, *self._deeds))

    def _executed(self, laid: Spliced) -> Spliced | None:
        """Let the server run one part, and copy the next one meanwhile: that one, None after the last."""
        hands, part = self._hands, laid.gtids & self.left
        hands.lease.check()
        file = laid.relay_log_file
        if self._parts:
            self._claim.drop_spliced()
            file = hands.agents.bring_forward(hands.cluster, self._step.server, hands.lease)
        after = self.left - part
        wait = Drainage(self._claim, part, hands, hands.policy.failover.salvage_timeout)
        following = self._side_by_side(lambda: self._adopted(replace(laid, relay_log_file=file), part, wait), after)
        self.left, self.brought = after, self.brought | part
        self._parts, self._bytes = self._parts + 1, self._bytes + laid.size
        self._deeds += wait.deeds
        if isinstance(following, Exception):
            raise following
        return following

    def _adopted(self, laid: Spliced, part: GtidSet, wait: Drainage) -> None:
        """Give one part to the server and wait until it has run it."""
        held = self._claim.adopt_spliced(laid.relay_log_file, laid.size) or laid.gtids
        if not part <= held:
            what = f"the copied logs of {self._step.origin} lack {(part - held).shorten()}"
            raise RecoveryIncomplete(what, "the server reads fewer than were laid out", self.left)
        wait.run()

    def _side_by_side(self, execute: Callable[[], None], after: GtidSet) -> Spliced | Exception | None:
        """Execute and copy. What ends this manager's right to act comes first, then what ends the part."""
        self.after = after
        if not after:
            execute()
            return None
        self._most *= GROWTH
        calls: dict[str, Callable[[], Spliced | None]] = {
            "execute": execute,
            "copy": lambda: self._copied(after, aside=True),
        }
        answers = self._hands.tasks.gather(calls, LONGEST)
        for answer in answers.values():
            if isinstance(answer, (CoordinationError, FencedOut)):
                raise answer
        if isinstance(answers["execute"], Exception):
            raise answers["execute"]
        return answers["copy"]

    def _copied(self, wanted: GtidSet, *, aside: bool) -> Spliced:
        """Lay one part out beside the elect's relay logs; begun again where the way broke."""
        step, hands, why = self._step, self._hands, self._problem
        share = max(step.size * len(wanted) // max(len(step.gtids), 1), 1)
        asked = Holding(step.origin, step.kind, wanted, share, kept=step.kept)
        for _ in range(COPIES):
            try:
                lot = Lot(self._most, aside)
                laid = hands.agents.transfer(hands.cluster, step.server, asked, progress_of(step, hands), lot)
            except AgentError as error:
                why = "; ".join(filter(None, (self._problem, str(error))))
                hands.tell(f"copying from {step.origin} broke: {why}")
                continue
            self._problem = laid.problem or self._problem
            if laid.gtids & wanted:
                return laid
        raise RecoveryIncomplete(f"the logs of {step.origin} could not be brought to {step.server}", why, wanted)


def leave(server: str, claim: ClaimedServer, hands: Hands) -> None:
    """Remove the channel; the server deletes its files with it, and what is left of them the agent does."""
    claim.drop_spliced()
    with contextlib.suppress(AgentError):
        hands.agents.clean_spliced(hands.cluster, server, hands.lease)


def drop_splice(step: DropSplice, hands: Hands) -> str:
    """Remove a splice channel that stands in the way of a change of source."""
    leave(step.server, hands.claimed(step.server), hands)
    return f"channel {SPLICE_CHANNEL} removed"


class Stopwatch:
    """Seconds of the parts of a step, in words."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.now()
        self._laps: list[str] = []

    def lap(self, what: str) -> None:
        """The part that ends now."""
        now = self._clock.now()
        self._laps.append(f"{what} in {now - self._last:.3f} s")
        self._last = now

    def __str__(self) -> str:
        return ", ".join(self._laps)


def progress_of(step: Splice, hands: Hands) -> Callable[[int, int], None]:
    """A teller of copied bytes, in words."""
    pace = Pace(hands.clock)

    def tell(done: int, total: int) -> None:
        pace.moved(done)
        hands.tell(f"copying from {step.origin}: {done} of {total} bytes{pace.eta(max(total - done, 0))}")

    return tell
