"""Passwords and keys are looked for wherever failoverd leaves something, all the way through a failover."""

from __future__ import annotations

import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import MANAGERS, rehearsal
from tests.acceptance.test_page import free_port, page

HOOK = """\
#!/bin/sh
{ env; cat; } >> "$0.heard"
"""
COMMANDS = (
    ("config", "explain"), ("config", "explain", "--json"), ("status", "--json"), ("check", "shop", "--grants"),
    ("check", "shop"), ("agent", "check", "shop"), ("ops", "list", "--json"), ("plan", "shop", "--json"),
)  # fmt: skip


def secrets(lab: Lab) -> dict[str, bytes]:
    """What must be seen nowhere: both passwords, and a line out of the private key."""
    keys = lab.folder / "keys"
    found = {name: (keys / name).read_bytes().strip() for name in ("mysql.secret", "repl.secret")}
    found["manager_ed25519"] = (keys / "manager_ed25519").read_bytes().splitlines()[2]
    assert all(len(secret) >= 8 for secret in found.values())
    return found


def shown_in(content: bytes, wanted: dict[str, bytes]) -> list[str]:
    return [name for name, secret in wanted.items() if secret in content]


@contextlib.contextmanager
def watched_processes(wanted: dict[str, bytes]) -> Iterator[list[str]]:
    """Arguments and environments of every process of this machine, again and again; what was found in which."""
    found: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for place in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
                with contextlib.suppress(OSError):
                    said = place.read_bytes()
                    found.extend(f"{place}: {name}: {said[:100]!r}" for name in shown_in(said, wanted))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def left_by_us(lab: Lab) -> Iterator[Path]:
    """Files below the lab that managers, agents, hooks and ZooKeeper wrote; MySQL's own hold what MySQL must know."""
    for path in lab.folder.rglob("*"):
        inside = path.relative_to(lab.folder).parts
        if path.is_file() and not {"keys", "disk", "disk.img"} & {*inside}:
            yield path


def test_no_secret_is_seen_anywhere(lab: LabFactory, tmp_path: Path) -> None:
    for point in ("before-freeze", "on-promoted", "on-success"):
        (tmp_path / point).mkdir()
        (tmp_path / point / "10-tell").write_text(HOOK)
        (tmp_path / point / "10-tell").chmod(0o755)
    port = free_port()
    settings = {"manager": {"log_level": "debug"}, "clusters": {"shop": {"hooks_dir": str(tmp_path)}}}
    one = lab(settings={**settings, "web": {"listen": f"127.0.0.1:{port}"}})
    wanted = secrets(one)
    with watched_processes(wanted) as found, rehearsal(one) as play, page(one, port):
        play.begin()
        play.deaf("db2", "db3")
        play.kill_primary()
        shown = play.ended()
        for words in (*COMMANDS, ("ops", "show", shown["operation"], "--json")):
            said = play.managers.command(*words)
            assert shown_in((said.stdout + said.stderr).encode(), wanted) == [], words
        for place in ("", "clusters/shop", "operations", f"operations/{shown['operation']}", "drills"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{place}", timeout=30) as answer:
                assert shown_in(answer.read(), wanted) == [], place
    assert found == []
    heard = list(tmp_path.rglob("*.heard"))
    assert heard, "no hook was run, so nothing was looked at there"
    logs = [play.managers.log(name) for name in MANAGERS]
    files = [*left_by_us(one), *heard]
    assert {*logs} < {*files}
    assert {str(path): names for path in files if (names := shown_in(path.read_bytes(), wanted))} == {}
