"""Replicas that nobody listed are reported by their source's name."""

from __future__ import annotations

from failoverd.decide.strangers import strangers
from failoverd.model.sight import Endpoint, Follower
from failoverd.observe.look import Interest, look
from tests.fakes.whole import Whole, uuid_of


def test_a_replica_that_is_not_listed_is_named_with_its_address() -> None:
    whole = Whole()
    snapshot = look(whole.manager().world.eyes, whole.policy, Interest())
    stranger = Follower(Endpoint("db9", 3306), "a-stranger")
    (finding,) = strangers(snapshot, whole.policy, {"db1": (Follower(Endpoint("", 0), uuid_of("db2")), stranger)})
    assert (finding.id, finding.server) == ("unlisted-replica", "db1")
    assert "db9:3306" in finding.sentence
    assert "a-stranger" in finding.sentence


def test_members_are_known_by_uuid_and_those_that_cannot_be_read_by_address() -> None:
    whole = Whole()
    whole.mysqlds["db3"].kill()
    snapshot = look(whole.manager().world.eyes, whole.policy, Interest())
    followers = (Follower(Endpoint("elsewhere", 1), uuid_of("db2")), Follower(Endpoint("db3", 3306), "renewed"))
    assert list(strangers(snapshot, whole.policy, {"db1": followers})) == []
