"""ZooKeeper is away, comes back, is empty, is edited by hand: databases run on, nobody acts on a guess, and what was
begun is ended.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kazoo.client import KazooClient

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import SETTINGS, Interrupted
from tests.acceptance.rehearsal import MANAGERS, PATIENCE, Rehearsal, eventually, rehearsal, writable
from tests.acceptance.test_resume import elect_of, ended_as, interrupted, next_one


@contextmanager
def entries(lab: Lab) -> Iterator[Any]:
    """ZooKeeper's entries as anybody with a client of its own may change them."""
    client = KazooClient(f"{lab.hosts['zk1'].address}:2181")
    client.start(timeout=PATIENCE)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def says(play: Rehearsal, coordination: str) -> None:
    """Every manager writes on its own host how it stands with ZooKeeper."""
    for name in MANAGERS:
        eventually(
            lambda name=name: play.managers.kept(name).get("coordination"),  # type: ignore[misc]
            lambda word: word == coordination,
            f"{name} with coordination {coordination}",
        )


def on_the_host(play: Rehearsal, name: str, *words: str) -> tuple[int, str, str]:
    """A command on a manager's host: its exit code, its document, what it said."""
    lab = play.lab
    answer = lab.call_in(name, lab.manager_argv(name, *words), deadline=60.0)
    return answer.returncode, answer.stdout, answer.stderr


def test_without_zookeeper_everybody_watches_and_nobody_acts(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        epoch = play.begin()["epoch"]
        play.lab.fault.kill("zk1")
        says(play, "lost")
        play.go_on()
        code, told, _ = on_the_host(play, "mgr1", "status", "--json")
        (cluster,) = json.loads(told)["clusters"]
        assert (code, cluster["coordination"], cluster["active_manager"]) == (1, "lost", None)
        assert (cluster["primary"], {s["reachable"] for s in cluster["servers"]}) == ("db1", {True})
        play.kill_primary()
        for name in MANAGERS:
            eventually(
                lambda name=name: play.managers.kept(name).get("verdict"),  # type: ignore[misc]
                lambda verdict: verdict == "primary-dead",
                f"the verdict of {name}",
            )
        assert writable(play.lab) == ()
        assert play.logged("operation opened") == []
        play.lab.fault.start("zk1")
        shown = play.ended()
        elect = str(shown["new_primary"])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
        assert shown["epoch"] > epoch
        says(play, "ok")


def test_what_zookeeper_interrupts_is_read_from_the_copy_and_ended_when_it_is_back(lab: LabFactory) -> None:
    with interrupted(lab, "after:StopReceiver") as rounds:
        play = rounds.play
        name = play.operations()[0]["operation"]
        play.lab.fault.kill("zk1")
        for manager in MANAGERS:
            play.managers.kill(manager, signal.SIGCONT)
        says(play, "lost")
        assert writable(play.lab) == ()
        code, told, said = on_the_host(play, "mgr1", "ops", "show", name, "--json")
        shown = json.loads(told)
        assert (code, shown["copied"], shown["ended"]) == (0, True, None)
        assert [entry["kind"] for entry in shown["entries"]][:1] == ["intent"]
        assert "this host holds copies" in said
        code, _, said = on_the_host(play, "mgr2", "ops", "show", name)
        assert (code, "away" in said) == (1, True), said
        play.lab.fault.start("zk1")
        eventually(lambda: play.operations()[0]["outcome"], lambda outcome: outcome == "done", "the end")
        elect = str(play.operations()[0]["new_primary"])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def test_a_zookeeper_that_lost_everything_is_adopted_by_a_person(lab: LabFactory) -> None:
    with rehearsal(lab(settings=SETTINGS)) as play:
        play.begin()
        play.kill_primary()
        first = play.ended()
        elect = str(first["new_primary"])
        rounds = Interrupted(play)
        rounds.restore("db1", elect, int(first["epoch"]))
        play.lab.fault.kill("zk1")
        play.lab.call_in("zk1", ["rm", "-rf", f"{play.lab.hosts['zk1'].disk}/zookeeper/version-2"])
        play.lab.fault.start("zk1")
        eventually(lambda: play.logged("nobody acts"), bool, "a word that nobody acts")
        play.go_on()
        assert play.operations() == []
        code, _, said = on_the_host(play, "mgr1", "init", "shop", "--yes")
        assert (code, "--adopt" in said) == (1, True)
        code, told, said = on_the_host(play, "mgr1", "init", "shop", "--adopt", "--yes", "--json")
        assert code == 0, said
        assert json.loads(told)["epoch"] > first["epoch"]
        play.managers.wait_for(f"{elect} on record", lambda s: s["primary"] == elect and s["epoch"] > first["epoch"])
        play.go_on()
        play.lab.fault.kill(elect)
        eventually(play.operations, bool, "the second failover")
        shown = rounds.whole()
        assert shown["epoch"] > first["epoch"]


def test_a_lock_entry_deleted_by_hand_ends_that_managers_part(lab: LabFactory) -> None:
    with interrupted(lab, "after:StopReceiver") as rounds:
        play = rounds.play
        with entries(play.lab) as client:
            line = client.get_children("/failoverd/shop/lock")
            for entry in line:
                if json.loads(client.get(f"/failoverd/shop/lock/{entry}")[0])["manager"] == "mgr1":
                    client.delete(f"/failoverd/shop/lock/{entry}")
        play.managers.kill("mgr1", signal.SIGCONT)
        eventually(lambda: play.logged("this manager was deposed", "mgr1"), bool, "mgr1's own word")
        play.managers.kill("mgr2", signal.SIGCONT)
        eventually(lambda: play.operations()[0]["outcome"], lambda outcome: outcome == "done", "the end")
        elect = str(play.operations()[0]["new_primary"])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def test_a_record_that_cannot_be_understood_is_refused_by_name(lab: LabFactory) -> None:
    with interrupted(lab, "after:promote-intent") as rounds:
        play = rounds.play
        elect, name = elect_of(play), play.operations()[0]["operation"]
        place = f"/failoverd/shop/ops/{name}/entries"
        with entries(play.lab) as client:
            last = f"{place}/{max(client.get_children(place))}"
            whole = bytes(client.get(last)[0])
            client.set(last, whole[: len(whole) // 2])
            next_one(play)
            refused(play, "cannot be read")
            client.set(last, json.dumps({**json.loads(whole), "v": 99}).encode())
            refused(play, "has shape 99")
            answer = play.managers.command("ops", "resume", "--yes")
            assert answer.returncode == 1, answer
            assert writable(play.lab) == ()
            client.set(last, whole)
        ended_as(play, [("failover", "done", elect)])
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))


def refused(play: Rehearsal, why: str) -> None:
    """The status names what stands in the way."""
    eventually(
        lambda: str((play.managers.kept("mgr2").get("operation") or {}).get("problem", "")),
        lambda problem: why in problem,
        f"the problem {why!r}",
    )
