"""Planned changes of the primary on real servers: nothing lost, there and back, undone in time, died in the middle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab import Lab
from failoverd.lab.compare import compare
from failoverd.lab.writer import TABLE, writer_for
from failoverd.model.sight import Endpoint
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    Rehearsal,
    ends_of,
    eventually,
    executed,
    follows,
    in_contracts_shape,
    rehearsal,
    writable,
)

# A session of anybody with every privilege passes read_only and offline_mode; super_read_only stops it.
EVERYTHING = "GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION"


def asked(play: Rehearsal, *words: str) -> tuple[int, dict[str, Any]]:
    """A switchover as a person asks for it: exit code and document."""
    code, document, said = play.command("switchover", "shop", "--yes", *words)
    assert "outcome" in document, (document, said)
    return code, document


def switched(play: Rehearsal, *words: str) -> dict[str, Any]:
    """One that is done; the rehearsal goes on with the new primary."""
    code, document = asked(play, *words)
    assert (code, document["outcome"], document["findings"]) == (0, "done", []), document
    in_contracts_shape(document)
    assert set(ends_of(document).values()) == {(True, None)}
    play.primary = document["new_primary"]
    return document


def nothing_lost(play: Rehearsal) -> None:
    """One server takes writes, the others follow it, and all have exactly what the client was promised."""
    play.go_on(30)
    account = play.writer.stop()
    assert writable(play.lab) == (play.primary,)
    follows(play.lab, play.primary, play.replicas())
    for server in play.lab.servers:
        assert compare(play.lab, server, account).clean, server
        assert play.lab.sql(server, "SELECT @@offline_mode") == ((0,),)
    assert account.acks[-1].server == play.primary


def nobody_alone_holds_anything(play: Rehearsal) -> None:
    """No server has executed a transaction that the primary has not."""
    everything = executed(play.lab, play.primary)
    for server in play.replicas():
        held = executed(play.lab, server)
        assert play.lab.sql(server, f"SELECT GTID_SUBTRACT('{held}', '{everything}')") == (("",),)


@pytest.mark.timeout(300)
def test_there_and_back_ten_times_under_a_busy_client_with_every_privilege(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.writer = writer_for(play.lab, every=0.002)
        play.lab.sql("db1", TABLE)
        play.lab.sql("db1", EVERYTHING)
        play.begin()
        assert switched(play)["new_primary"] == "db2"
        for primary in ("db1", "db2") * 4:
            play.go_on(20)
            assert switched(play, "--revert")["new_primary"] == primary
        shown = switched(play, "--to", "db3")
        assert shown["old_primary"] == "db2"
        assert 0 < shown["outage_seconds"] < 2
        assert shown["fenced"] is None
        nothing_lost(play)
        nobody_alone_holds_anything(play)


def test_lossless_with_a_single_replica_and_no_manager(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=1, lossless=True)) as play:
        play.begin(("mgr1",))
        acknowledged = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'"
        eventually(lambda: play.lab.sql("db1", acknowledged), lambda rows: rows[0][1] == "1", "an acknowledger")
        eventually(lambda: play.managers.status()["verdict"], lambda v: v == "healthy", "health")
        play.managers.stop()
        switched(play)
        assert play.lab.sql("db2", acknowledged)[0][1] == "1"
        assert play.lab.sql("db1", "SELECT @@rpl_semi_sync_source_enabled") == ((0,),)
        switched(play, "--revert")
        nothing_lost(play)


@contextmanager
def open_transaction(lab: Lab, server: str) -> Iterator[ApplicationSession]:
    """A client that has written something and does not commit."""
    session = ApplicationSession(Endpoint(lab.hosts[server].address, 3306), "app", lab.password("app"), "app", 5.0)
    session.execute("BEGIN")
    session.execute("INSERT INTO app.numbered VALUES (%s, 0, 'open')", 10**9)
    try:
        yield session
    finally:
        session.close()


def test_a_long_transaction_is_waited_for_and_then_everything_is_as_before(lab: LabFactory) -> None:
    budget, attempts = 0.5, 2
    policy = {"clusters": {"shop": {"switchover": {"freeze_budget": "500ms", "attempts": attempts}}}}
    with rehearsal(lab(settings=policy)) as play:
        play.begin()
        with open_transaction(play.lab, "db1") as session:
            code, document = asked(play)
            assert (code, document["outcome"], document["new_primary"]) == (3, "undone", None), document
            closings = [step for step in document["steps"] if step["title"] == "close db1 for writes"]
            assert [step["outcome"] for step in closings] == ["failed"] * attempts
            assert all(step["seconds"] >= budget for step in closings)
            assert "has a transaction open that changed 1 rows" in closings[0]["detail"]
            session.execute("COMMIT")
        assert not play.writer.account.errors, "the client noticed nothing"
        play.lab.sql("db1", f"DELETE FROM app.numbered WHERE n = {10**9}")
        switched(play)
        nothing_lost(play)


def test_a_long_transaction_is_ended_where_the_policy_says_so(lab: LabFactory) -> None:
    policy = {"clusters": {"shop": {"switchover": {"long_transactions": "kill-after 300ms"}}}}
    with rehearsal(lab(settings=policy)) as play:
        play.begin()
        with open_transaction(play.lab, "db1"):
            document = switched(play)
        (closing,) = (step for step in document["steps"] if step["title"] == "close db1 for writes")
        assert "ended session" in closing["detail"]
        nothing_lost(play)


def test_a_prepared_transaction_is_never_left_behind(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        xa = "XA START 'x'; INSERT INTO app.numbered VALUES (1000000000, 0, 'xa'); XA END 'x'; XA PREPARE 'x'"
        play.lab.sql("db1", xa)
        code, document, said = play.command("switchover", "shop", "--dry-run")
        assert code == 0, said
        with pytest.raises(AssertionError, match="did not come"):
            eventually(play.operations, lambda found: found != [], "an operation", seconds=0.1)
        assert document["new_primary"] == "db2"
        play.lab.sql("db1", "XA ROLLBACK 'x'")
        switched(play)
        nothing_lost(play)


def test_a_dead_primary_is_left_to_a_failover(lab: LabFactory) -> None:
    by_hand = {"clusters": {"shop": {"failover": {"automatic": False}}}}
    with rehearsal(lab(settings=by_hand)) as play:
        play.begin()
        play.kill_primary()
        time.sleep(0.2)
        code, document, _ = play.command("switchover", "shop", "--yes")
        assert (code, document["outcome"]) == (1, "refused")
        (refusal,) = (r for r in document["refusals"] if r["id"] == "primary-dead")
        assert "use failover" in refusal["sentence"]
        assert play.operations() == []
