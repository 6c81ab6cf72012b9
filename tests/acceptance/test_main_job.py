"""The main job on real servers: the primary dies, the most advanced replica takes over, and nothing is lost."""

from __future__ import annotations

from failoverd.lab.demo import parse
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    NOTHING_LOST,
    PATIENCE,
    ends_of,
    eventually,
    executed,
    follows,
    inside,
    prepared,
    rehearsal,
    saved_count,
    supervisor,
    writable,
)


@supervisor
def test_the_primary_is_killed(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        killed_at = play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        account = play.settled(elect, (other,))
        assert shown["old_primary"] == "db1"
        assert shown["lost"] == NOTHING_LOST
        assert shown["fenced"]["server"] == "db1"
        assert "UNFENCED" not in shown["fenced"]["how"]
        assert ends_of(shown)[other] == (True, None)
        assert shown["requested_by"]["kind"] == "automatic"
        assert {step["stage"] for step in shown["steps"]} >= {"CHECK", "FENCE", "FREEZE", "PROMOTE", "REPOINT"}
        assert parse(shown["detected"]) >= killed_at - 0.001
        assert {ack.server for ack in account.acks if ack.at > parse(shown["writable"])} == {elect}
        if supervised:
            play.managers.wait_for(
                "db1 as a replica",
                lambda told: ("db1", elect) in {(one["name"], one["source"]) for one in told["servers"]},
                PATIENCE,
            )
            follows(play.lab, elect, ("db1",))
            assert writable(play.lab) == (elect,), "who comes back is closed"


@supervisor
def test_what_no_replica_received_comes_from_the_dead_primarys_host(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, supervised=supervised)) as play:
        play.begin()
        play.deaf(*play.replicas())
        play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        play.settled(elect, (other,))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} == {"db1"}
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)[other] == (True, None)


@supervisor
def test_a_candidate_behind_its_peer_gets_the_rest(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(prepared(lab, never="db2", supervised=supervised)) as play:
        play.begin()
        play.deaf("db3")
        play.kill_primary()
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        play.settled("db3", ("db2",))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} <= {"db1", "db2"}
        assert shown["lost"] == NOTHING_LOST
        assert ends_of(shown)["db2"] == (True, None)


def test_with_the_primarys_host_off_the_peers_logs_give_the_rest(lab: LabFactory) -> None:
    with rehearsal(prepared(lab, never="db2", supervised=False)) as play:
        play.begin()
        play.deaf("db3")
        play.writer.pause()  # what nobody but the lost host holds cannot be given back: here nothing is
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db2", wanted), bool, "db2 with all that db1 has")
        play.lab.fault.poweroff("db1")
        play.writer.resume()
        shown = play.ended()
        assert shown["new_primary"] == "db3"
        play.settled("db3", ("db2",))
        assert saved_count(shown) >= 50
        assert {saved["from"] for saved in shown["saved"]} == {"db2"}
        assert shown["fenced"] == {"server": "db1", "how": "UNFENCED"}
        assert (shown["lost"]["transactions"], shown["lost"]["at_least"]) == (0, True)
