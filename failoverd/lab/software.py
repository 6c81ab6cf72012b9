"""Where the programs of the lab are: MySQL, ZooKeeper, sshd; each missing one is said with what to do."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failoverd.lab.processes import run
from failoverd.model.errors import ConfigError

CACHE = Path("/var/cache/failoverd")
ZOOKEEPER_JARS = ("/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar")


@dataclass(frozen=True, slots=True)
class MySQL:
    """How to start mysqld: the words before its own options, and the options that tell it where its files are."""

    command: tuple[str, ...]
    options: tuple[str, ...]

    def version(self) -> str:
        """What mysqld says of itself, for instance "... Ver 9.7.4 for Linux ..."."""
        return run([*self.command, "--version"]).strip()


def find_mysql(environment: Mapping[str, str] = os.environ) -> MySQL:
    """The mysqld to use: FAILOVERD_MYSQL_BASEDIR, one on PATH, or the one of the set-up; ConfigError if none."""
    named = environment.get("FAILOVERD_MYSQL_BASEDIR")
    if named:
        found = _in_folder(Path(named))
        if found is None:
            raise ConfigError(
                "FAILOVERD_MYSQL_BASEDIR holds no mysqld", named, "it needs bin/mysqld or usr/sbin/mysqld"
            )
        return found
    on_path = shutil.which("mysqld", path=environment.get("PATH", "") + ":/usr/sbin")
    if on_path:
        return MySQL((on_path,), ())
    found = _in_folder(CACHE / "mysql")
    if found is None:
        raise ConfigError("there is no mysqld", f"not on PATH, not in {CACHE / 'mysql'}", "run the set-up: make setup")
    return found


def provide(folder: Path, mysql: MySQL) -> None:
    """Put mysqlbinlog into a folder for PATH, so that managers find it as they do on a host where it is installed."""
    *loader, server = mysql.command
    binaries = Path(server).parent.parent / "bin" if Path(server).parent.name == "sbin" else Path(server).parent
    program = binaries / "mysqlbinlog"
    if not program.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / program.name
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join([*loader, str(program)])} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)


def _in_folder(root: Path) -> MySQL | None:
    if (root / "bin/mysqld").exists():
        return MySQL((str(root / "bin/mysqld"),), (f"--basedir={root}",))
    server = root / "usr/sbin/mysqld"
    if not server.exists():
        return None
    share = root / "usr/share/mysql"
    options = (
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",
    )
    loaders = sorted(root.glob("usr/lib64/ld-linux-*.so.*")) + sorted(root.glob("usr/lib/ld-linux-*.so.*"))
    libraries = sorted(path for path in root.glob("usr/lib/*-linux-gnu") if path.is_dir())
    if not loaders or not libraries:
        return MySQL((str(server),), options)
    # Unpacked from a newer distribution: it runs on the C library that came with it.
    return MySQL((str(loaders[0]), "--library-path", str(libraries[0]), str(server)), options)


def require_programs(zookeepers: int) -> None:
    """ConfigError that names every program that is missing."""
    needed = ["ip", "nft", "sshd", "ssh-keygen", "sudo", "unshare", "nsenter", "setsid"]
    missing = [name for name in needed if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if zookeepers:
        missing += [] if shutil.which("java") else ["java"]
        missing += [path for path in ZOOKEEPER_JARS if not Path(path).exists()]
    if missing:
        raise ConfigError("programs are missing", ", ".join(missing), "run the set-up: make setup")
