"""Carries a runbook out: needs, client, steps, expectations; and whatever happens, the cleanup."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from failoverd.drill.fair import stretched
from failoverd.drill.ground import Ground, Probe, Voice
from failoverd.drill.judge import Judged, Outcome, judge_all, reason_to_abort
from failoverd.drill.watch import Watch
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.model.plans import Requester
from failoverd.model.rehearsed import Cast, Measured, Ran
from failoverd.model.runbook import AskStep, Condition, FaultStep, HookStep, Role, Runbook, RunStep, Step, WaitStep
from failoverd.ports import Clock, Tasks

_POLL: Final = 0.05
_WARM_UP: Final = 50  # acknowledged rows before anything is broken
_PATIENCE: Final = 60.0  # seconds for what ought to happen by itself: the first rows, the end of an operation
_WAYS: Final = {"hosts": "each server in turn", "vip": "the virtual address", "haproxy": "HAProxy"}
_ROLE: Final = re.compile(r"\{([a-z-]+)\}")


class Aborted(FailoverdError):
    """The drill was ended before its time."""


@dataclass(frozen=True, slots=True)
class StepTold:
    """What became of one step, in wall seconds."""

    title: str
    place: str
    part: str
    began: float
    seconds: float
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A drill that is over: `result` is passed, failed or aborted; `left` is what could not be cleared away."""

    book: Runbook
    ground: str
    measured: Measured
    judged: tuple[Judged, ...]
    steps: tuple[StepTold, ...]
    result: str
    problem: str
    left: tuple[str, ...]
    by: Requester
    facts: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)


