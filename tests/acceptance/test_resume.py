"""Faults in the middle of an operation, on real servers: the next manager ends it, and never opens a second server."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import SETTINGS, Interrupted
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, follows, rehearsal, takes_writes, writable


@contextmanager
def interrupted(
    lab: LabFactory, where: str, *, both: bool = True, settings: Mapping[str, object] = SETTINGS
) -> Iterator[Interrupted]:
    """A failover whose manager stands still at that moment; with `both` the standby stands still too, until `next_one`,
    so that faults can be staged in between.
    """
    with rehearsal(lab(settings=settings)) as play:
        rounds = Interrupted(play)
        rounds.begin()
        rounds.enter("mgr1", f"stop {where}")
        rounds.enter("mgr2", "")
        rounds.ready("mgr1")
        if both:
            play.managers.kill("mgr2", signal.SIGSTOP)
        play.kill_primary()
        rounds.struck("mgr1", "stop")
        yield rounds


def next_one(play: Rehearsal) -> None:
    """The active manager is dead for good, and the standby wakes up."""
    play.managers.kill("mgr1")
    play.managers.kill("mgr2", signal.SIGCONT)


def outcomes(play: Rehearsal) -> list[tuple[str, str | None, str | None]]:
    """Kind, outcome and new primary of all operations, oldest first."""
    return [(one["kind"], one["outcome"], one["new_primary"]) for one in reversed(play.operations())]


def ended_as(play: Rehearsal, wanted: list[tuple[str, str | None, str | None]]) -> None:
    """Exactly these operations, in this order."""
    eventually(lambda: outcomes(play), lambda found: found == wanted, f"the operations {wanted}")


def ended_by(play: Rehearsal) -> str:
    """One failover, and nothing else; whom it has opened: of two replicas either may have received more."""
    done = eventually(lambda: outcomes(play), lambda found: [one[:2] for one in found] == [("failover", "done")], "it")
    return str(done[0][2])


def elect_of(play: Rehearsal) -> str:
    """The server that the open operation is about to open."""
    shown = play.shown(play.operations()[0]["operation"])
    return str(next(e for e in shown["entries"] if e["kind"] == "promote-intent")["body"]["elect"])


def test_a_manager_cut_off_from_zookeeper_in_the_middle_is_followed(lab: LabFactory) -> None:
    with interrupted(lab, "after:StopReceiver", both=False) as rounds:
        play = rounds.play
        play.lab.fault.cut("mgr1", "zk1")
        play.managers.kill("mgr1", signal.SIGCONT)
        elect = ended_by(play)
        play.lab.fault.heal()
        eventually(lambda: play.managers.kept("mgr2").get("standby_managers"), lambda s: s == ["mgr1"], "mgr1 in line")
        assert play.logged("operation ended", "mgr1") == []
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def test_an_elect_that_dies_before_it_was_chosen_for_good_is_passed_over(lab: LabFactory) -> None:
    with interrupted(lab, "before:OpenWrites") as rounds:
        play = rounds.play
        play.lab.fault.kill("db2")
        next_one(play)
        ended_as(play, [("failover", "done", "db3")])
        play.settled("db3", ())


def test_an_elect_that_dies_with_acknowledged_writes_is_fenced_and_they_are_kept(lab: LabFactory) -> None:
    with interrupted(lab, "after:OpenWrites") as rounds:
        play = rounds.play
        elect = elect_of(play)
        eventually(lambda: play.writer.account.acks[-1].server, lambda s: s == elect, f"a row on {elect}")
        play.go_on(30)
        play.lab.fault.kill(elect)
        next_one(play)
        (last,) = {"db2", "db3"} - {elect}
        ended_as(play, [("failover", "failed", None), ("failover", "done", last)])
        play.settled(last, ())


def test_nobody_else_is_opened_while_the_elect_cannot_be_reached(lab: LabFactory) -> None:
    with interrupted(lab, "after:promote-intent") as rounds:
        play = rounds.play
        elect = elect_of(play)
        play.lab.fault.cut("mgr2", elect)
        next_one(play)
        kept = eventually(
            lambda: play.managers.kept("mgr2"),
            lambda now: (now.get("operation") or {}).get("outcome") == "needs-person",
            "a word that a person is needed",
        )
        assert elect in kept["operation"]["problem"]
        assert writable(play.lab) == ()
        code, answer, said = play.command("ops", "undo", "--yes")
        assert code == 1, answer
        assert "cannot be taken back" in said
        play.lab.fault.heal()
        ended_as(play, [("failover", "done", elect)])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def test_an_old_primary_that_is_back_before_it_was_fenced_stays_the_primary(lab: LabFactory) -> None:
    with interrupted(lab, "before:FenceHost") as rounds:
        play = rounds.play
        play.lab.start_mysqld("db1")
        next_one(play)
        eventually(lambda: takes_writes(play.lab, "db1"), bool, "db1 open again")
        eventually(lambda: [one[:2] for one in outcomes(play)], both_closed, "two closed operations")
        follows(play.lab, "db1", ("db2", "db3"))
        play.go_on()
        assert writable(play.lab) == ("db1",)


def both_closed(found: list[Any]) -> bool:
    """The failover was taken back, then the primary opened."""
    return found == [("failover", "undone"), ("reopen", "done")]


def test_a_person_ends_what_was_settled_by_hand(lab: LabFactory) -> None:
    with interrupted(lab, "after:promote-intent") as rounds:
        play = rounds.play
        elect = elect_of(play)
        play.lab.fault.cut("mgr2", elect)
        next_one(play)
        play.managers.wait_for(
            "a word that a person is needed",
            lambda s: (s["operation"] or {}).get("outcome") == "needs-person",
            PATIENCE,
        )
        before = play.lab.sql("db3", "SELECT @@read_only")
        code, answer, _ = play.command("ops", "abort", "--reason", "settled by hand", "--yes")
        assert (code, answer["outcome"]) == (1, "failed")
        assert "not taken back" in answer["findings"][0]
        assert play.lab.sql("db3", "SELECT @@read_only") == before
        assert play.operations()[0]["outcome"] == "failed"
