"""Settings and servers changed by SIGHUP, one manager after the other; a writing client notices nothing."""

from __future__ import annotations

import json
import signal

from failoverd.lab.config_text import server_entry
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import MANAGERS, Rehearsal, eventually, rehearsal


def hang_up(play: Rehearsal, event: str) -> None:
    """Tell each manager to read its configuration anew, one after the other, and wait for its word."""
    for name in MANAGERS:
        before = len(play.logged(event, name))
        play.managers.kill(name, signal.SIGHUP)
        eventually(
            lambda name=name: len(play.logged(event, name)),  # type: ignore[misc]
            lambda now, before=before: now > before,  # type: ignore[misc]
            f"{event} by {name}",
        )


def differing(play: Rehearsal) -> dict[str, tuple[str | None, str | None, str]]:
    """What the file and the active manager do not have in common: the manager's, the file's, what it needs."""
    done = play.managers.command("config", "check", "--against-active", "--json")
    (one,) = json.loads(done.stdout)["against_active"]
    assert done.returncode == (0 if one["same"] else 1)
    return {each["key"]: (each["active"], each["file"], each["needs"]) for each in one["differences"]}


def listed(play: Rehearsal, name: str) -> dict[str, str]:
    """The servers that a manager watches, with their agents' states."""
    return {server["name"]: server["agent"] for server in play.managers.kept(name).get("servers", ())}


def test_servers_come_and_go_and_a_broken_file_changes_nothing(lab: LabFactory) -> None:
    with rehearsal(lab(), patience=5.0) as play:  # a busy machine may be slow with a row; nobody may be closed or moved
        status = play.begin()
        errors = dict(play.writer.account.errors)
        two = [server_entry(host) for host in play.lab.layout.servers[:2]]
        play.lab.configure({"clusters": {"shop": {"servers": two, "failover": {"cooldown": "5m"}}}})
        changed = differing(play)
        assert changed["failover.cooldown"][1:] == ("5m", "reload")
        assert changed["servers.db3"] == (str(play.lab.hosts["db3"].address), None, "reload")
        hang_up(play, "configuration applied")
        assert differing(play) == {}
        for name in MANAGERS:
            eventually(lambda name=name: set(listed(play, name)), lambda s: s == {"db1", "db2"}, "two servers")  # type: ignore[misc]
        play.lab.configure({})
        hang_up(play, "configuration applied")
        three = dict.fromkeys(play.lab.servers, "ok")
        active = str(status["active_manager"])
        eventually(lambda: listed(play, active), lambda s: s == three, "three servers with their agents")
        for name in MANAGERS:
            file = play.lab.manager_config(name)
            file.write_text(file.read_text(encoding="utf-8") + "\nnonsense: yes\n", encoding="utf-8")
        hang_up(play, "configuration not applied, the old one stays")
        play.quiet()
        now = play.managers.status()
        assert (now["active_manager"], now["epoch"]) == (active, status["epoch"])
        assert (play.writer.account.unknown, dict(play.writer.account.errors)) == ([], errors)
