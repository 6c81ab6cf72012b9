"""The unit under a systemd that really booted: readiness, verdicts, reload, a loop that hangs, a stop, the walls."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.rehearsal import eventually
from tests.house.pages import blocks
from tests.package.conftest import ROOT, package
from tests.package.machine import Machine

pytestmark = pytest.mark.timeout(600)  # the first one builds the packages
UNIT = "failoverd.service"
PAGE = "failoverd-web.service"
CONFIG = "/etc/failoverd/failoverd.yml"
# Nobody listens there: the manager has nothing to act on, and its first look is done all the same.
SHOP = {"servers": [{"name": "db1", "host": "127.0.0.1"}, {"name": "db2", "host": "127.0.0.2"}]}
WATCHED = {
    "mysql": {"password_file": "${credential:mysql}"},
    "replication": {"password_file": "/etc/failoverd/repl.secret"},
    "ssh": {"key_file": "/etc/failoverd/id_ed25519", "known_hosts": "/etc/failoverd/known_hosts"},
    "clusters": {"shop": SHOP},
}
HANGS = "/var/lib/failoverd/shop.paused"
DROP_IN = """\
[Service]
LoadCredential=mysql:/etc/failoverd/mysql.secret
WatchdogSec=3
"""


def shown(machine: Machine, *names: str, unit: str = UNIT) -> list[str]:
    """Properties of the unit."""
    return [machine.say("systemctl", "show", "--value", "-p", name, unit) for name in names]


def journal(machine: Machine, unit: str = UNIT) -> str:
    return machine.say("journalctl", "--no-pager", "-o", "cat", "-u", unit)


@pytest.fixture(scope="module")
def watching(machine: Machine, packages: Path) -> Machine:
    """A machine with a configured manager that runs."""
    machine.install(package(packages, "failoverd"))
    machine.write(CONFIG, json.dumps(WATCHED), 0o640)
    for secret in ("mysql.secret", "repl.secret", "id_ed25519"):
        machine.write(f"/etc/failoverd/{secret}", "hidden\n", 0o600)
    machine.write("/etc/failoverd/known_hosts", "")
    machine.run("chown", "failoverd:", "/etc/failoverd/repl.secret", "/etc/failoverd/id_ed25519")
    machine.run("chgrp", "failoverd", CONFIG)
    machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", DROP_IN)
    machine.run("systemctl", "daemon-reload")
    started = machine.run("systemctl", "start", UNIT, check=False)
    assert started.returncode == 0, journal(machine)
    return machine


def test_a_start_ends_when_the_first_look_is_done_and_the_status_tells_the_verdict(watching: Machine) -> None:
    state, status = shown(watching, "ActiveState", "StatusText")
    assert state == "active"
    assert re.fullmatch(r"shop [a-z-]+", status), status
    log = journal(watching)
    assert log.index("first look done") < log.index("Started failoverd")
    assert "hidden" not in log


def test_it_runs_behind_the_walls(watching: Machine) -> None:
    (pid,) = shown(watching, "MainPID")
    status = watching.say("cat", f"/proc/{pid}/status")
    limits = watching.say("cat", f"/proc/{pid}/limits")
    assert re.search(r"NoNewPrivs:\s+1\n", status)
    assert re.search(r"CapBnd:\s+0000000000000000\n", status)
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
    assert watching.say("stat", "-c", "%U", f"/proc/{pid}") == "failoverd"
    assert watching.say("stat", "-c", "%a %U", "/run/failoverd", "/var/lib/failoverd") == "750 failoverd\n750 failoverd"
    assert "hidden" not in watching.say("cat", f"/proc/{pid}/cmdline") + watching.say("cat", f"/proc/{pid}/environ")


def test_a_reload_is_judged_first_and_a_wrong_file_keeps_the_old_one(watching: Machine) -> None:
    (pid,) = shown(watching, "MainPID")
    watching.run("systemctl", "reload", UNIT)
    eventually(lambda: journal(watching), lambda log: "configuration applied" in log, "a configuration that counts")
    watching.write(CONFIG, json.dumps({**WATCHED, "managr": {}}), 0o640)
    watching.run("systemctl", "reload", UNIT)
    said = eventually(lambda: shown(watching, "StatusText")[0], lambda said: "not applied" in said, "the complaint")
    assert "managr" in said
    eventually(lambda: journal(watching), lambda log: "managr" in log, "the complaint in the log")
    assert shown(watching, "ActiveState", "MainPID") == ["active", pid]
    watching.write(CONFIG, json.dumps(WATCHED), 0o640)
    watching.run("systemctl", "reload", UNIT)
    eventually(lambda: shown(watching, "StatusText")[0], lambda said: "not applied" not in said, "the end of it")


@pytest.mark.parametrize(("number", "why"), [("STOP", "watchdog"), ("KILL", "signal")])
def test_one_that_hangs_or_dies_is_started_anew(watching: Machine, number: str, why: str) -> None:
    (pid,) = shown(watching, "MainPID")
    watching.run("kill", f"-{number}", pid)
    ended = "Watchdog timeout" if why == "watchdog" else "code=killed, status=9/KILL"
    eventually(lambda: journal(watching), lambda log: ended in log, "the end of the old one")
    eventually(
        lambda: shown(watching, "ActiveState", "MainPID"),
        lambda now: now[0] == "active" and now[1] not in {pid, "0"},
        "another process that is ready",
    )


def test_one_loop_that_hangs_is_noticed_while_the_others_go_on(watching: Machine) -> None:
    stock = {"servers": [{"name": "db3", "host": "127.0.0.3"}]}
    watching.write(CONFIG, json.dumps({**WATCHED, "clusters": {"shop": SHOP, "stock": stock}}), 0o640)
    watching.run("systemctl", "restart", UNIT)
    (pid,) = shown(watching, "MainPID")
    watching.run("mkfifo", HANGS)  # whoever opens it to read waits for a writer, as on a disk that answers no more
    watching.run("chown", "failoverd:", HANGS)
    stands = re.compile(r".*stands still.*")
    log = eventually(lambda: journal(watching), lambda log: bool(stands.search(log)), "a loop that was found hanging")
    watching.run("rm", HANGS)
    told = stands.findall(log)[0]
    assert ("shop" in told, "stock" in told) == (True, False), told
    eventually(
        lambda: shown(watching, "ActiveState", "MainPID"),
        lambda now: now[0] == "active" and now[1] not in {pid, "0"},
        "another process that is ready",
    )
    watching.write(CONFIG, json.dumps(WATCHED), 0o640)
    watching.run("systemctl", "restart", UNIT)


def test_a_stop_gives_the_lock_back_and_a_wrong_file_is_not_tried_again_and_again(watching: Machine) -> None:
    watching.run("systemctl", "stop", UNIT)
    assert shown(watching, "ActiveState", "Result") == ["inactive", "success"]
    watching.write(CONFIG, json.dumps({**WATCHED, "managr": {}}), 0o640)
    before = shown(watching, "NRestarts")
    assert watching.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert shown(watching, "ActiveState", "ExecMainStatus", "NRestarts") == ["failed", "2", *before]
    watching.write(CONFIG, json.dumps(WATCHED), 0o640)
    watching.run("systemctl", "start", UNIT)
    watching.run("systemctl", "stop", UNIT)


def test_the_quickstart_starts_it(watching: Machine) -> None:
    watching.run("systemctl", "stop", UNIT)
    (told,) = (block.text for block in blocks("quickstart.md") if block.places == ("service",))
    shown_status = watching.run("sh", "-euc", told).stdout
    assert 'Status: "shop ' in shown_status
    assert watching.say("systemctl", "is-enabled", UNIT) == "enabled"
    watching.run("systemctl", "stop", UNIT)


def test_the_page_is_a_unit_of_its_own(watching: Machine) -> None:
    place = f"/etc/systemd/system/{PAGE}.d/test.conf"
    watching.write(place, DROP_IN.replace("WatchdogSec=3", "WatchdogSec=6"))
    watching.run("systemctl", "daemon-reload")
    assert watching.say("systemctl", "is-enabled", PAGE) == "disabled"
    watching.run("systemctl", "start", UNIT, PAGE)
    shows = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8009/clusters/shop').read().decode())"
    told = eventually(lambda: watching.say("python3", "-c", shows), lambda text: "<dt>primary</dt>" in text, "the page")
    assert "hidden\n" not in told
    pid = watching.say("systemctl", "show", "--value", "-p", "MainPID", PAGE)
    assert watching.say("stat", "-c", "%U", f"/proc/{pid}") == "failoverd"
    assert re.search(r"NoNewPrivs:\s+1\n", watching.say("cat", f"/proc/{pid}/status"))
    watching.run("systemctl", "stop", UNIT)
    assert watching.say("systemctl", "is-active", PAGE) == "active", "the page outlives the manager and says so"
    eventually(lambda: watching.say("python3", "-c", shows), lambda text: "No active manager" in text, "its absence")
    watching.run("systemctl", "stop", PAGE)
    assert shown(watching, "ActiveState", "Result", unit=PAGE) == ["inactive", "success"]


def test_the_page_judges_a_reload_and_is_started_anew_when_it_hangs(watching: Machine) -> None:
    watching.run("systemctl", "start", PAGE)
    (pid,) = shown(watching, "MainPID", unit=PAGE)
    try:
        watching.write(CONFIG, json.dumps({**WATCHED, "wbe": {}}), 0o640)
        watching.run("systemctl", "reload", PAGE)
        says = eventually(lambda: shown(watching, "StatusText", unit=PAGE)[0], lambda t: "not applied" in t, "the word")
        assert "wbe" in says
    finally:
        watching.write(CONFIG, json.dumps(WATCHED), 0o640)
    watching.run("systemctl", "reload", PAGE)
    eventually(lambda: journal(watching, PAGE), lambda log: "configuration applied" in log, "the right file")
    assert shown(watching, "ActiveState", "MainPID", unit=PAGE) == ["active", pid]
    watching.run("kill", "-STOP", pid)
    eventually(
        lambda: shown(watching, "ActiveState", "MainPID", unit=PAGE),
        lambda now: now[0] == "active" and now[1] not in {pid, "0"},
        "another process that is ready",
    )
    assert "Watchdog timeout" in journal(watching, PAGE)
    watching.run("systemctl", "stop", PAGE)


@pytest.mark.parametrize(("unit", "page"), [(UNIT, "security.md"), (PAGE, "web.md")])
def test_the_units_are_right_and_their_walls_are_high(watching: Machine, unit: str, page: str) -> None:
    watching.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{unit}")
    judged = watching.say("systemd-analyze", "security", "--offline=true", f"/lib/systemd/system/{unit}")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged)
    assert found is not None, judged
    assert float(found[1]) <= 2.0, judged
    assert f"`systemd-analyze security`: {found[1]}" in (ROOT / "docs" / page).read_text(encoding="utf-8")
