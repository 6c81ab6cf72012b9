"""Failover by hand: shown beforehand, refused while the primary lives, done by the active manager or by the command."""

from __future__ import annotations

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    NOTHING_LOST,
    PATIENCE,
    ROW,
    Rehearsal,
    ends_of,
    in_contracts_shape,
    rehearsal,
    saved_count,
    writable,
)

BY_HAND: dict[str, object] = {"clusters": {"shop": {"failover": {"automatic": False}}}}


def agreed(play: Rehearsal, document: dict[str, object]) -> None:
    """What every failover that a person asked for ends with, told by the command's own document and by the servers."""
    in_contracts_shape(document)
    (listed,) = play.operations()
    assert {key: listed[key] for key in ("operation", "outcome", "new_primary", "lost")} == {
        key: document[key] for key in ("operation", "outcome", "new_primary", "lost")
    }
    elect = str(document["new_primary"])
    (other,) = set(play.replicas()) - {elect}
    play.settled(elect, (other,))
    assert document["lost"] == NOTHING_LOST
    assert saved_count(document) >= 50
    assert ends_of(document)[other] == (True, None)


def test_a_living_primary_is_left_to_a_switchover(lab: LabFactory) -> None:
    with rehearsal(lab(), patience=ROW) as play:
        play.begin()
        code, document, _ = play.command("failover", "shop", "--yes")
        assert (code, document["outcome"]) == (1, "refused")
        sentences = {refusal["id"]: refusal["sentence"] for refusal in document["refusals"]}
        assert "switchover" in sentences["primary-alive"]
        told = play.managers.command("failover", "shop", "--yes")
        assert (told.returncode, "switchover" in told.stderr) == (1, True), told
        play.quiet()
        account = play.writer.stop()
        assert {ack.server for ack in account.acks} == {"db1"}
        assert not account.errors, "the client noticed nothing"


def test_the_active_manager_does_what_a_person_asks(lab: LabFactory) -> None:
    with rehearsal(lab(settings=BY_HAND)) as play:
        play.begin()
        play.deaf("db2", "db3")
        play.kill_primary()
        play.managers.wait_for("a dead primary", lambda s: s["verdict"] == "primary-dead", PATIENCE)
        before = play.untouched()

        code, plan, _ = play.command("failover", "shop", "--dry-run")
        assert (code, plan["old_primary"], plan["refusals"]) == (0, "db1", [])
        assert plan["new_primary"] in {"db2", "db3"}
        assert {"PROMOTE", "FENCE"} <= {step["stage"] for group in plan["groups"] for step in group["steps"]}
        code, refused, _ = play.command("failover", "shop")
        assert code == 2, "without a terminal it needs --yes"
        assert "--yes" in refused["error"]["hint"]
        assert (play.operations(), play.untouched(), writable(play.lab)) == ([], before, ())

        code, document, said = play.command("failover", "shop", "--yes", "--reason", "the disk is gone")
        assert (code, document["outcome"]) == (0, "done"), document
        assert (document["requested_by"]["kind"], document["requested_by"]["reason"]) == ("person", "the disk is gone")
        assert "active manager" in said
        agreed(play, document)


def test_a_person_needs_no_manager(lab: LabFactory) -> None:
    with rehearsal(lab(settings=BY_HAND)) as play:
        status = play.begin()
        play.managers.stop()
        play.deaf("db2", "db3")
        play.kill_primary()
        code, document, _ = play.command("failover", "shop", "--yes", "--to", "db3")
        assert (code, document["outcome"]) == (0, "done"), document
        assert document["new_primary"] == "db3"
        assert document["epoch"] > status["epoch"]
        agreed(play, document)
        code, told, _ = play.command("status")
        assert (code, told["clusters"][0]["active_manager"], told["clusters"][0]["primary"]) == (1, None, "db3")
