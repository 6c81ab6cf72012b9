"""Cut links between a manager and the rest, one way and both ways: without evidence nobody acts, and an operation that
is cut in the middle is ended when it can be, on one writable server.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from failoverd.lab import keeping
from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import Interrupted
from tests.acceptance.rehearsal import (
    MANAGERS,
    PATIENCE,
    ROW,
    Rehearsal,
    eventually,
    everywhere,
    rehearsal,
    takes_writes,
    writable,
)
from tests.acceptance.test_resume import elect_of, ended_as, interrupted, next_one

# A session so long that a manager which stands still for a moment, while a link is cut, is still the active one.
LONG_SESSION = {"zookeeper": {"session_timeout": "4s"}, "clusters": {"shop": {"failover": {"cooldown": "0s"}}}}


# What the manager says when it knows how it stands.
WORDS = ("operation ended", "operation needs a person", "this manager was deposed", "could not act")


@dataclass(frozen=True)
class Cut:
    """Links of the active manager that are cut when its failover has come to a moment.

    `other` is "primary", "replicas" or "zk1"; `lost` is what does not arrive: everything, what it sends, or what it is
    answered.
    """

    moment: str
    other: str
    lost: str = "everything"

    def make(self, play: Rehearsal) -> None:
        """Cut them."""
        others = {"primary": (play.primary,), "replicas": play.replicas()}.get(self.other, (self.other,))
        for other in others:
            pair = (other, "mgr1") if self.lost == "answers" else ("mgr1", other)
            play.lab.fault.cut(*pair, one_way=self.lost != "everything")


CUTS = {
    "before": (
        Cut("before:FenceHost", "primary"),
        Cut("after:StopReceiver", "replicas"),
        Cut("before:OpenWrites", "replicas", "answers"),
    ),
    "behind": (
        Cut("after:promote-intent", "replicas", "questions"),
        Cut("after:OpenWrites", "zk1", "answers"),
        Cut("before:PublishPrimary", "zk1", "questions"),
    ),
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("side", CUTS)
def test_a_failover_whose_manager_is_cut_off_in_the_middle_is_ended(lab: LabFactory, side: str) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        rounds = Interrupted(play)
        rounds.begin()
        for cut in CUTS[side]:
            shown = cut_off(rounds, cut)
            assert shown["fenced"]["how"] != "UNFENCED", cut
            rounds.restore(play.primary, str(shown["new_primary"]), int(shown["epoch"]))


def cut_off(rounds: Interrupted, cut: Cut) -> Mapping[str, Any]:
    """One failover with that cut in it; its account, when the link is back and all is whole."""
    play = rounds.play
    rounds.enter("mgr1", f"stop {cut.moment}")
    rounds.enter("mgr2", "")
    rounds.ready("mgr1")
    said = words(play)
    play.writer.pause()
    try:
        everywhere(play)
        play.kill_primary()
        rounds.struck("mgr1", "stop")
    finally:
        play.writer.resume()
    cut.make(play)
    play.managers.kill("mgr1", signal.SIGCONT)
    eventually(lambda: words(play), lambda now: now > said, f"a word on how it stands after {cut}")
    assert len(writable(play.lab)) <= 1
    play.lab.fault.heal()
    eventually(
        rounds.failovers,
        lambda now: len(now) > rounds.rounds and now[0]["outcome"] == "done",
        f"the end after {cut}",
    )
    shown = rounds.whole()
    play.managers.end("mgr1")
    return shown


def words(play: Rehearsal) -> int:
    """How often a manager has said how it stands."""
    return sum(len(play.logged(word)) for word in WORDS)


def test_a_manager_that_is_cut_off_from_servers_alone_fails_nobody_over(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION), patience=ROW) as play:
        active = str(play.begin()["active_manager"])
        errors = dict(play.writer.account.errors)
        for others, one_way in (
            (("db1",), ()),
            (("db1",), ("to",)),
            (("db1",), ("from",)),
            (("db2", "db3"), ()),
            (("db1", "db2", "db3"), ()),
        ):
            for other in others:
                pair = (other, active) if "from" in one_way else (active, other)
                play.lab.fault.cut(*pair, one_way=bool(one_way))
            unreached = set(others)
            eventually(
                lambda: {s["name"] for s in play.managers.kept(active)["servers"] if not s["reachable"]},
                lambda found, wanted=unreached: found == wanted,  # type: ignore[misc]
                f"{active} without {others} {one_way}",
            )
            play.quiet(turns=2)
            play.lab.fault.heal()
            eventually(lambda: play.managers.kept(active)["verdict"], lambda v: v == "healthy", "health again")
        play.managers.wait_for(
            f"{active} over db1", lambda s: (s["active_manager"], s["primary"]) == (active, "db1"), PATIENCE
        )
        assert (play.writer.account.unknown, dict(play.writer.account.errors)) == ([], errors)


def test_a_replica_that_managers_cannot_reach_is_passed_over_and_brought_to_the_new_primary_later(
    lab: LabFactory,
) -> None:
    with rehearsal(lab(replicas=3)) as play:
        play.begin()
        for manager in MANAGERS:
            play.lab.fault.cut(manager, "db4")
        eventually(
            lambda: {s["name"] for s in play.managers.status()["servers"] if not s["reachable"]},
            lambda found: found == {"db4"},
            "a status without db4",
        )
        play.kill_primary()
        shown = play.ended()
        elect = str(shown["new_primary"])
        assert elect in {"db2", "db3"}
        assert {r["name"] for r in shown["replicas"] if not r["attached"]} == {"db1", "db4"}
        play.lab.fault.heal()
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other, "db4"))


def test_a_standby_that_is_cut_off_is_not_missed(lab: LabFactory) -> None:
    with rehearsal(lab(settings=LONG_SESSION)) as play:
        status = play.begin()
        active, (standby,) = str(status["active_manager"]), status["standby_managers"]
        play.lab.fault.cut(standby, "zk1")
        play.lab.fault.cut(standby, active)
        play.managers.wait_for("a lone manager", lambda s: s["standby_managers"] == [], PATIENCE)
        play.quiet(turns=2)
        play.lab.fault.heal()
        now = play.managers.wait_for("both again", lambda s: s["standby_managers"] == [standby], PATIENCE)
        assert (now["active_manager"], now["epoch"]) == (active, status["epoch"])


def test_an_old_primary_that_is_started_when_the_elect_was_chosen_stays_shut(lab: LabFactory) -> None:
    with interrupted(lab, "after:promote-intent") as rounds:
        play = rounds.play
        elect = elect_of(play)
        keeping.ask(play.lab.hosts["db1"], "start", service="mysqld")
        eventually(lambda: play.lab.mysqld_pid("db1"), lambda pid: pid == 0, "the end of what was started")
        assert not takes_writes(play.lab, "db1")
        next_one(play)
        ended_as(play, [("failover", "done", elect)])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
