"""A server that cannot be attached as it is gets the data of another one: by hand, by policy, and after a crash."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, executed, inside, rehearsal, supervisor
from tests.acceptance.test_divergence import alone_on, errant
from tests.acceptance.test_rejoin import attached

pytestmark = pytest.mark.timeout(300)


def can_clone(play: Rehearsal) -> None:
    """The plugin on every server, and the rights for our account."""
    for server in play.lab.servers:
        closed = server != "db1"
        for statement in (
            *(("SET GLOBAL super_read_only = OFF",) if closed else ()),
            "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
            *(("SET GLOBAL super_read_only = ON",) if closed else ()),
        ):
            play.lab.sql(server, statement)
    play.lab.sql("db1", "GRANT BACKUP_ADMIN, CLONE_ADMIN ON *.* TO failoverd@'%'")
    wanted = executed(play.lab, "db1")
    for server in play.replicas():
        eventually(lambda server=server: inside(play.lab, server, wanted), bool, f"{server} at {wanted}")  # type: ignore[misc]


def titles(play: Rehearsal) -> list[str]:
    """The steps of the newest operation."""
    return [step["title"] for step in play.shown(play.operations()[0]["operation"])["steps"]]


@supervisor
def test_a_diverged_server_is_overwritten_after_its_tail_is_kept(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(lab(supervised=supervised, performance_schema=True)) as play:
        play.begin()
        can_clone(play)
        alone_on(play, "db3", "CREATE TABLE app.only_here (n INT)")
        code, refused, _ = play.command("rejoin", "shop", "db3", "--clone", "--yes")
        assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["diverged"])
        code, told, said = play.command("rejoin", "shop", "db3", "--clone", "--discard-errant", "--yes")
        assert (code, told["outcome"]) == ((0, "done") if supervised else (1, "failed")), said
        if not supervised:
            assert "start its mysqld" in said
            play.lab.start_mysqld("db3")
        steps = [step["title"] for step in told["steps"]]
        assert "overwrite db3 with the data of db2" in steps
        assert steps.index("keep 1 transactions that only db3 has") < steps.index("overwrite db3 with the data of db2")
        attached(play, "db3", "db1")
        assert play.lab.sql("db3", "SHOW TABLES FROM app LIKE 'only_here'") == ()
        assert play.lab.sql("db3", "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode") == ((1, 0),)
        assert play.lab.sql("db3", "SELECT @@server_uuid") != play.lab.sql("db2", "SELECT @@server_uuid")
        eventually(lambda: errant(play)[0], lambda found: found == 0, "nobody with errant transactions")
        play.settled("db1", ("db2", "db3"))
