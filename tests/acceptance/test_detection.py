"""A manager that cannot see the primary, or sees it in trouble, while it serves its client: nobody moves anything.

Each case ends with a client that was answered by the first primary alone and met no error at all. The client is more
patient here than in other tests, so that an error is the cluster's and not the machine's.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from failoverd.lab.writer import writer_for
from failoverd.model.errors import ServerError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, everywhere, rehearsal, writable

NOTICING = 10.0  # seconds that one attempt of the client may take


@contextmanager
def served(lab: LabFactory, patience: float = NOTICING, **options: Any) -> Iterator[Rehearsal]:
    """A cluster under two managers; at the end its client has noticed nothing and no operation was begun."""
    with rehearsal(lab(**options)) as play:
        play.writer = writer_for(play.lab, patience=patience)
        play.begin()
        yield play
        play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy", PATIENCE)
        play.quiet(1)
        account = play.writer.stop()
        assert {ack.server for ack in account.acks} == {"db1"}
        assert not account.errors, "the client noticed nothing"


def goes_on(play: Rehearsal, what: str, holds: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    """The status says so, the client is served meanwhile, and then everything is as before."""
    told = play.managers.wait_for(what, holds, PATIENCE)
    play.go_on(60)
    play.lab.fault.heal()
    return told


def healthy(play: Rehearsal) -> Mapping[str, Any]:
    """The cluster has come to rest."""
    return play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy", PATIENCE)


def by_rule(name: str) -> Callable[[Mapping[str, Any]], bool]:
    """A status whose verdict comes of this rule."""
    return lambda status: status["rule"] == name


def test_links_of_the_manager(lab: LabFactory) -> None:
    with served(lab) as play:
        status = play.managers.status()
        active, (standby,) = str(status["active_manager"]), status["standby_managers"]
        play.lab.fault.cut(active, "db1")
        told = goes_on(play, "a veto with the link cut both ways", by_rule("vetoed"))
        assert {e["what"] for e in told["evidence"]} >= {"alive", "misses"}
        healthy(play)
        play.lab.fault.cut("db1", active, one_way=True)
        goes_on(play, "a veto with the answers cut", by_rule("vetoed"))
        healthy(play)
        for server in play.lab.servers:
            play.lab.fault.cut(active, server)
        told = play.managers.wait_for("a veto by the standby", by_rule("vetoed"), PATIENCE)
        assert f"standby {standby}" in {e["route"] for e in told["evidence"]}
        for server in play.lab.servers:
            play.lab.fault.cut(standby, server)
        told = goes_on(play, "blindness", by_rule("no-second-route"))
        assert told["verdict"] == "blind"
        healthy(play)
        play.lab.fault.loss(active, "db1", 30)
        play.go_on(300)
        play.lab.fault.heal()


def test_only_a_standby_and_the_clients_still_reach_the_primary(lab: LabFactory) -> None:
    """The active manager and both replicas are cut off from it: their word alone would be a failover."""
    with served(lab) as play:
        status = play.managers.status()
        active, (standby,) = str(status["active_manager"]), status["standby_managers"]
        for other in (active, *play.replicas()):
            play.lab.fault.cut(other, "db1")

        def kept_still(told: Mapping[str, Any]) -> bool:
            spoken = {(e["what"], e["route"].split()[0]) for e in told["evidence"]}
            # of two receivers that are cut off, one may have heard from the primary a look later than the other
            alone = {route for what, route in spoken if what == "alive"} == {"standby"}
            return told["rule"] == "vetoed" and alone and ("silent", "receiver") in spoken

        told = play.managers.wait_for("a veto by the standby alone", kept_still, PATIENCE)
        assert f"standby {standby}" in {e["route"] for e in told["evidence"]}
        play.go_on(300)
        play.lab.fault.heal()


def test_a_slow_and_lossy_way_to_the_primary(lab: LabFactory) -> None:
    """Loss of 30 % and 40 to 80 ms each way between the primary and both managers."""
    with served(lab, switch=True) as play:
        for manager in ("mgr1", "mgr2"):
            play.lab.fault.slow(manager, "db1", 60, jitter=20)
            play.lab.fault.loss(manager, "db1", 30)
        play.go_on(400)
        play.lab.fault.heal()


def test_zookeeper_and_replicas_away(lab: LabFactory) -> None:
    with served(lab) as play:
        play.lab.fault.kill("zk1")
        play.managers.wait_for("lost coordination", lambda s: s["coordination"] != "ok", PATIENCE)
        play.go_on(100)
        assert writable(play.lab) == ("db1",)
        play.lab.fault.start("zk1")
        play.managers.wait_for(
            "a healthy cluster", lambda s: s["active_manager"] and s["coordination"] == "ok", PATIENCE
        )
        for replica in play.replicas():
            play.lab.fault.kill(replica)
        told = goes_on(play, "replicas that are down", lambda s: "nobody-follows" in problems_of(s, "db1"))
        assert told["verdict"] == "healthy"
        for replica in play.replicas():
            play.lab.start_mysqld(replica)
        play.managers.wait_for("replicas that follow", lambda s: not problems_of(s, "db1"), PATIENCE)


def test_doors_that_are_full_or_locked(lab: LabFactory) -> None:
    with served(lab) as play:
        ours = {server: sessions(play, server) for server in play.lab.servers}
        play.lab.fault.exhaust_connections("db1")
        end(play, "db1", ours["db1"])  # one of them gets in again, by its right to the last connection; not both
        play.go_on(150)
        assert play.operations() == []
        play.lab.fault.heal()
        healthy(play)
        password = play.lab.password("failoverd")
        play.lab.sql("db1", "ALTER USER failoverd IDENTIFIED BY 'of somebody else'")
        everywhere(play)
        for server in play.lab.servers:
            end(play, server, sessions(play, server))
        goes_on(play, "a refused login", by_rule("login-refused"))
        play.lab.sql("db1", f"ALTER USER failoverd IDENTIFIED BY '{password}'")


def problems_of(status: Mapping[str, Any], server: str) -> set[str]:
    """What is wrong with one server, by ids."""
    (found,) = (s for s in status["servers"] if s["name"] == server)
    return {problem["id"] for problem in found["problems"]}


def sessions(play: Rehearsal, server: str) -> list[int]:
    """The managers' sessions on a server."""
    listed = play.lab.sql(server, "SELECT ID FROM information_schema.processlist WHERE USER = 'failoverd'")
    return [int(str(number)) for (number,) in listed]


def end(play: Rehearsal, server: str, numbers: list[int]) -> None:
    """End these sessions: whoever had them has to log in again."""
    for number in numbers:
        with contextlib.suppress(ServerError):  # it may have ended meanwhile
            play.lab.sql(server, f"KILL {number}")


def test_restarts_that_are_waited_for(lab: LabFactory) -> None:
    """A crash within `crash_grace` and an orderly stop within `shutdown_grace`: the client meets the restart alone."""
    detection = {"crash_grace": "40s", "shutdown_grace": "40s"}
    with rehearsal(lab(supervised=True, settings={"clusters": {"shop": {"detection": detection}}})) as play:
        play.begin()
        for number, way in enumerate((signal.SIGKILL, signal.SIGTERM), start=1):
            os.kill(play.lab.mysqld_pid("db1"), way)
            eventually(play.operations, lambda found, number=number: len(found) == number, "an operation")  # type: ignore[misc]
            eventually(play.operations, lambda found: found[0]["ended"] is not None, "its end")
            assert (play.operations()[0]["kind"], play.operations()[0]["outcome"]) == ("reopen", "done")
            healthy(play)
            play.go_on(30)
        account = play.settled("db1", play.replicas())
        assert {ack.server for ack in account.acks} == {"db1"}
