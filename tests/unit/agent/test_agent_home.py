"""What the agent keeps on disk: epochs that only rise, facts that outlive a server, logs that are kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from failoverd.agent import folders, keeping, splicing
from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.deadline import Deadline
from failoverd.agent.faults import Fault
from failoverd.agent.home import Home

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
FACTS = {
    "datadir": "/data/",
    "server_uuid": UUID,
    "log_bin_basename": "/logs/binlog",
    "log_bin_index": "",
    "relay_log_basename": "relay",
    "relay_log_index": "./r.index",
    "log_error": "error.log",
}


def no_door() -> int:
    return 0


def test_facts_outlive_the_agent_and_give_absolute_paths(tmp_path: Path) -> None:
    Home(str(tmp_path)).remember("Shop", "db1", FACTS)
    server = Home(str(tmp_path)).server("shop", "db1", None)
    assert server.place("binary") == LogPlace("/logs/binlog", "/logs/binlog.index", "/data")
    assert server.place("relay") == LogPlace("/data/relay", "/data/./r.index", "/data")
    assert server.error_log == "/data/error.log"
    moved = Home(str(tmp_path)).server("shop", "db1", "/elsewhere")
    assert moved.place("relay").basename == "/elsewhere/relay"


def test_an_unknown_server_is_said_with_a_hint(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    with pytest.raises(Fault) as caught:
        home.server("shop", "db1", None)
    assert caught.value.code == "NOT_FOUND"
    assert "remember" in caught.value.hint
    assert home.server("shop", "db1", "/data").datadir == "/data"
    with pytest.raises(Fault, match="without a binary log"):
        home.server("shop", "db1", "/data").place("binary")


def test_a_broken_state_file_is_told(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    for content in ("{", "[]"):
        (tmp_path / "state/shop.epoch").write_text(content)
        with pytest.raises(Fault) as caught:
            home.epoch("shop")
        assert caught.value.code == "IO"


def test_epochs_only_rise(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    assert home.epoch("shop") == 0
    with home.acting("shop", 4, no_door, Deadline(1)):
        assert home.epoch("shop") == 4
    with home.acting("SHOP", 4, no_door, Deadline(1)):
        pass
    with pytest.raises(Fault) as caught, home.acting("shop", 3, no_door, Deadline(1)):
        pytest.fail("a stale epoch acted")
    assert caught.value.code == "STALE_EPOCH"
    assert Home(str(tmp_path)).epoch("shop") == 4
    with home.acting("other", 1, no_door, Deadline(1)):
        pass


def test_a_lost_epoch_file_lets_an_older_manager_act_on_that_host_alone(tmp_path: Path) -> None:
    lost, kept = Home(str(tmp_path / "a")), Home(str(tmp_path / "b"))
    for home in (lost, kept):
        with home.acting("shop", 9, no_door, Deadline(1.0)):
            pass
    (tmp_path / "a/state/shop.epoch").unlink()
    with lost.acting("shop", 8, no_door, Deadline(1.0)):
        assert lost.epoch("shop") == 8
    with pytest.raises(Fault) as caught, kept.acting("shop", 8, no_door, Deadline(1.0)):
        pytest.fail("a stale epoch acted")
    assert caught.value.code == "STALE_EPOCH"
    with lost.acting("shop", 9, no_door, Deadline(1.0)):
        assert lost.epoch("shop") == 9, "the next act of the one in force ends that"


def test_one_change_at_a_time(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    with home.acting("shop", 1, no_door, Deadline(1)):
        with pytest.raises(Fault) as caught, home.acting("shop", 1, no_door, Deadline(0.1)):
            pytest.fail("two acted at once")
        assert caught.value.code == "BUSY"
        with pytest.raises(Fault) as caught, home.acting("shop", 0, no_door, Deadline(10)):
            pytest.fail("a stale epoch acted")
        assert caught.value.code == "STALE_EPOCH"
        with home.acting("other", 1, no_door, Deadline(1)):
            pass
    entered = threading.Event()

    def later() -> None:
        with home.acting("shop", 1, no_door, Deadline(10)):
            entered.set()

    with home.acting("shop", 1, no_door, Deadline(1)):
        thread = threading.Thread(target=later)
        thread.start()
        time.sleep(0.05)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


HOLDER = """
import sys, time
from failoverd.agent.home import Home
from failoverd.agent.deadline import Deadline
with Home(sys.argv[1]).acting("shop", int(sys.argv[2]), lambda: 0, Deadline(5)):
    print("holds", flush=True)
    time.sleep(60)
