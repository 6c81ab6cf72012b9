"""The lab itself: it comes up with replication, each fault does what it says, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from failoverd.config.load import load
from failoverd.lab import Lab, Options, keeping, network
from failoverd.lab.layout import Kind
from failoverd.model.errors import ConfigError, FailoverdError, ServerError

Factory = Callable[..., Lab]
TABLE = "CREATE TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200))"
SEND = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(400):
    s.sendto(b"x", (sys.argv[1], 9999))
"""
RECEIVE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9999))
print("ready", flush=True)
s.settimeout(10)
n = 0
try:
    while s.recv(9):
        n += 1
        s.settimeout(1)
except TimeoutError:
    print(n)
"""
ROW = "INSERT INTO app.t (note) VALUES (REPEAT('x', 100))"


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)


def replica(one: Lab, name: str) -> dict[str, object]:
    from failoverd.drivers.mysql.local import query_with_names

    names, rows = query_with_names(one.socket(name), "SHOW REPLICA STATUS FOR CHANNEL ''")
    return dict(zip(names, rows[0], strict=True))


def rows(one: Lab, name: str) -> int:
    ((number,),) = one.sql(name, "SELECT COUNT(*) FROM app.t")
    return int(str(number))


def arrive(one: Lab, name: str, number: int) -> None:
    """Wait until the replica has the table with that many rows."""
    table = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'app'"
    eventually(lambda: one.sql(name, table) != ())
    eventually(lambda: rows(one, name) == number)


def reaches(one: Lab, source: str, target: str) -> bool:
    """Whether a connection from one host to the other's sshd gets its first bytes; a new link may lose some."""
    program = (
        "import socket,sys\n"
        "try:\n"
        "    s = socket.create_connection((sys.argv[1], 22), timeout=1)\n"
        "    s.settimeout(1)\n"
        "    sys.exit(0 if s.recv(3) == b'SSH' else 1)\n"
        "except OSError:\n"
        "    sys.exit(1)\n"
    )
    address = one.hosts[target].address
    return one.call_in(source, ["/usr/bin/python3", "-I", "-S", "-c", program, address]).returncode == 0


def round_trip(one: Lab) -> float:
    """Seconds of the quickest of a few TCP connections from the first manager's host to the first server's sshd."""
    program = (
        "import socket,sys,time\n"
        "best = 9.0\n"
        "for _ in range(4):\n"
        "    begin = time.monotonic()\n"
        "    socket.create_connection((sys.argv[1], 22), timeout=5).close()\n"
        "    best = min(best, time.monotonic() - begin)\n"
        "print(best)\n"
    )
    done = one.call_in("mgr1", ["/usr/bin/python3", "-I", "-S", "-c", program, one.hosts["db1"].address])
    return float(done.stdout)


def traces(name: str) -> list[str]:
    """Whatever of a lab is left on the machine."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
    found = [f"namespace {one}" for one in network.namespaces(name)]
    found += [f"etc {path}" for path in Path("/etc").glob(f"netns/fo.{name}.*")]
    folder = Path(f"/dev/shm/failoverd-lab-{name}")
    found += [str(folder)] if folder.exists() else []
    found += ["mount"] if f"{folder}/" in mounts else []
    found += ["loop device"] if f"{folder}/" in loops else []
    found += ["bridge"] if f"failoverd lab {name}\n" in links else []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{folder}/".encode() in words:
            found.append(f"process {entry.name}: {words!r}")
    return found


def gone(name: str) -> None:
    """Nothing of the lab is left; another lab's host that starts just now may hold its disk for a moment."""
    with suppress(AssertionError):
        eventually(lambda: traces(name) == [], 15.0)
    assert traces(name) == []


def test_a_lab_replicates_and_begins_with_one_writable_server(lab: Factory) -> None:
    one = lab()
    assert one.servers == ("db1", "db2", "db3")
    one.sql("db1", TABLE)
    one.sql("db1", ROW)
    for name in ("db2", "db3"):
        arrive(one, name, 1)
        status = replica(one, name)
        assert status["Source_Host"] == one.hosts["db1"].address
        assert status["Auto_Position"] == 1
        assert status["Source_SSL_Allowed"] == "Yes"
        assert status["Connect_Retry"] == 1
        assert status["Source_Retry_Count"] == 100_000
        assert one.sql(name, "SELECT @@GLOBAL.super_read_only, @@GLOBAL.replica_net_timeout") == ((1, 10),)
    assert one.sql("db1", "SELECT @@GLOBAL.read_only, @@GLOBAL.super_read_only") == ((0, 0),)
    uuids = {one.sql(name, "SELECT @@server_uuid") for name in one.servers}
    assert len(uuids) == 3


