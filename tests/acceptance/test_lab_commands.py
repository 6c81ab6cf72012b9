"""`failoverd lab`: one lab, brought up, looked at, broken and taken down by its commands alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from failoverd.cli.main import main
from failoverd.cli.session import Session
from failoverd.config.schema import Config
from failoverd.drivers.clock import SystemClock
from failoverd.lab import Lab
from tests.acceptance.test_lab import eventually, gone
from tests.unit.cli.stand_in import no_page

NAME = f"t{os.getpid()}-0"
Command = Callable[..., str]


def _no_application(config: Config) -> Any:
    raise AssertionError(f"the lab needs no configuration, not even {config}")


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["lab", *words], obj=Session(_no_application, SystemClock(), no_page))


def do(*words: str) -> str:
    """A command that must succeed; its standard output."""
    result = call(*words, "--name", NAME)
    assert result.exit_code == 0, result.output
    return result.stdout


def fault(*words: str) -> str:
    result = call("fault", *words, "--name", NAME)
    assert result.exit_code == 0, result.output
    return result.stderr


def broken(*words: str) -> dict[str, Any]:
    """A fault as its one document."""
    document: dict[str, Any] = json.loads(do("fault", *words, "--json"))
    return document


def sql(server: str, text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(do("sql", server, text, "--json"))["rows"]
    return rows


def pid(server: str) -> int:
    hosts = {host["name"]: host for host in json.loads(do("status", "--json"))["hosts"]}
    return int(hosts[server]["services"]["mysqld"])


@pytest.fixture(scope="module", autouse=True)
def _lab() -> Iterator[None]:
    wanted = ("--replicas", "1", "--zookeepers", "0", "--managers", "1", "--switch", "--supervised", "--lossless")
    result = call("up", "--name", NAME, *wanted, "--json")
    try:
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        assert [host["name"] for host in document["hosts"]] == ["mgr1", "db1", "db2", "app1"]
        assert "1 replica follows db1" in result.stderr, "progress goes to standard error"
        sql("db1", "CREATE TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(200))")
        yield
    finally:
        Lab.take_down(NAME)


def test_status_and_sql_show_what_runs() -> None:
    text = do("status")
    assert "db1   198.18." in text
    assert f"mysqld {pid('db1')}" in text
    assert do("sql", "db1", "SELECT 1 AS one, NULL AS nothing") == "one\tnothing\n1\tNULL\n"
    user = json.loads(do("sql", "db1", "SELECT USER() AS u", "--user", "app", "--json"))["rows"][0]["u"]
    assert user.startswith("app@")
    clients = sql("db1", "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'")
    assert clients[0]["Value"] == "1", "--lossless"


def test_kill_stop_cont_start_and_poweroff() -> None:
    before = pid("db2")
    fault("kill", "db2")
    eventually(lambda: pid("db2") not in {0, before})  # --supervised
    eventually(lambda: call("sql", "db2", "SELECT 1", "--name", NAME).exit_code == 0)
    fault("stop", "db2")
    with open(f"/proc/{pid('db2')}/stat", encoding="utf-8") as stat:
        assert " T " in stat.read()
    fault("cont", "db2")
    fault("poweroff", "db2")
    assert "OFF" in do("status")
    fault("start", "db2")
    assert sql("db2", "SELECT 1 AS one") == [{"one": 1}]


def test_cut_loss_slow_and_heal() -> None:
    from failoverd.lab import network

    there = Lab.attach(NAME)
    db1, mgr1 = there.hosts["db1"], there.hosts["mgr1"]
    done = broken("cut", "mgr1", "db1", "--one-way")
    assert done == {"lab": NAME, "fault": "cut", "hosts": ["mgr1", "db1"], "detail": "done"}
    assert (len(network.drops(db1)), len(network.drops(mgr1))) == (1, 0)
    fault("loss", "mgr1", "db1", "30")
    assert "numgen random mod 100 < 30" in network.drops(mgr1)[0]
    fault("heal")
    assert network.drops(db1) == network.drops(mgr1) == ()
    fault("loss", "mgr1", "db1", "30", "--one-way")
    assert (len(network.drops(db1)), len(network.drops(mgr1))) == (1, 0)
    fault("heal")
    assert broken("slow", "mgr1", "db1", "40", "--jitter", "5", "--one-way")["fault"] == "slow"
    assert _seconds_to_connect(there) >= 0.034
    fault("heal")
    fault("slow", "mgr1", "db1", "80")
    assert _seconds_to_connect(there) >= 0.155
    fault("heal")


def _seconds_to_connect(there: Lab) -> float:
    program = (
        "import socket, sys, time\n"
        "begin = time.monotonic()\n"
        "socket.create_connection((sys.argv[1], 22), timeout=5).close()\n"
        "print(time.monotonic() - begin)\n"
    )
    address = there.hosts["db1"].address
    return min(float(there.call_in("mgr1", ["/usr/bin/python3", "-c", program, address]).stdout) for _ in range(3))


def test_hold_lock_and_exhaust_connections() -> None:
    assert broken("hold-lock", "db1", "--statement", "LOCK TABLES app.t WRITE")["hosts"] == ["db1"]
    refused = call("sql", "db1", "SET lock_wait_timeout = 1; SELECT * FROM app.t", "--name", NAME)
    assert refused.exit_code == 1
    assert "1205" in refused.stderr
    assert " sessions" in broken("exhaust-connections", "db2")["detail"]
    shut_out = call("sql", "db2", "SELECT 1", "--user", "app", "--name", NAME)
    assert (shut_out.exit_code, "1040" in shut_out.stderr) == (1, True)
    fault("heal")
    assert sql("db1", "SELECT COUNT(*) AS n FROM app.t") == [{"n": 0}]


def test_damage_relay_fill_disk_and_read_only_fs() -> None:
    sql("db2", "STOP REPLICA SQL_THREAD")
    for _ in range(9):
        sql("db1", "INSERT INTO app.t (note) VALUES (REPEAT('x', 100))")
    assert "relay.0" in fault("damage-relay", "db2")
    assert "bytes" in fault("fill-disk", "db2")
    fault("heal")
    fault("read-only-fs", "db2")
    fault("start", "db2")
    assert sql("db2", "SELECT @@read_only AS r") == [{"r": 1}]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status", "--name", "nosuch"), 2, "no such lab"),
        (("down", "--name", "nosuch"), 2, "no such lab"),
        (("up", "--name", NAME), 2, "a lab of that name exists"),
        (("up", "--name", "Not/Good"), 2, "the lab's name is not usable"),
        (("up", "--name", "x", "--zookeepers", "2"), 2, "a lab cannot have zookeepers = 2"),
        (("sql", "mgr1", "SELECT 1", "--name", NAME), 2, "mgr1 is not a server"),
        (("fault", "kill", "db9", "--name", NAME), 2, "unknown host"),
        (("fault", "loss", "mgr1", "db1", "101", "--name", NAME), 1, "the share to lose is not usable"),
        (("fault", "kill", "mgr1", "--name", NAME), 1, "that host has no service of the lab"),
        (("sql", "db1", "SELEKT", "--name", NAME), 1, "the server refused a statement"),
    ],
)
def test_bad_input_gets_one_clear_error(words: tuple[str, ...], code: int, said: str) -> None:
    result = call(*words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output


def test_where_namespaces_are_not_permitted_it_says_so_in_one_sentence() -> None:
    program = (
        "from failoverd.cli.main import main\n"
        "from failoverd.cli.session import Session\n"
        "from failoverd.drivers.clock import SystemClock\n"
        "main(['lab', 'up', '--name', 'refused'], obj=Session(lambda config: None, SystemClock(), lambda: None))\n"
    )
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", sys.executable, "-c", program]
    done = subprocess.run(without, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2, done.stderr
    first, *rest = done.stderr.splitlines()
    assert "does not permit them" in first
    assert any("hint: run it as root" in line for line in rest)
    gone("refused")


def test_down_takes_it_away_and_all_takes_every_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    do("down")
    gone(NAME)
    others = (f"{NAME}a", f"{NAME}b")
    for other in others:
        assert call("up", "--name", other, "--replicas", "0", "--zookeepers", "0").exit_code == 0
    monkeypatch.setattr(Lab, "names", lambda: others)  # the labs of other tests stay
    ended = call("down", "--all", "--json")
    assert (ended.exit_code, json.loads(ended.stdout)) == (0, {"down": list(others)})
    gone(others[0])
    gone(others[1])
    assert call("status", "--name", NAME).exit_code == 2
