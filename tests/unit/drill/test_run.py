"""Carrying a runbook out on a ground in memory: in order, once, with its cleanup whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failoverd.drill.judge import Outcome
from failoverd.drill.run import Drill, Finished, words_of
from failoverd.model.errors import ConfigError
from failoverd.model.plans import Requester
from failoverd.model.rehearsed import Cast
from failoverd.model.runbook import (
    Abort,
    AskStep,
    Condition,
    Expectation,
    Fault,
    FaultStep,
    HookStep,
    Need,
    Role,
    Runbook,
    RunStep,
    Step,
    WaitStep,
)
from tests.fakes.drills import FakeGround, Looks, Time

BY = Requester("person", "ann", "host", "to be sure")
KILL = FaultStep(Fault.KILL, Role.PRIMARY, place="x.yml:3")
HEAL = FaultStep(Fault.HEAL)
EXPECT = (
    Expectation("new_primary", "any", 3.0),
    Expectation("operation", "failover done", 5.0),
    Expectation("outage_below", 1.5),
    Expectation("lost_rows", 0.0),
    Expectation("one_writer", "true"),
)


class Person:
    """Says yes unless told otherwise."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answer = True
        self.stop: Callable[[], str] = lambda: ""

    def say(self, text: str) -> None:
        self.said.append(text)

    def agrees(self, question: str) -> bool:
        self.said.append(question)
        return self.answer

    def stops(self) -> str:
        return self.stop()


class Play:
    """One drill in memory."""

    def __init__(self) -> None:
        self.time = Time()
        self.ground = FakeGround(self.time)
        self.person = Person()

    def run(self, *steps: Step, by_step: bool = False, **more: Any) -> Finished:
        book = Runbook("ours", "x.yml", "A drill", "why", steps, more.pop("expect", EXPECT), **more)
        times: Any = (self.time, Looks(self.time))
        return Drill(book, self.ground, times, self.person, by_step=by_step).run(BY)


@pytest.fixture
def play() -> Play:
    return Play()


def test_everything_comes_as_expected(play: Play) -> None:
    finished = play.run(WaitStep(Condition.WRITES), KILL, cleanup=(HEAL,))
    assert (finished.result, finished.problem, finished.left) == ("passed", "", ())
    assert [one.outcome for one in finished.judged] == [Outcome.MET] * len(EXPECT)
    assert play.ground.done == ["open", "kill db1", "heal", "close"]
    assert [(step.part, step.outcome) for step in finished.steps] == [
        ("steps", "done"),
        ("steps", "done"),
        ("cleanup", "done"),
    ]
    assert finished.measured.struck is not None
    assert finished.measured.rows is not None


def test_the_time_that_reading_takes_afterwards_is_no_outage(play: Play) -> None:
    play.ground.journal_takes = 20.0
    finished = play.run(KILL, expect=EXPECT[2:])
    assert finished.result == "passed", finished.judged


def test_what_is_lost_fails_it(play: Play) -> None:
    play.ground.lost = (3,)
    finished = play.run(KILL)
    assert finished.result == "failed"
    assert [one.expectation.kind for one in finished.judged if one.outcome is Outcome.FAILED] == ["lost_rows"]


def test_what_cannot_be_cleared_away_fails_it(play: Play) -> None:
    play.ground.left = ("the lab: it is still there",)
    assert play.run(KILL).result == "failed"


def test_a_need_that_is_not_met_is_said_before_anything_is_touched(play: Play) -> None:
    play.ground.lacking = {Need.STANDBY: "mgr1 is alone"}
    with pytest.raises(ConfigError, match=r"x\.yml:6: needs: standby: mgr1 is alone"):
        play.run(KILL, needs=(Need.HEALTHY, Need.STANDBY), needs_place="x.yml:6", cleanup=(HEAL,))
    assert play.ground.done == ["open", "close"]


def test_a_step_that_fails_ends_it_and_the_cleanup_is_done_to_its_end(play: Play) -> None:
    play.ground.refuses = {Fault.KILL, Fault.THAW}
    finished = play.run(KILL, RunStep("status"), cleanup=(FaultStep(Fault.THAW, Role.PRIMARY), HEAL))
    assert finished.result == "failed"
    assert "it could not be done" in finished.problem
    assert play.ground.done == ["open", "heal", "close"]
    (left,) = finished.left
    assert "thaw db1" in left
    assert [(step.title.split()[0], step.outcome) for step in finished.steps][-1] == ("take", "done")


