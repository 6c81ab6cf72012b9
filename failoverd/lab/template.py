"""The data directory that every server of a lab begins with: initialised once, with its accounts, then copied."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from failoverd.decide.grants import statements
from failoverd.drivers.mysql.local import query
from failoverd.lab.processes import run, wait_until
from failoverd.lab.software import CACHE, MySQL
from failoverd.model.errors import FailoverdError, ServerError

_MAKING = "lab-template-making-"
_USER = 29999  # owns the template while it is made; no account of a machine has this number
_OPTIONS = ("--innodb-redo-log-capacity=16M", "--innodb-buffer-pool-size=32M")
_ACCOUNTS = (
    "CREATE USER failoverd@'%' IDENTIFIED BY '{manager}'",
    *(line.rstrip(";") for line in statements("failoverd")),
    "CREATE USER repl@'%' IDENTIFIED BY '{replication}'",
    "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
    "CREATE USER app@'%' IDENTIFIED BY '{application}'",
    "GRANT ALL ON app.* TO app@'%'",
)


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of the accounts `failoverd`, `repl` and `app`; made up when the template is made."""

    manager: str
    replication: str
    application: str


@dataclass(frozen=True, slots=True)
class Template:
    """A finished template: the folder to copy, and the passwords of the accounts in it."""

    data: Path
    passwords: Passwords


def ready_template(mysql: MySQL, say: Callable[[str], None]) -> Template:
    """The template for this mysqld, made now if it was never made; the key covers its version, options and accounts."""
    text = "\n".join((mysql.version(), *_OPTIONS, *_ACCOUNTS))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = CACHE / f"lab-template-{key}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with (CACHE / "lab-template.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                say("initialising a data directory, once for this mysqld")
                _make(mysql, folder)
    stored = json.loads((folder / "passwords.json").read_text(encoding="utf-8"))
    return Template(folder / "data", Passwords(**stored))


def _make(mysql: MySQL, folder: Path) -> None:
    """Make it in a temporary folder and rename it at the end: what has the final name is whole."""
    for killed in CACHE.glob(f"{_MAKING}*"):  # we hold the lock: nobody makes these any more
        shutil.rmtree(killed)
    work = Path(tempfile.mkdtemp(prefix=_MAKING, dir=CACHE))
    try:
        work.chmod(0o711)
        (work / "run").mkdir()
        os.chown(work / "run", _USER, _USER)
        (work / "data").mkdir(mode=0o750)
        os.chown(work / "data", _USER, _USER)
        _mysqld(mysql, work, "--initialize-insecure").wait(timeout=120)
        passwords = {name: secrets.token_urlsafe(12) for name in ("manager", "replication", "application")}
        _create_accounts(mysql, work, passwords)
        (work / "data/auto.cnf").unlink()
        record = work / "passwords.json"
        record.touch(mode=0o600)
        record.write_text(json.dumps(passwords), encoding="utf-8")
        shutil.rmtree(work / "run")
        work.chmod(0o700)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _mysqld(mysql: MySQL, work: Path, *options: str) -> subprocess.Popen[bytes]:
    argv = [
        *mysql.command,
        "--no-defaults",
        *mysql.options,
        f"--datadir={work / 'data'}",
        f"--log-error={work / 'run/error.log'}",
        "--secure-file-priv=",
        *_OPTIONS,
        *options,
    ]
    return subprocess.Popen(argv, user=_USER, group=_USER, extra_groups=[], cwd=work, stdin=subprocess.DEVNULL)


def _create_accounts(mysql: MySQL, work: Path, passwords: dict[str, str]) -> None:
    socket = work / "run/s.sock"
    options = (f"--socket={socket}", f"--pid-file={work / 'run/pid'}", "--skip-networking", "--mysqlx=0")
    server = _mysqld(mysql, work, *options, "--skip-log-bin", "--performance-schema=OFF")
    try:
        wait_until(lambda: server.poll() is not None or _answers(socket), deadline=60, what="the template's start")
        if server.poll() is not None:
            raise FailoverdError("mysqld could not make the template", _last_words(work))
        for statement in _ACCOUNTS:
            query(socket, statement.format(**passwords))
        query(socket, "SHUTDOWN")
        server.wait(timeout=60)
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGKILL)
            server.wait(timeout=10)


def _answers(socket: Path) -> bool:
    try:
        query(socket, "SELECT 1")
    except ServerError:
        return False
    return True


def _last_words(work: Path) -> str:
    log = work / "run/error.log"
    return log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else "it left no error log"


def copy(template: Template, datadir: Path, owner: int) -> None:
    """Copy the template to a server's data directory and give it to the server's user."""
    run(["cp", "-a", "--reflink=auto", f"{template.data}/.", str(datadir)])
    run(["chown", "-R", f"{owner}:{owner}", str(datadir)])