"""


def hold(folder: Path, epoch: int) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[3]
    words = [sys.executable, "-c", HOLDER, str(folder), str(epoch), "failoverd-agent"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)})
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"holds\n"
    return holder


def test_a_higher_epoch_ends_the_agent_that_still_acts_under_a_lower_one(tmp_path: Path) -> None:
    holder = hold(tmp_path, 5)
    with Home(str(tmp_path)).acting("shop", 6, no_door, Deadline(10)):
        assert holder.wait(10) == -9


def test_an_equal_or_lower_epoch_ends_nobody(tmp_path: Path) -> None:
    holder = hold(tmp_path, 5)
    try:
        for epoch, code in ((5, "BUSY"), (4, "STALE_EPOCH")):
            with pytest.raises(Fault) as caught, Home(str(tmp_path)).acting("shop", epoch, no_door, Deadline(0.2)):
                pytest.fail("acted")
            assert caught.value.code == code
        assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait()


@pytest.fixture
def datadir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "auto.cnf").write_text(f"[auto]\nserver-uuid={UUID}\n")
    for name in ("binlog.000001", "binlog.000002", "relay.000001", "relay-other.000001", "secret"):
        (folder / name).write_text(name * 10)
    (folder / "binlog.index").write_text("./binlog.000001\n./binlog.000002\n")
    return folder


def places(datadir: Path) -> list[LogPlace]:
    return [LogPlace(f"{datadir}/{name}", f"{datadir}/{name}.index", str(datadir)) for name in ("binlog", "relay")]


def test_keeping_links_the_logs_and_nothing_else(datadir: Path) -> None:
    kept = datadir / "#failoverd_kept/op-1"
    for _ in range(2):
        assert keeping.keep(places(datadir), UUID, "op-1") == {"files": 3, "bytes": 130 + 130 + 120}
        names = sorted(path.name for path in kept.iterdir())
        assert names == ["binlog.000001", "binlog.000002", "binlog.index", "relay.000001"]
    assert (kept / "binlog.000001").stat().st_ino == (datadir / "binlog.000001").stat().st_ino
    assert (kept / "binlog.index").stat().st_ino != (datadir / "binlog.index").stat().st_ino
    for path in datadir.glob("binlog.0*"):
        path.unlink()
    assert (kept / "binlog.000002").read_text() == "binlog.000002" * 10
    listed = keeping.kept(places(datadir), UUID)["operations"]
    assert [one["operation"] for one in listed] == ["op-1"]
    assert listed[0]["files"] == 4


@pytest.mark.parametrize(
    ("limits", "names"),
    [((0, 0), ["binlog.000001", "binlog.000002"]), ((1, 0), ["binlog.000002"]), ((9, 130), ["binlog.000002"])],
)
def test_of_many_logs_the_newest_are_kept(datadir: Path, limits: tuple[int, int], names: list[str]) -> None:
    keeping.keep(places(datadir)[:1], UUID, "op-1", *limits)
    assert sorted(path.name for path in (datadir / "#failoverd_kept/op-1").glob("*.0*")) == names


def test_links_end_or_get_a_name_of_their_own_and_no_others(datadir: Path) -> None:
    for name in ("trouble-1-a", "trouble-1-b", "op-1"):
        keeping.keep(places(datadir), UUID, name)
    assert keeping.let_go(places(datadir), UUID, "trouble-1-a") == {"files": 4}
    assert keeping.let_go(places(datadir), UUID, "trouble-1-a") == {"files": 0}
    aside = keeping.set_aside(places(datadir), UUID, "trouble-1-b")["name"]
    assert sorted(path.name for path in (datadir / "#failoverd_kept").iterdir()) == sorted(["op-1", aside])
    assert aside.startswith("left-")
    assert (datadir / "binlog.000001").exists()


def test_a_folder_of_another_server_is_left_alone(datadir: Path) -> None:
    with pytest.raises(Fault) as caught:
        keeping.keep(places(datadir), UUID.replace("3e", "4e"), "op-1")
    assert caught.value.code == "NOT_FOUND"
    assert not (datadir / "#failoverd_kept").exists()


def test_no_link_leads_outside(datadir: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (datadir / "#failoverd_kept").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|symbolic"):
        keeping.keep(places(datadir), UUID, "op-1")
    (datadir / "#failoverd_kept").unlink()
    (datadir / "binlog.000001").unlink()
    (datadir / "binlog.000001").symlink_to("/etc/passwd")
    with pytest.raises(Fault, match="no regular file"):
        keeping.keep(places(datadir), UUID, "op-1")
    assert not list(outside.iterdir())


def test_a_log_folder_of_another_account_is_refused(datadir: Path) -> None:
    if os.geteuid() == 0:
        os.chown(datadir, 64999, 64999)
    with pytest.raises(Fault) as caught, folders.opened("/etc", str(datadir), UUID):
        pytest.fail("opened")
    assert caught.value.code == "DOOR"


def test_only_exact_names_are_the_channels_own(datadir: Path) -> None:
    spliced = splicing.Spliced(places(datadir)[1], "fo_recover")
    own = ["relay-fo_recover.000001", "relay-fo_recover.1000000", "relay-fo_recover.index"]
    other = ["relay-fo_recover.000001.bak", "relay-fo_recover2.000001", "relay.000001", "Xrelay-fo_recover.000001"]
    for name in [*own, *other]:
        (datadir / name).write_text("x")
    assert sorted(splicing.clean(spliced, UUID)["removed"]) == sorted(own)
    assert all((datadir / name).exists() for name in other)


def test_an_index_elsewhere_gets_the_channels_name_before_its_ending(datadir: Path) -> None:
    place = LogPlace(f"{datadir}/relay", f"{datadir}/names.idx", str(datadir))
    assert splicing.Spliced(place, "fo_recover").index == "names-fo_recover.idx"


@pytest.mark.parametrize("name", ["", "recover", "fo_", "fo_A", "fo_a/b", "fo_" + "x" * 40, 5])
def test_other_channels_are_never_ours(name: object) -> None:
    with pytest.raises(ValueError, match="fo_recover"):
        splicing.suffix(name)
