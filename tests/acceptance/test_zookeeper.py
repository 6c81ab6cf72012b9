"""ZooKeeper is away, comes back, is empty, is edited by hand: databases run on, nobody acts on a guess, and what was
begun is ended.
"""

from __future__ import annotations

import json
import signal
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import SETTINGS, Interrupted
from tests.acceptance.rehearsal import (
    MANAGERS,
    NOTHING_LOST,
    PATIENCE,
    Rehearsal,
    eventually,
    rehearsal,
    writable,
)
from tests.acceptance.test_resume import elect_of, ended_as, interrupted, next_one

# Above what an ensemble takes to find a new leader on a busy machine.
LONG_SESSION = {"zookeeper": {"session_timeout": "4s"}}


@contextmanager
def entries(lab: Lab, account: str = "") -> Iterator[Any]:
    """ZooKeeper's entries as anybody, or this account, with a client of its own may change them."""
    auth = [("digest", account)] if account else None
    client = KazooClient(f"{lab.hosts['zk1'].address}:2181", auth_data=auth)
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


def test_an_ensemble_loses_its_leader_and_then_its_quorum(lab: LabFactory) -> None:
    """The loss of one member costs nobody the lock; without a quorum nobody acts, and afterwards everything goes on."""
    with rehearsal(lab(zookeepers=3, settings=LONG_SESSION)) as play:
        status = play.begin()
        members = members_of(play.lab)
        leader = leader_of(play.lab)
        play.lab.fault.kill(leader)
        play.kill_primary()
        shown = play.ended()
        assert (shown["epoch"], shown["lost"]) == (status["epoch"], NOTHING_LOST)
        left = next(name for name in members if name != leader)
        play.lab.fault.kill(left)
        says(play, "lost")
        elect = str(shown["new_primary"])
        eventually(lambda: play.writer.account.acks[-1].server, lambda server: server == elect, f"a row on {elect}")
        play.go_on()
        play.lab.fault.start(leader)
        says(play, "ok")
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
        assert len(play.operations()) == 1


def test_a_frozen_leader_of_the_ensemble_holds_no_failover_up_and_makes_no_second_actor(lab: LabFactory) -> None:
    with rehearsal(lab(zookeepers=3, settings=LONG_SESSION)) as play:
        status = play.begin()
        leader = leader_of(play.lab)
        play.lab.fault.stop(leader)
        play.kill_primary()
        shown = play.ended()
        elect = str(shown["new_primary"])
        assert shown["lost"] == NOTHING_LOST
        assert shown["epoch"] >= status["epoch"]
        assert writable(play.lab) == (elect,)
        play.lab.fault.cont(leader)
        says(play, "ok")
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
        assert len(play.operations()) == 1


def test_a_manager_far_from_zookeeper_steps_down_and_the_other_one_acts(lab: LabFactory) -> None:
    with rehearsal(lab(switch=True, settings=LONG_SESSION)) as play:
        status = play.begin()
        active, (standby,) = str(status["active_manager"]), status["standby_managers"]
        play.lab.fault.slow(active, "zk1", 2000)
        play.lab.fault.loss(active, "zk1", 20)
        eventually(
            lambda: play.managers.kept(standby).get("active_manager"),
            lambda name: name == standby,
            f"{standby} in place of {active}",
        )
        play.kill_primary()
        eventually(lambda: play.logged("operation ended", standby), bool, f"the failover by {standby}")
        assert not play.logged("operation ended", active)
        play.lab.fault.heal()
        says(play, "ok")
        shown = play.ended()
        elect = str(shown["new_primary"])
        assert (shown["lost"], shown["epoch"] > status["epoch"]) == (NOTHING_LOST, True)
        (other,) = {"db2", "db3"} - {elect}
        play.settled(elect, (other,))
        assert len(play.operations()) == 1


def members_of(lab: Lab) -> list[str]:
    """The hosts of ZooKeeper."""
    return [name for name in lab.hosts if name.startswith("zk")]


