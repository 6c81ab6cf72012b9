"""The active manager is killed in the middle of an attaching and of a person's cures: the next one ends what was begun,
and nothing is done twice.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import SETTINGS, Interrupted
from tests.acceptance.rehearsal import Rehearsal, eventually, executed, follows, inside, rehearsal
from tests.acceptance.test_divergence import alone_on

pytestmark = pytest.mark.timeout(400)


def own(play: Rehearsal, before: str) -> str:
    """What db3 has made for itself since."""
    ((found,),) = play.lab.sql("db3", f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{before}')")
    ((uuid,),) = play.lab.sql("db3", "SELECT @@server_uuid")
    return next(part for part in str(found).replace("\n", "").split(",") if part.startswith(str(uuid)))


def cured(rounds: Interrupted, moment: str, *words: str) -> str:
    """Ask for a cure of a manager that is killed at that moment; asked again where the next one has not done it. The
    outcome of the last.
    """
    rounds.enter("mgr1", f"kill {moment}")
    rounds.enter("mgr2", "")
    rounds.ready("mgr1")
    code, told, said = rounds.play.command("rejoin", "shop", "db3", *words, "--yes")
    rounds.struck("mgr1", "kill")
    rounds.standby = "mgr2"
    assert code in {0, 1}, said
    if told["outcome"] == "undone":
        code, told, said = rounds.play.command("rejoin", "shop", "db3", *words, "--yes")
    return str(told["outcome"])


def test_a_manager_that_dies_in_the_middle_is_followed_and_nothing_is_done_twice(lab: LabFactory) -> None:
    with rehearsal(lab(settings=SETTINGS)) as play:
        rounds = Interrupted(play)
        rounds.begin()
        play.lab.sql("db1", "CREATE TABLE app.t (n INT PRIMARY KEY, w INT)")
        play.lab.sql("db1", "INSERT INTO app.t VALUES (1, 10), (2, 20)")
        play.lab.sql("db1", "GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON app.* TO failoverd@'%'")
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db3", wanted), bool, f"db3 at {wanted}")
        attached_by_the_next(rounds)
        before = executed(play.lab, "db3")
        alone_on(play, "db3", "INSERT INTO app.t VALUES (3, 30)")
        gtids = own(play, before)
        assert cured(rounds, "after:InjectEmpty", "--inject-empty", gtids) == "done"
        assert inside(play.lab, "db1", gtids)
        assert play.lab.sql("db1", "SELECT COUNT(*) FROM app.t") == ((2,),)
        for n, moment in ((1, "before:Replay"), (2, "after:Replay")):
            before = executed(play.lab, "db3")
            alone_on(play, "db3", f"UPDATE app.t SET w = w + 1 WHERE n = {n}")
            gtids = own(play, before)
            assert cured(rounds, moment, "--replay", gtids) in {"done", "failed", "refused"}
            assert play.lab.sql("db1", f"SELECT w FROM app.t WHERE n = {n}") == ((10 * n + 1,),), "once"
            code, told, _ = play.command("rejoin", "shop", "db3", "--replay", gtids, "--yes")
            assert (code, told["outcome"]) == (1, "failed"), told
        assert play.lab.sql("db1", "SELECT * FROM app.t ORDER BY n") == ((1, 11), (2, 21)), "once only"


def attached_by_the_next(rounds: Interrupted) -> None:
    """db3 comes back without its threads; who lets it follow is killed before it has its source."""
    play = rounds.play
    rounds.enter("mgr1", "kill before:StartReceiver")
    rounds.enter("mgr2", "")
    rounds.ready("mgr1")
    play.lab.sql("db3", "SET PERSIST_ONLY skip_replica_start=ON")
    os.kill(play.lab.mysqld_pid("db3"), signal.SIGKILL)
    eventually(lambda: play.lab.mysqld_pid("db3"), lambda pid: not pid, "the end of db3")
    eventually(
        lambda: {s["name"]: s["reachable"] for s in play.managers.kept("mgr1")["servers"]}["db3"],
        lambda reachable: not reachable,
        "a missing db3",
    )
    play.lab.start_mysqld("db3")
    rounds.struck("mgr1", "kill")
    rounds.standby = "mgr2"
    follows(play.lab, "db1", ("db3",))
    kinds = eventually(
        lambda: [(one["kind"], one["outcome"]) for one in play.journal()], lambda o: o[0][1] == "done", "its end"
    )
    assert [kind for kind, _ in kinds] == ["rejoin", "rejoin"], "one was given up, the other has done it"
    steps = {step["title"]: step["outcome"] for step in play.shown(play.journal()[0]["operation"])["steps"]}
    assert steps["prove that db3 has what db1 had"] == "done"
