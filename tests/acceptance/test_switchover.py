"""Planned changes of the primary on real servers: nothing lost, there and back, undone in time, died in the middle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab import Lab
from failoverd.lab.compare import compare
from failoverd.lab.writer import TABLE, writer_for
from failoverd.model.sight import Endpoint
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import (
    ROW,
    Rehearsal,
    ends_of,
    eventually,
    executed,
    follows,
    in_contracts_shape,
    inside,
    rehearsal,
    replication,
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
def session_of(lab: Lab, server: str) -> Iterator[ApplicationSession]:
    """A session of the application on that server."""
    session = ApplicationSession(Endpoint(lab.hosts[server].address, 3306), "app", lab.password("app"), "app", 5.0)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def open_transaction(lab: Lab, server: str) -> Iterator[ApplicationSession]:
    """A client that has written something and does not commit."""
    with session_of(lab, server) as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO app.numbered VALUES (%s, 0, 'open')", 10**9)
        yield session


def test_a_long_transaction_is_waited_for_and_then_everything_is_as_before(lab: LabFactory) -> None:
    budget, attempts = 0.5, 2
    policy = {"clusters": {"shop": {"switchover": {"freeze_budget": "500ms", "attempts": attempts}}}}
    with rehearsal(lab(settings=policy), patience=ROW) as play:
        play.begin()
        with open_transaction(play.lab, "db1") as session:
            code, document = asked(play)
            assert (code, document["outcome"], document["new_primary"]) == (3, "undone", None), document
            closings = [step for step in document["steps"] if step["title"] == "close db1 for writes"]
            assert [step["outcome"] for step in closings] == ["failed"] * attempts
            assert all(step["seconds"] >= budget for step in closings)
            assert "has a transaction open that changed 1 row" in closings[0]["detail"]
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


def test_with_abort_a_long_transaction_ends_it_at_once(lab: LabFactory) -> None:
    policy = {"clusters": {"shop": {"switchover": {"long_transactions": "abort"}}}}
    with rehearsal(lab(settings=policy), patience=ROW) as play:
        play.begin()
        with open_transaction(play.lab, "db1") as session:
            code, document = asked(play)
            assert (code, document["outcome"]) == (3, "undone"), document
            (closing,) = (step for step in document["steps"] if step["title"] == "close db1 for writes")
            assert "has a transaction open" in closing["detail"]
            session.execute("ROLLBACK")
        assert not play.writer.account.errors, "the client noticed nothing"
        nothing_lost(play)


def test_what_takes_effect_after_its_time_out_is_ended_and_never_takes_effect(lab: LabFactory) -> None:
    """Without performance_schema nobody sees who holds tables: closing waits behind them until our own limit."""
    policy = {"clusters": {"shop": {"switchover": {"freeze_budget": "500ms", "attempts": 1}}}}
    with rehearsal(lab(settings=policy)) as play:
        play.begin()
        play.lab.sql("db1", "CREATE TABLE app.held (n INT PRIMARY KEY)")
        with session_of(play.lab, "db1") as holder:
            holder.execute("LOCK TABLES app.held WRITE")
            code, document = asked(play)
            assert (code, document["outcome"]) == (3, "undone"), document
            (closing,) = (step for step in document["steps"] if step["title"] == "close db1 for writes")
            assert closing["outcome"] == "failed"
            waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SET GLOBAL super%'"
            eventually(lambda: play.lab.sql("db1", waiting), lambda rows: rows == ((0,),), "the end of that statement")
        play.go_on(100)
        assert writable(play.lab) == ("db1",)
        switched(play)
        nothing_lost(play)


# A replica of a replica stays one, whoever becomes the primary.
FOLLOW = """STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT=3306, SOURCE_USER='repl',
 SOURCE_PASSWORD='{password}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"""
EVENTS = "GRANT EVENT ON *.* TO failoverd@'%'; CREATE EVENT app.tidies ON SCHEDULE EVERY 1 HOUR DO DO 1"


def test_at_a_time_with_a_chain_that_stays_and_events_that_are_named(lab: LabFactory) -> None:
    with rehearsal(lab(replicas=3)) as play:
        text = FOLLOW.format(host=play.lab.hosts["db3"].address, password=play.lab.password("repl"))
        play.lab.sql("db4", text)
        play.begin()
        play.lab.sql("db1", EVENTS)
        at = datetime.now(UTC) + timedelta(seconds=15)
        code, document = asked(play, "--to", "db2", "--at", at.isoformat(timespec="seconds"))
        assert (code, document["outcome"], document["new_primary"]) == (1, "done", "db2"), document
        assert datetime.fromisoformat(document["started"]) >= at.replace(microsecond=0)
        (finding,) = document["findings"]
        assert "event app.tidies stays disabled on db2: ALTER DEFINER=" in finding
        play.primary = "db2"
        play.go_on(30)
        follows(play.lab, "db2", ("db1", "db3"))
        chained(play)
        play.lab.sql("db2", finding.partition(": ")[2])
        enabled = "SELECT status FROM information_schema.events WHERE event_name = 'tidies'"
        assert play.lab.sql("db2", enabled) == (("ENABLED",),)


def chained(play: Rehearsal) -> None:
    """The last server still follows its own source, which has a source itself, and has all that the primary has."""
    wanted = executed(play.lab, play.primary)
    assert replication(play.lab, "db4")["Source_Host"] == play.lab.hosts["db3"].address
    eventually(lambda: inside(play.lab, "db4", wanted), bool, "everything at the end of the chain")
    roles = {server["name"]: server["role"] for server in play.managers.status()["servers"]}
    assert (roles["db2"], roles["db3"], roles["db4"]) == ("primary", "intermediate", "replica")


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