class Drill:
    """One drill. `run` returns its account; what forbids it before anything was touched is raised."""

    def __init__(
        self, book: Runbook, ground: Ground, times: tuple[Clock, Tasks], voice: Voice, *, by_step: bool = False
    ) -> None:
        self._book = book
        self._ground = ground
        self._clock, self._tasks = times
        self._voice = voice
        self._by_step = by_step
        self._told: list[StepTold] = []
        self._limits: Mapping[str, str] = {"time limits": "those of the runbook"}
        self._watch = Watch(ground, self._clock)

    def run(self, by: Requester) -> Finished:
        """Carry it out. Raises ConfigError where a need is not met, FailoverdError where the ground cannot be had."""
        cast, problem, result = Cast(""), "", ""
        try:
            cast = self._ground.open()
            self._needs()
            self._be_fair(self._ground.slowness())
            probe = self._ground.probe()
            self._watch.begin(cast, probe)
            try:
                self._rehearse(probe)
            except KeyboardInterrupt:
                result, problem = "aborted", "it was interrupted"
            except Aborted as error:
                result, problem = "aborted", str(error)
            except FailoverdError as error:
                result, problem = "failed", str(error)
            measured, facts = self._measure(probe), {**self._ground.facts(), **self._limits, **self._client()}
            settings = self._ground.settings()
        finally:
            left = self._clear_away(cast)
        judged = judge_all(self._book.expect, measured)
        if not result:
            passed = all(one.outcome is Outcome.MET for one in judged) and not left
            result = "passed" if passed else "failed"
        steps = tuple(self._told)
        place = self._ground.name
        return Finished(self._book, place, measured, judged, steps, result, problem, left, by, facts, settings)

    def _needs(self) -> None:
        lacking = [f"{need}: {why}" for need in self._book.needs if (why := self._ground.lacks(need))]
        if lacking:
            detail = "\n".join(f"{self._book.needs_place}: needs: {one}" for one in lacking)
            raise ConfigError(f"the drill '{self._book.name}' needs what is not there", detail, "nothing was touched")

    def _be_fair(self, times: float) -> None:
        """Where other work runs on the lab's machine, limits are longer, and everybody is told."""
        self._book = stretched(self._book, times)
        if times > 1.0:
            self._limits = {"time limits": f"{times:g} times those of the runbook, because the machine was busy"}
            self._voice.say(f"the machine is busy: time limits count {times:g} times")

    def _client(self) -> Mapping[str, str]:
        shape = self._book.probe
        return {"client": f"a row every {shape.every * 1000:g} ms, by {_WAYS.get(shape.through, shape.through)}"}

    def _rehearse(self, probe: Probe) -> None:
        probe.start()
        self._tasks.start("looks of the drill", self._watch.live)
        self._until("the client's first rows", lambda: len(probe.taken().wrote) >= _WARM_UP, _PATIENCE)
        for index, step in enumerate(self._book.steps):
            self._do(step, "steps", starts_clock=index == self._book.starts_the_clock)
        self._await_expectations()

    def _await_expectations(self) -> None:
        """Rest until every expectation with a time is settled, then until no operation is open."""
        limits = [one.within for one in self._book.expect if one.within is not None]
        end = (self._watch.struck or 0.0) + max(limits, default=0.0)
        self._voice.say("waiting for what is expected")
        while self._wall() <= end and any(self._open(one) for one in self._judge_now()):
            self._rest()
        self._until("the end of the operation", self._quiet, _PATIENCE)

    def _judge_now(self) -> tuple[Judged, ...]:
        wanted = any(one.kind == "operation" for one in self._book.expect)
        operations = self._watch.operations() if wanted else ()
        return judge_all(self._book.expect, self._watch.measured(operations))

    def _open(self, judged: Judged) -> bool:
        return judged.outcome is Outcome.PENDING and judged.expectation.within is not None

    def _quiet(self) -> bool:
        last = self._watch.last()
        return last is not None and not last.operation

    def _do(self, step: Step, part: str, *, starts_clock: bool = False) -> None:
        if part == "steps":
            self._heed()
            if self._by_step and not self._voice.agrees(f"next: {step.title}. Go on?"):
                raise Aborted("a person ended it", f"before: {step.title}")
        began = self._wall()
        if starts_clock and isinstance(step, FaultStep | RunStep | HookStep):
            self._watch.strike()
        self._voice.say(step.title)
        try:
            detail = self._act(step)
        except FailoverdError as error:
            self._note(step, part, began, "failed", str(error))
            raise
        if starts_clock and self._watch.struck is None:
            self._watch.strike()
        self._note(step, part, began, "done", detail)

    def _note(self, step: Step, part: str, began: float, outcome: str, detail: str) -> None:
        self._told.append(StepTold(step.title, step.place, part, began, self._wall() - began, outcome, detail))

    def _act(self, step: Step) -> str:
        cast = self._watch.cast
        if isinstance(step, FaultStep):
            names, peers = cast.names(step.at), cast.names(step.peer)
            if step.at is not None and not names:
                raise FailoverdError(f"there is no {step.at}", f"{step.place}: {step.title}")
            return self._ground.fault(step, names, tuple(peer for peer in peers if peer not in names))
        if isinstance(step, RunStep):
            return self._ran(
                step, self._ground.command(words_of(step, cast, self._ground.name), step.within), step.exit
            )
        if isinstance(step, HookStep):
            around = {"FAILOVERD_CLUSTER": self._ground.name, "FAILOVERD_DRILL": self._book.name}
            return self._ran(step, self._ground.hook(step.hook, around, step.within), 0)
        if isinstance(step, AskStep):
            if not self._voice.agrees(step.ask):
                raise Aborted("a person said no", f"{step.place}: {step.ask}")
            return "yes"
        self._wait(step)
        return ""

    def _ran(self, step: Step, ran: Ran, wanted: int) -> str:
        if ran.code != wanted:
            where = f"{step.place}: {step.title}"
            raise FailoverdError(f"it ended with {ran.code} instead of {wanted}", f"{where}: {ran.said}")
        return f"exit code {ran.code}"

    def _wait(self, step: WaitStep) -> None:
        if isinstance(step.until, Condition):
            self._until(f"{step.until} ({step.place})", self._condition(step.until), step.within)
            return
        end = self._clock.now() + step.until
        while self._clock.now() < end:
            self._rest()

    def _condition(self, condition: Condition) -> Callable[[], bool]:
        """What the condition means, from now on."""
        watch, cast = self._watch, self._watch.cast
        goal = len(watch.taken().wrote) + 100
        begun = self._wall()

        def ended() -> bool:
            last = watch.last()
            closed = any(one["ended"] for one in watch.operations())
            return last is not None and last.at > begun and not last.operation and closed

        table: Mapping[Condition, Callable[[], bool]] = {
            Condition.HEALTHY: lambda: (last := watch.last()) is not None and last.verdict == "healthy",
            Condition.WRITES: lambda: len(watch.taken().wrote) >= goal,
            Condition.CAUGHT_UP: self._ground.caught_up,
            Condition.NEW_PRIMARY: lambda: (
                (last := watch.last()) is not None and len(last.writers) == 1 and last.writers[0] != cast.primary
            ),
            Condition.OPERATION_ENDED: ended,
            Condition.ATTACHED: lambda: (last := watch.last()) is not None and last.attached(cast.servers),
        }
        return table[condition]

    def _until(self, what: str, holds: Callable[[], bool], seconds: float) -> None:
        end = self._clock.now() + seconds
        while not holds():
            if self._clock.now() > end:
                raise FailoverdError(f"{what} did not come", f"within {seconds:g} s")
            self._rest()

    def _rest(self) -> None:
        self._heed()
        self._clock.sleep(_POLL)

    def _heed(self) -> None:
        """Raise Aborted where a person, a file or a condition ends the drill."""
        why = self._voice.stops() or reason_to_abort(self._book.abort_if, self._watch.measured())
        if why:
            raise Aborted("the drill is ended", why)

    def _measure(self, probe: Probe) -> Measured:
        """Stop client and looks, and read what is left to read; what cannot be read is missing in the report."""
        self._watch.end()
        probe.stop()
        rows = None
        last = self._watch.last()
        try:
            if last is not None and last.writers:
                rows = self._ground.rows(last.writers[0])
            operations = self._watch.operations(anew=True)
        except FailoverdError as error:
            self._voice.say(f"not everything could be read: {error}")
            operations = ()
        return self._watch.measured(operations, rows, final=True)

    def _clear_away(self, cast: Cast) -> tuple[str, ...]:
        """Do the cleanup, each step whatever became of the one before, and give the ground back."""
        left = []
        for step in self._book.cleanup if cast.primary and self._watch.began else ():
            try:
                self._do(step, "cleanup")
            except (FailoverdError, KeyboardInterrupt) as error:
                left.append(f"{step.title}: {error}")
        return (*left, *self._ground.close())

    def _wall(self) -> float:
        return self._clock.wall().timestamp()


def words_of(step: RunStep, cast: Cast, cluster: str) -> tuple[str, ...]:
    """The command's words with names for `{cluster}` and for roles in braces. Raises ConfigError for other braces."""
    names = {role.value: cast.names(role) for role in Role} | {"cluster": (cluster,)}

    def name(found: re.Match[str]) -> str:
        known = names.get(found[1])
        if not known:
            raise ConfigError(f"'{found[0]}' stands for nobody", f"{step.place}: {step.run}")
        return known[0]

    return tuple(shlex.split(_ROLE.sub(name, step.run)))
