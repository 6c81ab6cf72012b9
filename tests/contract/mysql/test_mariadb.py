"""MariaDB is known by the version it tells, and let alone: nothing but that is asked of it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from failoverd.drivers.mysql.access import ServerAccess
from failoverd.model.sight import Endpoint, Unreachable, Why
from tests.acceptance.real_mysqld import free_port
from tests.acceptance.rehearsal import eventually
from tests.contract.mysql.test_real_doors import look

FOLDER = Path("/var/cache/failoverd/mariadb")
SHARED = FOLDER / "usr/share/mysql"
OPTIONS = (
    "--no-defaults", "--user=root", f"--basedir={FOLDER / 'usr'}", f"--lc-messages-dir={SHARED}",
    f"--character-sets-dir={SHARED / 'charsets'}", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
    "--innodb-use-native-aio=OFF", "--bind-address=127.0.0.1",
)  # fmt: skip


def command(datadir: Path) -> list[str]:
    """How it is started out of its folder."""
    libraries = f"{FOLDER / 'usr/lib/x86_64-linux-gnu'}:{FOLDER / 'lib/x86_64-linux-gnu'}"
    loader = [str(FOLDER / "lib64/ld-linux-x86-64.so.2"), "--library-path", libraries]
    return [*loader, str(FOLDER / "usr/sbin/mariadbd"), *OPTIONS, f"--datadir={datadir}"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A real MariaDB with an account of ours."""
    datadir, account, number = tmp_path / "data", tmp_path / "account.sql", free_port()
    datadir.mkdir()
    tables = (SHARED / "mysql_system_tables.sql").read_text(encoding="utf-8")
    made = f"create database mysql;\nuse mysql;\n{tables}"
    subprocess.run([*command(datadir), "--bootstrap"], input=made.encode(), check=True, capture_output=True, timeout=60)
    account.write_text("CREATE USER failoverd@'%' IDENTIFIED BY 'right';\n", encoding="utf-8")
    own = (f"--port={number}", f"--socket={tmp_path / 's'}", f"--init-file={account}")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([*command(datadir), *own], stderr=log) as process:
        try:
            eventually(lambda: greets(number), bool, "a MariaDB that lets us in")
            yield number
        finally:
            process.kill()


def greets(port: int) -> bool:
    """Whether our account is let in."""
    with contextlib.suppress(pymysql.Error, OSError):
        pymysql.connect(host="127.0.0.1", port=port, user="failoverd", password="right", connect_timeout=5).close()
        return True
    return False


def test_mariadb_is_known_by_its_version_and_refused(port: int) -> None:
    sight = look(ServerAccess("shop", "db1", Endpoint("127.0.0.1", port), "failoverd", "right", tls="off"))
    assert isinstance(sight, Unreachable)
    assert (sight.why, sight.spoke) == (Why.ALIVE, True)
    assert "-MariaDB" in sight.text
    assert "not supported" in sight.text
