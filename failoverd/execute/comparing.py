"""VERIFY: one table of a server that was attached beside the primary's, both at the same executed set."""

from __future__ import annotations

from collections.abc import Callable

from failoverd.execute.hands import Hands
from failoverd.execute.rejoin import looked_at
from failoverd.model.comparing import TableSum
from failoverd.model.counted import counted
from failoverd.model.errors import StepFailed, TimedOut
from failoverd.model.steps import CompareTable

# Between two attempts: what is written in between has to arrive (seconds).
PAUSE = 0.5
GRACE = 10.0


class Comparison:
    """One table under comparison; it is given up where the primary is missed, which matters more."""

    def __init__(self, step: CompareTable, hands: Hands) -> None:
        self._step = step
        self._hands = hands
        self._end = hands.clock.now() + step.seconds

    @property
    def over(self) -> bool:
        """Whether its time is up."""
        return self._hands.clock.now() > self._end

    @property
    def late(self) -> str:
        """What is known when its time is up."""
        step = self._step
        return f"not read at one set within {step.seconds:.0f} s, {step.primary} is written all the time or it is large"

    def heed(self, seconds: float) -> None:
        """Go on only with the lease, within the time, and while the primary takes writes."""
        self._hands.lease.check()
        primary = looked_at(self._step.primary, self._hands)
        if primary is None or not primary.writable:
            raise StepFailed(f"{self._step.primary} is missed", f"{self._step.table} is not compared")
        if self.over:
            raise TimedOut(self.late, f"the last reading of it took {seconds:.0f} s until then")

    def both(self) -> tuple[TableSum, TableSum]:
        """What the server and the primary say, asked side by side."""
        servers = (self._step.server, self._step.primary)
        answers = self._hands.tasks.gather({name: self._asking(name) for name in servers}, self._step.seconds + GRACE)
        return self._told(answers[servers[0]]), self._told(answers[servers[1]])

    def _asking(self, name: str) -> Callable[[], TableSum]:
        hands, table = self._hands, self._step.table
        return lambda: hands.servers.table_sum(hands.cluster, name, table, self.heed)

    @staticmethod
    def _told(answer: TableSum | Exception) -> TableSum:
        if isinstance(answer, TimedOut):
            return TableSum(problem=str(answer))
        if isinstance(answer, Exception):
            raise answer
        return answer


def compare_table(step: CompareTable, hands: Hands) -> str:
    """Equal, or why that is not known, which is a finding and no failure; StepFailed where it differs.

    A difference counts when it is seen twice: a commit is visible a moment before it is in the executed set.
    """
    comparison, doubted = Comparison(step, hands), False
    why = comparison.late
    while not comparison.over:
        comparison.heed(0.0)
        ours, theirs = comparison.both()
        why = ours.problem or theirs.problem or why
        if ours.problem or theirs.problem:
            break
        if not ours.before == ours.after == theirs.before == theirs.after:
            hands.clock.sleep(PAUSE)
        elif ours.checksum is None and theirs.checksum is None:
            why = "neither server has it"
            break
        elif ours.checksum == theirs.checksum:
            return (
                f"equal: checksum {ours.checksum} on both, each at the same {counted(len(ours.after), 'transaction')}"
            )
        elif doubted:
            raise StepFailed(
                f"{step.table} differs: {said(ours)} on {step.server}, {said(theirs)} on {step.primary}",
                f"both at the same {counted(len(ours.after), 'transaction')}; {step.server} stays attached",
            )
        else:
            doubted = True
    hands.uncompared.append(f"{step.table} of {step.server} is not compared: {why}")
    return f"not compared: {why}"


def said(one: TableSum) -> str:
    """A checksum for people."""
    return "no such table" if one.checksum is None else f"checksum {one.checksum}"
