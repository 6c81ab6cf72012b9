"""People talk to a switchover of real servers while it waits, while it is held, and when it is too late."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from failoverd.drivers.control import Visitor
from failoverd.lab.config_text import PEOPLE
from failoverd.lab.managers import Managers
from failoverd.model.errors import FailoverdError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, ROW, Rehearsal, eventually, rehearsal, writable
from tests.acceptance.test_hooks import stand
from tests.acceptance.test_switchover import nothing_lost

# A prepared transaction holds up every switchover before anything is frozen.
PREPARED = "XA START 'x'; INSERT INTO app.numbered VALUES (1000000000, 0, 'xa'); XA END 'x'; XA PREPARE 'x'"
Say = Callable[..., Mapping[str, Any]]


class Asked:
    """A switchover that a person has asked for and that goes on while other things are said."""

    def __init__(self, play: Rehearsal, *words: str) -> None:
        argv = [sys.executable, "-m", "failoverd", "-c", str(play.lab.config_path), "switchover", "shop", "--yes"]
        self.process = subprocess.Popen(
            [*argv, "--json", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def interrupted(self) -> tuple[int, dict[str, Any]]:
        """Ctrl-C; its exit code and its document."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Its exit code and its document."""
        said, told = self.process.communicate(timeout=PATIENCE)
        assert said, told
        return self.process.returncode, json.loads(said)


@contextmanager
def asked(play: Rehearsal, *words: str) -> Iterator[Asked]:
    """It goes on within; whatever happens, its process ends."""
    one = Asked(play, *words)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait(10)


def attached(play: Rehearsal, host: str = "") -> Say:
    """Says a line to the operation on that host, or to a command of people's own."""
    managers = Managers(play.lab, host)

    def say(*lines: str, code: int = 0) -> Mapping[str, Any]:
        answer = managers.command("ops", "attach", "shop", *lines, "--json")
        assert answer.returncode == code, answer
        told: Mapping[str, Any] = json.loads(answer.stdout)
        return told

    return say


def waiting(play: Rehearsal, say: Callable[[], Mapping[str, Any]], for_what: str) -> Mapping[str, Any]:
    """Its status once it waits for that."""
    return eventually(say, lambda told: for_what in str(told.get("waiting")), for_what)


def hopeful(play: Rehearsal, host: str = PEOPLE) -> Callable[[], Mapping[str, Any]]:
    """Its status; empty as long as there is nobody to be asked."""
    visitor = Visitor(play.lab.folder / host / "run")

    def look() -> Mapping[str, Any]:
        try:
            return visitor.say("shop", "status")
        except FailoverdError:
            return {}

    return look


def test_it_is_talked_to_while_it_waits_and_given_up_until_it_is_too_late(lab: LabFactory) -> None:
    one = lab()
    gone, folder = one.folder / "gone", one.folder / "hooks.d"
    stand(folder, "on-promoted/10-waits", f"until [ -e {gone} ]; do sleep 0.02; done")
    one.configure({"clusters": {"shop": {"hooks_dir": str(folder), "hooks_timeout": "60s"}}})
    with rehearsal(one, patience=ROW) as play:
        active = str(play.begin()["active_manager"])
        say, look = attached(play, active), hopeful(play, active)
        assert say("status", code=1)["error"]["what"] == "no operation of shop runs on this host"

        given_up_while_it_waits(play, say, look)

        with asked(play) as second:
            eventually(look, lambda told: bool(told.get("chosen")), "the choice")
            refused = say("abort", code=1)
            assert "that is the point of no return" in refused["answer"][0]
            gone.touch()
            code, document = second.ended()
        assert (code, document["outcome"], document["new_primary"]) == (0, "done", "db2")
        play.primary = "db2"
        nothing_lost(play)


