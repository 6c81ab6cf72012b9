"""Relay logs in trouble: simulated servers do what real ones do."""

from __future__ import annotations

import pytest

from failoverd.gtid import GtidSet
from failoverd.model.sight import Channel, ServerState, Thread
from failoverd.ports import ClaimedServer
from tests.contract.mysql.troubles import RealTroubles, SimulatedTroubles, Troubles
from tests.contract.mysql.worlds import CLUSTER, NAMES, within
from tests.fakes.coordination import FakeLease
from tests.simulation.worlds import SimulatedServers

LONG = 10.0


@pytest.fixture(params=["real", "simulated"])
def troubles(request: pytest.FixtureRequest) -> Troubles:
    if request.param == "simulated":
        return SimulatedTroubles(SimulatedServers(CLUSTER, NAMES))
    return RealTroubles(request.getfixturevalue("real"))


def claim(troubles: Troubles, server: str) -> ClaimedServer:
    """That server, claimed."""
    return troubles.world.servers().claim(CLUSTER, server, FakeLease(5), LONG)


def main(state: ServerState) -> Channel:
    """Its default channel."""
    assert state.main is not None
    return state.main


def behind(troubles: Troubles, server: str) -> ClaimedServer:
    """A claim of it with three transactions in its relay log that its stopped applier has not executed."""
    claimed = claim(troubles, server)
    troubles.world.stop_applier(server)
    troubles.world.write("db1", 3)
    within(LONG, lambda: len(claimed.read().unapplied) == 3, "the receiver got it")
    return claimed


def test_what_was_received_in_part_is_named_and_neither_received_nor_executed(troubles: Troubles) -> None:
    name = GtidSet.parse(troubles.half_receive("db2"))
    claimed = claim(troubles, "db2")
    within(LONG, lambda: main(claimed.read()).receiver is Thread.CONNECTING, "it tries to connect")
    state = claimed.read()
    assert GtidSet.parse(main(state).queueing) == name
    assert not name <= state.holds
    assert claimed.kill_partial() == 0, "while the receiver runs, the rest may come"
    claimed.forget_source()


def test_it_is_named_until_another_source_speaks_and_its_worker_is_ended_once(troubles: Troubles) -> None:
    name = troubles.half_receive("db2")
    claimed = claim(troubles, "db2")
    claimed.stop_receiver(LONG)
    assert main(claimed.read()).queueing == name
    ended = claimed.kill_partial()
    assert ended <= 1
    assert claimed.kill_partial() == 0
    if ended:
        within(LONG, lambda: main(claimed.read()).applier is Thread.NO, "the applier stopped with it")


def test_it_comes_as_a_whole_when_its_source_is_back(troubles: Troubles) -> None:
    name = GtidSet.parse(troubles.half_receive("db2"))
    claimed = claim(troubles, "db2")
    troubles.start("db1")
    within(30, lambda: name <= claimed.read().executed, "the whole of it")
    assert main(claimed.read()).queueing == ""


def test_an_applier_stops_at_what_it_cannot_read_and_the_receiver_goes_on(troubles: Troubles) -> None:
    claimed = behind(troubles, "db2")
    before = claimed.read()
    troubles.damage("db2")
    within(LONG, lambda: main(claimed.read()).applier_trouble.code != 0, "the error is told")
    state = claimed.read()
    assert main(state).applier_trouble.code in {13121, 13122}
    assert (main(state).applier, main(state).receiver) == (Thread.NO, Thread.YES)
    assert state.received == before.received, "a server counts what it cannot read"
    assert state.executed == before.executed


def test_what_cannot_be_read_is_fetched_again(troubles: Troubles) -> None:
    claimed = behind(troubles, "db2")
    troubles.damage("db2")
    within(LONG, lambda: main(claimed.read()).applier is Thread.NO, "the applier stopped")
    claimed.refetch(troubles.world.endpoint("db1"), troubles.world.executed("db1"))
    within(LONG, lambda: troubles.world.executed("db2") == troubles.world.executed("db1"), "it came again")
    assert main(claimed.read()).applier_trouble.code == 0


def test_a_forgetful_server_asks_for_what_it_had_again(troubles: Troubles) -> None:
    held = behind(troubles, "db2").read()
    troubles.restart_forgetful("db2")
    claimed = claim(troubles, "db2")
    state = claimed.read()
    assert state.executed == held.executed
    assert not held.unapplied <= state.received, "it knows of its files no more"
    assert state.settings.relay_log_recovery
    troubles.start("db1")
    within(30, lambda: held.unapplied <= claimed.read().executed, "it came again")
