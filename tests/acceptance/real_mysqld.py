"""A throw-away mysqld for tests that need real log files: one server, one folder, unix socket and loopback port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql

SID_FOLDER = Path("/var/cache/failoverd/mysql")
OPTIONS = (
    "--no-defaults",
    "--mysqlx=OFF",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--innodb-buffer-pool-size=32M",
    "--innodb-redo-log-capacity=16M",
    "--performance-schema=OFF",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--skip-replica-start=ON",
    "--secure-file-priv=",
    "--log-error-verbosity=3",
)


def mysqld_command() -> list[str]:
    """How mysqld is started on this machine: by its own loader out of the unpacked folder, or simply by name."""
    basedir = os.environ.get("FAILOVERD_MYSQL_BASEDIR", "")
    root = Path(basedir) if basedir else SID_FOLDER
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    if loader.exists():
        share = root / "usr/share/mysql"
        return [
            str(loader), "--library-path", str(root / "usr/lib/x86_64-linux-gnu"), str(root / "usr/sbin/mysqld"),
            "--no-defaults", f"--basedir={root / 'usr'}", f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}", f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",
        ]  # fmt: skip
    found = root / "bin/mysqld" if basedir else shutil.which("mysqld")
    if not found:
        raise RuntimeError("no mysqld: run `make setup`, or set FAILOVERD_MYSQL_BASEDIR")
    return [str(found), "--no-defaults"]


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RealMysqld:
    """One mysqld in a folder of its own; `uid` is the account it runs as (no entry in /etc/passwd is needed)."""

    def __init__(self, home: Path, server_id: int, uid: int = 0, extra: tuple[str, ...] = ()) -> None:
        self.home = home
        self.server_id = server_id
        self.uid = uid
        self.extra = extra
        self.datadir = home / "data"
        self.socket = home / "s.sock"
        self.error_log = home / "error.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def initialise(self, template: Path | None = None) -> None:
        """Make the data directory, out of a template's if one is given."""
        self.home.mkdir(parents=True, exist_ok=True)
        if template is not None:
            shutil.copytree(template, self.datadir)
            (self.datadir / "auto.cnf").unlink(missing_ok=True)
        else:
            subprocess.run(
                [
                    *mysqld_command(),
                    f"--datadir={self.datadir}",
                    "--initialize-insecure",
                    "--user=root",
                    "--innodb-redo-log-capacity=16M",
                ],
                check=True,
                capture_output=True,
                timeout=120,
            )
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, self.uid, self.uid)

    def command(self) -> list[str]:
        """The whole command line."""
        own = (
            f"--datadir={self.datadir}", f"--socket={self.socket}", f"--log-error={self.error_log}",
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--server-id={self.server_id}",
            f"--pid-file={self.home / 'mysqld.pid'}", "--log-bin=binlog", "--relay-log=relay", *self.extra,
        )  # fmt: skip
        if not self.uid:
            return [*mysqld_command(), *OPTIONS[1:], "--user=root", *own]
        become = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return [*become, *mysqld_command(), *OPTIONS[1:], *own]

    def start(self, wait: float = 30.0) -> None:
        """Start and wait until it answers."""
        self.socket.with_suffix(".sock.lock").unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_answering(wait)

    def wait_answering(self, wait: float = 30.0) -> None:
        """Return as soon as a statement succeeds; fail with the error log's end after `wait` seconds."""
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            with contextlib.suppress(pymysql.Error, OSError):
                self.rows("SELECT 1")
                return
            time.sleep(0.05)
        raise RuntimeError(f"mysqld did not answer: {self.error_log.read_text()[-2000:]}")

    def connect(self) -> Any:
        """Open a root session over the unix socket."""
        return pymysql.connect(
            unix_socket=str(self.socket), user="root", autocommit=True, connect_timeout=5, read_timeout=60,
            write_timeout=60, ssl_disabled=True, cursorclass=pymysql.cursors.DictCursor,
        )  # fmt: skip

    def rows(self, *statements: str) -> list[dict[str, Any]]:
        """Run statements in one session and give the last one's rows."""
        session = self.connect()
        try:
            with session.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            session.close()

    def value(self, *statements: str) -> str:
        """The first field of the last statement's first row, as text."""
        return str(next(iter(self.rows(*statements)[0].values())))

    def executed(self) -> str:
        """gtid_executed on one line."""
        return self.value("SELECT @@gtid_executed").replace("\n", "")

    def facts(self, name: str) -> dict[str, Any]:
        """What a manager tells the agent to remember of this server, asked of the server itself."""
        asked = {
            "datadir": "datadir", "server_uuid": "server_uuid", "log_bin_basename": "log_bin_basename",
            "log_bin_index": "log_bin_index", "relay_log_basename": "relay_log_basename",
            "relay_log_index": "relay_log_index", "log_error": "log_error", "port": "port", "pid_file": "pid_file",
        }  # fmt: skip
        row = self.rows("SELECT " + ", ".join(f"@@{variable} AS {key}" for key, variable in asked.items()))[0]
        return {"server": name, **row}

    def kill(self) -> None:
        """SIGKILL and reap."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)
            self.process = None