def test_servers_start_read_only_so_only_a_person_opens_one(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    one.fault.kill("db1")
    one.start_mysqld("db1")
    assert one.sql("db1", "SELECT @@GLOBAL.super_read_only") == ((1,),)
    with pytest.raises(ServerError) as refused:
        one.sql("db1", TABLE.replace("app.t", "app.later"), user="app")
    assert refused.value.code == 1290


def test_accounts_have_what_the_contract_grants_and_no_more(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    grants = " ".join(str(row[0]) for row in one.sql("db1", "SHOW GRANTS", user="failoverd"))
    for word in (
        "RELOAD",
        "PROCESS",
        "REPLICATION SLAVE",
        "REPLICATION CLIENT",
        "REPLICATION_SLAVE_ADMIN",
        "SYSTEM_VARIABLES_ADMIN",
        "CONNECTION_ADMIN",
        "XA_RECOVER_ADMIN",
        "SYSTEM_USER",
        "SELECT ON `performance_schema`.*",
    ):
        assert word in grants
    with pytest.raises(ServerError):
        one.sql("db1", TABLE, user="failoverd")
    one.sql("db1", TABLE, user="app")
    with pytest.raises(ServerError):
        one.sql("db1", "CREATE DATABASE other", user="app")


def test_nothing_on_a_database_host_runs_with_more_rights_than_it_needs(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=1)
    for name in one.servers:
        host = one.hosts[name]
        status = Path(f"/proc/{one.mysqld_pid(name)}/status").read_text(encoding="utf-8")
        assert f"Uid:\t{host.user}\t" in status
        assert host.user != host.agent_user
    as_db1 = ["setpriv", f"--reuid={one.hosts['db1'].user}", f"--regid={one.hosts['db1'].user}", "--clear-groups", "ls"]
    assert "auto.cnf" in one.call_in("db1", [*as_db1, str(one.hosts["db1"].datadir)]).stdout
    assert one.call_in("db1", [*as_db1, str(one.hosts["db2"].datadir)]).returncode != 0
    assert one.call_in("db1", [*as_db1, str(one.folder / "keys")]).returncode != 0


def test_no_host_holds_the_disk_of_another(lab: Factory) -> None:
    one, other = lab(replicas=1), lab(replicas=0, zookeepers=0)
    for host in (*one.layout.servers, *one.layout.of_kind(Kind.ZOOKEEPER), *other.layout.servers):
        keeper = keeping.keeper_pid(host)
        parent = Path(f"/proc/{keeper}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        for pid in (keeper, int(parent)):
            lines = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
            held = [
                point for point in (line.split()[4] for line in lines) if point.startswith("/dev/shm/failoverd-lab-")
            ]
            assert held == [str(host.disk)]


def test_the_agent_is_reached_by_ssh_with_strict_host_keys_and_runs_as_its_own_user(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    keys = one.folder / "keys"
    options = ["-i", str(keys / "install_ed25519"), "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    known = ["-o", f"UserKnownHostsFile={keys / 'known_hosts'}"]
    address = one.hosts["db2"].address
    done = one.call_in("mgr1", ["ssh", *options, *known, f"root@{address}", "hostname"])
    assert (done.returncode, done.stdout) == (0, "db2\n")
    unknown = one.call_in(
        "mgr1", ["ssh", *options, "-o", "UserKnownHostsFile=/dev/null", f"root@{address}", "hostname"]
    )
    assert unknown.returncode == 255
    agent = ["setpriv", "--reuid=failoverd-agent", "--regid=failoverd-agent", "--init-groups"]
    forced = ["ssh", "-T", "-i", str(keys / "manager_ed25519"), *options[2:], *known, f"failoverd-agent@{address}"]
    hello = _hello(one, [*forced, "id"])
    assert (hello["user"], hello["host"], hello["door"]) == ("failoverd-agent", "db2", "ok")
    allowed = one.call_in("db2", [*agent, "sudo", "-n", "-l"])
    assert allowed.stdout.count("NOPASSWD") == 1
    assert f"{one.hosts['db2'].agent_dir}/failoverd-agent.pyz door" in allowed.stdout
    refused = one.call_in("db2", [*agent, "sudo", "-n", "id"])
    assert refused.returncode != 0


def _hello(one: Lab, command: list[str]) -> dict[str, object]:
    """The first frame that the agent sends; whatever command was asked for, the key's forced one runs."""
    process = one.run_in("mgr1", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    length, kind = struct.unpack(">Ic", process.stdout.read(5))
    assert kind == b"J"
    said: dict[str, object] = json.loads(process.stdout.read(length))["hello"]
    process.communicate(timeout=10)
    return said


def test_two_labs_stand_side_by_side(lab: Factory) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = (future.result() for future in [pool.submit(lab, replicas=1) for _ in range(2)])
    assert first.layout.index != second.layout.index
    first.sql("db1", TABLE)
    first.fault.poweroff("db1")
    assert second.sql("db1", "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='app'") == ((0,),)
    first.down()
    gone(first.name)
    assert second.mysqld_pid("db1") > 0
    assert replica(second, "db2")["Replica_IO_Running"] == "Yes"


def test_a_name_that_is_taken_is_refused_and_the_lab_goes_on(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    with pytest.raises(ConfigError, match="exists"):
        Lab.up(Options(name=one.name))
    assert one.mysqld_pid("db1") > 0


def test_kill_ends_the_server_and_start_brings_it_back(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    before = one.mysqld_pid("db1")
    one.fault.kill("db1")
    assert one.mysqld_pid("db1") == 0
    assert not Path(f"/proc/{before}").exists()
    one.start_mysqld("db1")
    assert one.mysqld_pid("db1") not in {0, before}
    one.fault.kill("db1")
    with pytest.raises(FailoverdError, match="no mysqld runs"):
        one.fault.kill("db1")


def test_a_supervised_server_comes_back_by_itself(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0, supervised=True)
    before = one.mysqld_pid("db1")
    one.fault.kill("db1")
    eventually(lambda: one.mysqld_pid("db1") not in {0, before})
    one.supervise("db1", on=False)
    one.fault.kill("db1")
    assert keeping.given_up(one.hosts["db1"], "mysqld")


def test_a_stopped_server_stands_still_until_cont(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    one.fault.stop("db1")
    with pytest.raises(ServerError):
        one.sql("db1", "SELECT 1", deadline=0.5)
    one.fault.cont("db1")
    assert one.sql("db1", "SELECT 1") == ((1,),)


def test_power_off_is_silent_on_the_wire_and_the_disk_survives_it(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    one.sql("db1", TABLE)
    one.sql("db1", ROW)
    with socket.create_connection((one.hosts["db1"].address, 3306), timeout=5) as peer:
        assert peer.recv(5)
        pid = one.mysqld_pid("db1")
        one.fault.poweroff("db1")
        assert not Path(f"/proc/{pid}").exists()
        peer.settimeout(0.5)
        peer.recv(4096)  # the rest of the greeting
        with pytest.raises(TimeoutError):
            peer.recv(1)
    assert not reaches(one, "db2", "db1")
    one.start_mysqld("db1")
    assert rows(one, "db1") == 1
    eventually(lambda: reaches(one, "db2", "db1"))


def test_a_cut_goes_both_ways_or_one_way_and_heals(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    eventually(lambda: reaches(one, "mgr1", "db1"))
    one.fault.cut("mgr1", "db1")
    assert not reaches(one, "mgr1", "db1")
    eventually(lambda: reaches(one, "mgr2", "db1"))
    assert len(network.drops(one.hosts["db1"])) == len(network.drops(one.hosts["mgr1"])) == 1
    one.fault.heal()
    eventually(lambda: reaches(one, "mgr1", "db1"))
    one.fault.cut("db1", "mgr1", one_way=True)
    assert network.drops(one.hosts["db1"]) == ()
    assert not reaches(one, "mgr1", "db1")
    assert one.sql("db1", "SELECT 1") == ((1,),)


def test_loss_is_a_share_of_the_packets(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    one.fault.loss("mgr1", "mgr2", 50, one_way=True)
    listener = one.run_in("mgr2", ["/usr/bin/python3", "-c", RECEIVE], stdout=subprocess.PIPE)
    assert listener.stdout is not None
    assert listener.stdout.readline() == b"ready\n"
    address = one.hosts["mgr2"].address
    assert one.call_in("mgr1", ["/usr/bin/python3", "-c", SEND, address]).returncode == 0
    arrived = int(listener.communicate(timeout=20)[0])
    assert 120 < arrived < 280
    with pytest.raises(FailoverdError, match="share"):
        one.fault.loss("mgr1", "mgr2", 0)


def test_the_switch_delays_packets_each_way_and_one_way(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0, switch=True)
    assert replica(one, "db2")["Replica_IO_Running"] == "Yes"
    assert round_trip(one) < 0.1
    one.fault.slow("mgr1", "db1", 100)
    assert round_trip(one) >= 0.2
    one.fault.heal()
    assert round_trip(one) < 0.1
    one.fault.slow("mgr1", "db1", 150, jitter=10, one_way=True)
    assert 0.14 <= round_trip(one) < 0.3, "one way only"
    one.fault.heal()
    one.fault.poweroff("db1")
    assert not reaches(one, "mgr1", "db1")
    one.start_mysqld("db1")
    eventually(lambda: reaches(one, "mgr1", "db1"))
    one.down()
    gone(one.name)


def test_a_lab_without_a_switch_says_so_when_asked_for_a_delay(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    with pytest.raises(ConfigError, match="switch"):
        one.fault.slow("mgr1", "db1", 50)


def test_a_full_disk_refuses_writes_until_it_is_emptied(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0, disk_mb=384)
    one.sql("db1", TABLE)
    one.sql("db1", ROW)
    one.fault.fill_disk("db1")
    disk = os.statvfs(one.hosts["db1"].disk)
    assert disk.f_bavail * disk.f_frsize < 65536
    copy = "INSERT INTO app.t (note) SELECT note FROM app.t"
    with pytest.raises(ServerError):
        one.sql("db1", ";".join([copy] * 18), deadline=3.0)
    one.fault.heal()
    assert one.sql("db1", "SELECT 1") == ((1,),)
    # A mysqld that could not write its binary log looks again once a minute only: a restart looks at once.
    one.fault.kill("db1")
    one.start_mysqld("db1")
    before = rows(one, "db1")
    one.sql("db1", f"SET GLOBAL read_only = OFF; {ROW}")
    assert rows(one, "db1") == before + 1


def test_a_read_only_disk_ends_the_server_and_start_repairs_it(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    one.sql("db1", TABLE)
    one.sql("db1", ROW)
    arrive(one, "db2", 1)
    one.fault.read_only_fs("db2")
    with pytest.raises(OSError, match="Read-only"):
        (Path(one.hosts["db2"].disk) / "x").touch()
    one.sql("db1", ROW)
    eventually(lambda: one.mysqld_pid("db2") == 0)
    one.start_mysqld("db2")
    arrive(one, "db2", 2)


def test_a_damaged_relay_log_stops_the_applier_with_a_read_failure(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0)
    one.sql("db1", TABLE)
    arrive(one, "db2", 0)
    with pytest.raises(FailoverdError, match="nothing unapplied"):
        one.fault.damage_relay("db2")
    one.sql("db2", "STOP REPLICA SQL_THREAD")
    one.sql("db1", ";".join([ROW] * 9))
    ((sent,),) = one.sql("db1", "SELECT @@GLOBAL.gtid_executed")
    eventually(lambda: replica(one, "db2")["Retrieved_Gtid_Set"] == str(sent))
    assert one.fault.damage_relay("db2").startswith("relay.0")
    one.sql("db2", "START REPLICA SQL_THREAD")
    eventually(lambda: replica(one, "db2")["Last_SQL_Errno"] == 13121)


def test_a_held_lock_stops_writers_and_heal_lets_them_go(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    one.sql("db1", TABLE)
    one.fault.hold_lock("db1")
    with pytest.raises(ServerError) as waited:
        one.sql("db1", f"SET SESSION lock_wait_timeout=1; {ROW}")
    assert waited.value.code == 1205
    one.fault.heal()
    one.sql("db1", ROW)


def test_exhausted_connections_shut_ordinary_accounts_out(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    assert one.fault.exhaust_connections("db1") > 50
    with pytest.raises(ServerError) as refused:
        one.sql("db1", "SELECT 1", user="app")
    assert refused.value.code == 1040
    one.fault.heal()
    eventually(lambda: one.sql("db1", "SELECT 1", user="app") == ((1,),))


def test_lossless_labs_wait_for_acknowledgements(lab: Factory) -> None:
    one = lab(replicas=1, zookeepers=0, lossless=True)
    assert one.sql("db1", "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'")[0][1] == "1"
    one.sql("db1", TABLE)
    one.fault.poweroff("db2")
    with pytest.raises(ServerError):
        one.sql("db1", ROW, deadline=1.0)


def test_an_ensemble_of_three_serves_without_one(lab: Factory) -> None:
    from failoverd.lab import zookeeper

    one = lab(replicas=0, zookeepers=3)
    one.fault.kill("zk2")
    eventually(lambda: zookeeper.serves(one.hosts["zk1"]) and zookeeper.serves(one.hosts["zk3"]))
    one.fault.kill("zk1")
    eventually(lambda: not zookeeper.serves(one.hosts["zk3"]))
    one.fault.start("zk1")
    eventually(lambda: zookeeper.serves(one.hosts["zk3"]))


def test_managers_run_in_their_own_network_and_signals_reach_them(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    manager = one.run_in("mgr1", ["sleep", "60"])
    eventually(lambda: Path(f"/proc/{manager.pid}/comm").read_text(encoding="utf-8") == "sleep\n")
    assert os.readlink(f"/proc/{manager.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    assert manager.pid in network.members(one.name)
    manager.send_signal(signal.SIGKILL)
    assert manager.wait(timeout=5) == -signal.SIGKILL


def test_power_off_takes_a_managers_host_with_all_that_runs_there(lab: Factory) -> None:
    one = lab(replicas=0, zookeepers=0)
    manager, other = one.run_in("mgr1", ["sleep", "60"]), one.run_in("mgr2", ["sleep", "60"])
    eventually(lambda: {manager.pid, other.pid} <= set(network.members(one.name)))
    one.fault.poweroff("mgr1")
    assert manager.wait(timeout=5) == -signal.SIGKILL
    assert other.poll() is None
    assert not reaches(one, "mgr1", "db1")
    one.fault.start("mgr1")
    eventually(lambda: reaches(one, "mgr1", "db1"))
    other.kill()
    other.wait(timeout=5)


def test_down_leaves_nothing_behind(lab: Factory) -> None:
    one = lab(supervised=True)
    stray = one.run_in("mgr1", ["sleep", "600"])
    one.fault.hold_lock("db1")
    one.fault.cut("mgr1", "db1")
    assert traces(one.name) != []
    one.down()
    gone(one.name)
    assert stray.wait(timeout=5) == -signal.SIGKILL


def test_down_leaves_nothing_behind_after_a_keeper_was_killed(lab: Factory) -> None:
    one = lab(replicas=1, supervised=True)
    pids = [keeping.keeper_pid(host) for host in one.layout.servers]
    server = one.mysqld_pid("db1")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{server}").exists())
    one.down()
    gone(one.name)


def test_what_an_interrupted_up_had_made_is_ended_because_its_process_is_gone(lab: Factory) -> None:
    living = lab(replicas=0, zookeepers=0, managers=0)
    program = (
        "import os, signal\n"
        "from failoverd.lab import Lab, Options\n"
        "name = f't{os.getpid()}-half'\n"
        "Lab.up(Options(name=name), lambda text: 'answer' in text and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as killed:
        assert killed.wait(60) == -signal.SIGKILL
        name = f"t{killed.pid}-half"
        assert traces(name) != []
    Lab.take_down_orphans()
    gone(name)
    assert living.name in Lab.names()


def test_down_ends_what_outlived_a_restart_of_the_machine() -> None:
    name = f"t{os.getpid()}-ghost"
    left = Path(f"/etc/netns/fo.{name}.db1")
    left.mkdir(parents=True)
    (left / "hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    assert name in Lab.names()
    with pytest.raises(ConfigError, match="exists"):
        Lab.up(Options(name=name))
    Lab.take_down(name)
    assert name not in Lab.names()
    gone(name)


def test_two_ends_at_once_do_not_disturb_each_other(lab: Factory) -> None:
    one = lab(replicas=1)
    with ThreadPoolExecutor(3) as pool:
        for end in [pool.submit(one.down) for _ in range(3)]:
            end.result()
    gone(one.name)


def test_the_written_configurations_are_what_failoverd_reads(lab: Factory) -> None:
    one = lab(settings={"clusters": {"shop": {"failover": {"cooldown": "0s"}}}})
    one.configure({"clusters": {"shop": {"servers": {"db2": {"promote": "never"}}}}})
    for path in (one.config_path, one.manager_config("mgr1"), one.manager_config("mgr2")):
        assert path.stat().st_mode & 0o777 == 0o600
        config = load(path)
        (cluster,) = config.clusters.values()
        assert [server.promote for server in cluster.servers] == ["normal", "never", "normal"]
        assert cluster.failover.cooldown == 0
    assert one.password("failoverd") not in one.config_path.read_text(encoding="utf-8")


def test_an_up_that_fails_takes_away_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from failoverd.lab import servers

    def refuse(*_: object) -> None:
        raise FailoverdError("planted")

    monkeypatch.setattr(servers, "follow", refuse)
    name = f"t{os.getpid()}-bad"
    with pytest.raises(FailoverdError, match="planted"):
        Lab.up(Options(name=name))
    gone(name)
