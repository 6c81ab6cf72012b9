"""A server that cannot be attached as it is gets the data of another one: by hand, by policy, and after a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from failoverd.model.errors import ServerError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, executed, inside, rehearsal, supervisor
from tests.acceptance.test_divergence import alone_on, errant
from tests.acceptance.test_rejoin import answers, attached, hang_up, operations

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


def lacking(play: Rehearsal) -> dict[str, set[str]]:
    """What `check` says ahead of time about clones, by server."""
    found: dict[str, set[str]] = {}
    for one in play.command("check", "shop")[1]["findings"]:
        if one["id"] in {"clone-plugin", "missing-grant"}:
            found.setdefault(one["server"], set()).add(one["id"])
    return found


def titles(play: Rehearsal) -> list[str]:
    """The steps of the newest operation."""
    return [step["title"] for step in play.shown(play.journal()[0]["operation"])["steps"]]


@supervisor
def test_a_diverged_server_is_overwritten_after_its_tail_is_kept(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(lab(supervised=supervised, performance_schema=True)) as play:
        play.begin()
        can_clone(play)
        alone_on(play, "db3", "CREATE TABLE app.only_here (n INT)")
        code, refused, _ = play.command("rejoin", "shop", "db3", "--clone", "--yes")
        assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["diverged"])
        code, told, said = play.command("rejoin", "shop", "db3", "--clone", "--discard-errant", "--yes")
        assert (code, told["outcome"]) == (0, "done"), said
        steps = [step["title"] for step in told["steps"]]
        assert "overwrite db3 with the data of db2" in steps
        ((own,),) = play.lab.sql("db3", "SELECT @@server_uuid")
        kept = [path.read_text() for path in Path(play.lab.folder).glob("*/state/divergence/*/manifest.json")]
        assert any(f"{own}:1" in text for text in kept), "by this operation or an earlier one"
        attached(play, "db3", "db1")
        assert play.lab.sql("db3", "SHOW TABLES FROM app LIKE 'only_here'") == ()
        assert play.lab.sql("db3", "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode") == ((1, 0),)
        assert play.lab.sql("db3", "SELECT @@server_uuid") != play.lab.sql("db2", "SELECT @@server_uuid")
        eventually(lambda: errant(play)[0], lambda found: found == 0, "nobody with errant transactions")
        play.settled("db1", ("db2", "db3"))


CLONE = ("rejoin", "shop", "db3", "--clone", "--discard-errant", "--yes")


@contextmanager
def under_way(play: Rehearsal) -> Iterator[list[tuple[int, dict[str, Any], str]]]:
    """A clone of db3 that a person has asked for, slow enough to break something meanwhile; its answer at the end."""
    found: list[tuple[int, dict[str, Any], str]] = []
    eventually(lambda: answers(play, "db3"), bool, "an answer of db3")
    play.lab.sql("db3", "SET GLOBAL clone_max_data_bandwidth = 4")
    waiting = threading.Thread(target=lambda: found.append(play.command(*CLONE)))
    waiting.start()
    try:
        eventually(lambda: copied(play), lambda size: size > 1_000_000, "a copy under way")
        yield found
    finally:
        waiting.join()


def copied(play: Rehearsal) -> int:
    """Bytes that db3 has got so far."""
    try:
        ((size,),) = play.lab.sql("db3", "SELECT COALESCE(SUM(DATA), 0) FROM performance_schema.clone_progress")
    except ServerError:
        return 0
    return int(str(size))


def test_half_a_copy_is_nobodys_replica_and_a_dead_managers_clone_is_made_by_the_next(lab: LabFactory) -> None:
    with rehearsal(lab(supervised=True, performance_schema=True)) as play:
        play.begin()
        can_clone(play)
        alone_on(play, "db3", "CREATE TABLE app.only_here (n INT)")
        with under_way(play) as found:
            play.lab.fault.kill("db3")
        ((code, told, said),) = found
        assert (code, told["outcome"]) == (1, "failed"), said
        eventually(lambda: answers(play, "db3"), bool, "an answer of db3")
        assert play.lab.sql("db3", "SELECT @@GLOBAL.gtid_executed, @@GLOBAL.super_read_only") == (("", 1),)
        play.managers.wait_for(
            "half a copy",
            lambda s: s["verdict"] == "healthy" and "half of a copy" in str(s["servers"]),
            PATIENCE,
        )
        code, refused, _ = play.command("rejoin", "shop", "db3", "--yes")
        assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["half-cloned"])
        with under_way(play):
            play.managers.kill(str(play.managers.status()["active_manager"]))
        attached(play, "db3", "db1")
        eventually(lambda: play.managers.status().get("operation", ""), lambda open_: open_ is None, "no operation")
        assert play.lab.sql("db3", "SHOW TABLES FROM app LIKE 'only_here'") == ()
        assert play.lab.sql("db3", "SELECT @@GLOBAL.super_read_only, @@GLOBAL.offline_mode") == ((1, 0),)
        play.settled("db1", ("db2", "db3"))


def test_the_policy_clones_an_old_primary_with_a_lost_tail(lab: LabFactory) -> None:
    settings = {"clusters": {"shop": {"failover": {"max_loss": 100000}, "rejoin": "clone"}}}
    with rehearsal(lab(supervised=True, performance_schema=True, settings=settings)) as play:
        play.begin()
        assert lacking(play) == {name: {"clone-plugin", "missing-grant"} for name in play.lab.servers}
        can_clone(play)
        assert lacking(play) == {}
        play.deaf("db2", "db3")
        play.writer.pause()
        hang_up(play, "db1")
        play.lab.fault.link("db1", up=False)
        eventually(lambda: play.logged("operation ended"), bool, "the end of the failover")
        play.writer.resume()
        play.go_on()
        elect = str(play.operations()[0]["new_primary"])
        play.lab.fault.link("db1", up=True)
        eventually(lambda: operations(play)[0], lambda o: o == ("rejoin", "done"), "the clone")
        attached(play, "db1", elect)
        titles = [step["title"] for one in play.journal() for step in play.shown(one["operation"])["steps"]]
        assert any(title.startswith("overwrite db1 with the data of") for title in titles)
        assert any(title.startswith("keep") and "only db1 has" in title for title in titles)