def given_up_while_it_waits(play: Rehearsal, say: Say, look: Callable[[], Mapping[str, Any]]) -> None:
    """Everything is as it was before, and the client has noticed nothing."""
    play.lab.sql("db1", PREPARED)
    with asked(play) as first:
        told = waiting(play, look, "XA transaction is prepared on db1")
        assert (told["state"], told["candidate"], told["chosen"]) == ("waiting", "db2", False)
        assert any("close db1" in line for line in say("plan")["answer"])
        assert say("throttle")["state"] == "throttled"
        assert say("freeze-budget-ms=1500")["freeze_budget"] == 1.5
        assert "is not known" in say("panic", code=2)["error"]["detail"]
        play.lab.sql("db1", "XA ROLLBACK 'x'")
        waiting(play, look, "no-throttle")
        play.go_on(20)
        assert say("abort")["state"] == "given-up"
        code, document = first.ended()
    assert (code, document["outcome"], document["new_primary"]) == (3, "undone", None)
    assert any("wants it taken back" in step["detail"] for step in document["steps"])
    assert writable(play.lab) == ("db1",)
    play.go_on(20)
    assert not play.writer.account.errors


def test_it_is_given_up_at_every_turn_before_the_choice(lab: LabFactory) -> None:
    one = lab()
    turn, folder = one.folder / "turn", one.folder / "hooks.d"
    turns = ("on-validated", "before-freeze", "on-frozen")
    for point in turns:
        stand(folder, f"{point}/10-waits", f"while [ -e {turn}-{point} ]; do touch {turn}; sleep 0.02; done")
    changes = {"hooks_dir": str(folder), "hooks_timeout": "50s", "switchover": {"freeze_budget": "50s"}}
    one.configure({"clusters": {"shop": changes}})
    with rehearsal(one) as play:
        play.begin(("mgr1",))
        visitor = Visitor(one.folder / "mgr1" / "run")
        for point in turns:
            there = one.folder / f"turn-{point}"
            there.touch()
            with asked(play) as given_up:
                eventually(turn.exists, bool, f"the turn {point}")
                assert visitor.say("shop", "abort")["state"] == "given-up"
                there.unlink()
                code, document = given_up.ended()
            assert (code, document["outcome"], document["new_primary"]) == (3, "undone", None), point
            assert any("wants it taken back" in step["detail"] for step in document["steps"])
            eventually(lambda: writable(one), lambda found: found == ("db1",), "the old primary, open")
            play.go_on(20)
            turn.unlink()
        nothing_lost(play)


def test_a_switchover_that_is_held_is_talked_to_before_it_begins(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin(("mgr1",))
        flag = play.lab.folder / "not-yet"
        flag.touch()
        say, look = attached(play), hopeful(play)
        with asked(play, "--postpone-file", str(flag)) as first:
            waiting(play, look, "not-yet to go")
            assert say("hold")["state"] == "held"
            flag.unlink()
            waiting(play, look, "go (held)")
            assert play.operations() == []
            say("abort")
            code, document = first.ended()
        assert (code, document["outcome"]) == (3, "undone")
        assert play.operations() == []
        assert writable(play.lab) == ("db1",)

        flag.touch()
        with asked(play, "--postpone-file", str(flag)) as second:
            waiting(play, look, "not-yet to go")
            assert say("candidate=db3", "max-lag-ms=4000", "go")["ok"]
            code, document = second.ended()
        assert (code, document["outcome"], document["new_primary"]) == (0, "done", "db3")
        assert flag.exists()
        assert list((play.lab.folder / PEOPLE / "run/shop").glob("*.sock")) == []
        play.primary = "db3"
        nothing_lost(play)


def test_ctrl_c_gives_up_or_leaves_alone_and_never_leaves_half_a_switch(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin(("mgr1",))
        play.lab.sql("db1", PREPARED)
        with asked(play, "--on-interrupt", "abort") as first:
            waiting(play, hopeful(play, "mgr1"), "is prepared on db1")
            code, document = first.interrupted()
        assert (code, document["outcome"]) == (3, "undone")
        with asked(play) as second:
            waiting(play, hopeful(play, "mgr1"), "is prepared on db1")
            code, document = second.interrupted()
        assert (code, document["error"]["what"]) == (1, "detached")
        play.lab.sql("db1", "XA ROLLBACK 'x'")
        eventually(play.operations, lambda found: found[0]["outcome"] == "done", "the end of what goes on")
        play.primary = "db2"
        play.go_on(20)

        play.managers.stop()
        play.lab.sql("db2", PREPARED)
        with asked(play, "--revert") as third:
            waiting(play, hopeful(play), "is prepared on db2")
            code, document = third.interrupted()
        assert (code, document["outcome"], len(play.operations())) == (3, "undone", 3)
        play.lab.sql("db2", "XA ROLLBACK 'x'")
        nothing_lost(play)