def leader_of(lab: Lab) -> str:
    """The member that leads."""
    (leader,) = [name for name in members_of(lab) if mode_of(lab, name) == "leader"]
    return leader


def mode_of(lab: Lab, member: str) -> str:
    """What a member is in its ensemble."""
    with socket.create_connection((lab.hosts[member].address, 2181), timeout=10) as connection:
        connection.sendall(b"srvr")
        said = connection.makefile().read()
    return next(line.split()[1] for line in said.splitlines() if line.startswith("Mode:"))


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


@pytest.mark.parametrize("managers", [("mgr1",), MANAGERS], ids=["alone", "with a standby"])
def test_a_zookeeper_that_lost_everything_is_adopted_by_a_person(lab: LabFactory, managers: tuple[str, ...]) -> None:
    """Whoever is first in line then: the manager that was active and remembers its epoch, or one that does not."""
    with rehearsal(lab(settings=SETTINGS)) as play:
        play.begin(managers)
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
        play.managers.wait_for(
            f"{elect} on record", lambda s: s["primary"] == elect and s["epoch"] > first["epoch"], PATIENCE
        )
        play.go_on()
        play.lab.fault.kill(elect)
        eventually(play.operations, bool, "the second failover")
        shown = rounds.whole()
        assert shown["epoch"] > first["epoch"]


def test_a_lock_entry_deleted_by_hand_ends_that_managers_part(lab: LabFactory) -> None:
    # both managers stand still meanwhile, and their entries must not end by themselves
    with interrupted(lab, "after:StopReceiver", settings={**SETTINGS, **LONG_SESSION}) as rounds:
        play = rounds.play
        with entries(play.lab) as client:
            line = [f"/failoverd/shop/lock/{entry}" for entry in client.get_children("/failoverd/shop/lock")]
            (ours,) = (entry for entry in line if json.loads(client.get(entry)[0])["manager"] == "mgr1")
            client.delete(ours)
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


def test_no_secret_is_in_zookeeper_and_strangers_are_kept_out(lab: LabFactory, tmp_path: Path) -> None:
    secret = tmp_path / "zookeeper.secret"
    secret.touch(0o600)
    secret.write_text("planted-for-zookeeper\n")
    auth = {"scheme": "digest", "username": "failoverd", "password_file": str(secret)}
    with rehearsal(lab(settings={"zookeeper": {"auth": auth}})) as play:
        play.begin()
        play.kill_primary()
        play.ended()
        planted = [play.lab.password(user) for user in ("failoverd", "repl", "app")] + ["planted-for-zookeeper"]
        with entries(play.lab, "failoverd:planted-for-zookeeper") as client:
            texts = dict(everything(client, "/failoverd"))
        assert any("promote-intent" in text for text in texts.values())
        assert [place for place, text in texts.items() if any(word in text for word in planted)] == []
        with entries(play.lab) as stranger:
            for place in ("/failoverd", "/failoverd/shop/epoch", *list(texts)[:3]):
                with pytest.raises(NoAuthError):
                    stranger.get(place)
            with pytest.raises(NoAuthError):
                stranger.delete("/failoverd/shop/epoch")
        said = "".join(play.managers.log(name).read_text(encoding="utf-8") for name in MANAGERS)
        copies = play.lab.folder.glob("mgr*/state/copies/shop/*.jsonl")
        said += "".join(copy.read_text(encoding="utf-8") for copy in copies)
        assert "promote-intent" in said
        assert [word for word in planted if word in said] == []


def everything(client: Any, place: str) -> Iterator[tuple[str, str]]:
    """All entries below a place with what they hold, as text."""
    data = bytes(client.get(place)[0])
    yield place, (zlib.decompress(data[1:]) if data.startswith(b"z") else data).decode()
    for name in client.get_children(place):
        yield from everything(client, f"{place}/{name}")
