"""The source dies in the middle of a big transaction: what was received of it is out of the way within seconds.

Remedies: the step `EndPartial` on the elect, `Repoint` with the applier running on the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from failoverd.lab import Lab
from failoverd.model.errors import ServerError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, executed, inside, rehearsal, replication

# A transaction of some 30 MB: 500 rows of 60 KB each.
BIG = (
    "CREATE TABLE app.big (id INT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB);"
    "INSERT INTO app.big (body) VALUES (REPEAT('x', 60000));"
    + "INSERT INTO app.big (body) SELECT body FROM app.big;"
    * 9
)
UPDATE = "UPDATE app.big SET body = CONCAT(body, 'y')"
QUEUEING = "SELECT QUEUEING_TRANSACTION FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''"
# Held up by nothing but itself; the bound says out of the way in 3 s, the rest is the failover around it.
LIMIT = 3.0


def killed_in_the_middle(play: Rehearsal, kill: Callable[[], object]) -> dict[str, str]:
    """The end of the primary while it sends the transaction; what each replica has received in part."""
    lab = play.lab
    lab.sql(play.primary, BIG, deadline=60.0)
    wanted = executed(lab, play.primary)
    for server in play.replicas():
        eventually(lambda server=server: inside(lab, server, wanted), bool, f"{server} with the table")  # type: ignore[misc]
        # On a good line the last megabytes may stand in the dead one's packets, and the transaction be whole after all.
        lab.fault.loss(play.primary, server, 20, one_way=True)

    def big() -> None:
        with contextlib.suppress(ServerError):
            lab.sql(play.primary, UPDATE, deadline=60.0)

    writing = threading.Thread(target=big)
    writing.start()
    found = eventually(lambda: [half(lab, server) for server in play.replicas()], all, "the transaction under way")
    kill()
    writing.join()
    return dict(zip(play.replicas(), found, strict=True))


def half(lab: Lab, server: str) -> str:
    """What that server has received in part."""
    return str(lab.sql(server, QUEUEING)[0][0])


def step(shown: Mapping[str, Any], words: str) -> Mapping[str, Any]:
    """The step with these words in its title."""
    (found,) = (s for s in shown["steps"] if words in s["title"])
    return dict(found)


def out_of_the_way(play: Rehearsal, shown: Mapping[str, Any]) -> None:
    """On the elect and on the other one, in time, with all locks free and no error left."""
    elect = shown["new_primary"]
    (other,) = set(play.replicas()) - {elect}
    assert step(shown, "half-received")["seconds"] < LIMIT
    assert step(shown, f"let {other} follow")["seconds"] < LIMIT
    play.lab.sql(elect, "SET innodb_lock_wait_timeout = 1; UPDATE app.big SET body = 'free' WHERE id < 5")
    play.settled(elect, (other,))
    assert replication(play.lab, other)["Last_SQL_Errno"] == 0


@pytest.mark.parametrize("schema", [True, False], ids=["performance-schema", "without"])
def test_with_the_host_gone_it_is_given_up_in_three_seconds(lab: LabFactory, schema: bool) -> None:
    # The dead host has committed it, and a look in that moment knows so: then it is a known loss of one.
    allowed = {"clusters": {"shop": {"failover": {"max_loss": 1}}}}
    with rehearsal(lab(performance_schema=schema, settings=allowed)) as play:
        play.begin()
        play.writer.pause()
        cut = killed_in_the_middle(play, lambda: play.lab.fault.poweroff("db1"))
        play.writer.resume()
        shown = play.ended()
        assert between(shown, "decided", "writable") < LIMIT + 3, "2 s of it may be receivers that try to connect"
        out_of_the_way(play, shown)
        assert not inside(play.lab, shown["new_primary"], cut[shown["new_primary"]])
        assert shown["lost"]["at_least"]
        assert shown["lost"]["transactions"] <= 1


def test_with_the_log_readable_the_whole_of_it_is_saved(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        cut = killed_in_the_middle(play, play.kill_primary)
        shown = play.ended()
        out_of_the_way(play, shown)
        assert inside(play.lab, shown["new_primary"], cut[shown["new_primary"]])
        assert "db1" in {saved["from"] for saved in shown["saved"]}
        assert shown["lost"] == {"transactions": 0, "gtids": "", "at_least": False}


def between(shown: Mapping[str, Any], first: str, second: str) -> float:
    """Seconds between two stamps of an operation."""
    return (datetime.fromisoformat(shown[second]) - datetime.fromisoformat(shown[first])).total_seconds()