def test_a_command_must_end_with_the_code_that_the_runbook_says(play: Play) -> None:
    play.ground.exit = 3
    assert play.run(RunStep("switchover {cluster} --to {replica}", exit=3), expect=()).result == "passed"
    assert play.ground.done[1] == "switchover shop --to db2"
    again = Play()
    again.ground.exit = 3
    finished = again.run(RunStep("switchover {cluster}", place="x.yml:9"))
    assert "ended with 3 instead of 0: x.yml:9" in finished.problem
    assert "it said so" in finished.problem


def test_a_hook_is_told_what_it_is_about(play: Play) -> None:
    play.run(HookStep("/bin/tell"), expect=())
    assert "/bin/tell for shop" in play.ground.done


def test_a_person_can_say_no(play: Play) -> None:
    play.person.answer = False
    finished = play.run(AskStep("is the page red?", place="x.yml:4"), KILL, cleanup=(HEAL,))
    assert (finished.result, "a person said no" in finished.problem) == ("aborted", True)
    assert play.ground.done == ["open", "heal", "close"]


def test_step_by_step_asks_before_each(play: Play) -> None:
    play.run(KILL, by_step=True)
    assert any(said.startswith("next: SIGKILL") for said in play.person.said)
    again = Play()
    again.person.answer = False
    assert again.run(KILL, by_step=True).result == "aborted"
    assert "kill db1" not in again.ground.done


def test_an_abort_file_ends_it_in_the_middle_of_a_wait(play: Play) -> None:
    began = play.time.at
    play.person.stop = lambda: "/run/stop is there" if play.time.at > began + 5 else ""
    finished = play.run(WaitStep(60.0), KILL, cleanup=(HEAL,))
    assert (finished.result, finished.problem) == ("aborted", "the drill is ended: /run/stop is there")
    assert play.ground.done == ["open", "heal", "close"]
    assert play.time.at < began + 10


def test_a_condition_ends_it(play: Play) -> None:
    finished = play.run(KILL, WaitStep(30.0), abort_if=(Abort("outage_over", 0.5),), cleanup=(HEAL,))
    assert finished.result == "aborted"
    assert "nothing was acknowledged for" in finished.problem
    assert play.ground.done[-2:] == ["heal", "close"]


def test_an_interruption_is_cleared_away_too(play: Play) -> None:
    def interrupt(step: FaultStep) -> None:
        if step.fault is Fault.KILL:
            raise KeyboardInterrupt

    play.ground.on_fault = interrupt
    finished = play.run(KILL, cleanup=(HEAL,))
    assert (finished.result, finished.problem) == ("aborted", "it was interrupted")
    assert play.ground.done[-2:] == ["heal", "close"]


def test_what_is_waited_for_and_does_not_come_ends_it(play: Play) -> None:
    finished = play.run(WaitStep(Condition.NEW_PRIMARY, within=2.0, place="x.yml:7"), cleanup=(HEAL,))
    assert finished.problem == "new-primary (x.yml:7) did not come: within 2 s"
    assert all(one.outcome is Outcome.FAILED for one in finished.judged), "nothing was struck"


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_comes_after_a_failover(condition: Condition, play: Play) -> None:
    if condition is Condition.ATTACHED:
        finished = play.run(WaitStep(condition, within=1.0), KILL, expect=())
        assert "attached" in finished.problem, "db2 follows nobody in this world"
    else:
        assert play.run(KILL, WaitStep(condition), expect=()).problem == ""


def test_a_role_that_nobody_has_is_told(play: Play) -> None:
    cast = Cast("db1", ("db2",))
    assert cast.names(Role.OTHER_REPLICA) == ()
    with pytest.raises(ConfigError, match="stands for nobody"):
        words_of(RunStep("rejoin {cluster} {other-replica}", place="x.yml:5"), cast, "shop")
    with pytest.raises(ConfigError, match="stands for nobody"):
        words_of(RunStep("rejoin {luck}"), cast, "shop")


def test_limits_of_time_are_longer_where_the_machine_is_busy_and_the_report_says_so(play: Play) -> None:
    limits = (Expectation("outage_below", 0.6), Expectation("new_primary", "any", 0.6), Expectation("lost_rows", 0.0))
    assert play.run(KILL, expect=limits).result == "failed"
    again = Play()
    again.ground.slow = 2.5
    finished = again.run(KILL, expect=limits, abort_if=(Abort("outage_over", 0.6),))
    assert finished.result == "passed", finished.judged
    assert finished.judged[0].expectation.title == "no write waits longer than 1.5 s"
    assert finished.facts["time limits"].startswith("2.5 times those of the runbook")
    assert "the machine is busy: time limits count 2.5 times" in again.person.said
    again = Play()
    again.ground.slow, again.ground.lost = 2.5, (3,)
    assert again.run(KILL, expect=limits).result == "failed", "what is lost is lost on a busy machine, too"
