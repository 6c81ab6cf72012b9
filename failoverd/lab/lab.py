"""A whole cluster on one machine, as an object: brought up, looked at, broken, taken down."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from failoverd.drivers.mysql.local import query
from failoverd.lab import keeping, state
from failoverd.lab.bringup import Say, bring_up, take_down, write_configurations
from failoverd.lab.faults import Faults
from failoverd.lab.layout import Host, Kind, Layout, Options
from failoverd.model.errors import ConfigError

Output = int | IO[bytes] | None
_PRIVATE = {"disk", "disk.img", "keys", "ssh", "home", "tmp"}  # what is never kept: data, keys, what programs leave


def _silently(text: str) -> None:
    del text


class Lab:
    """A lab that is up; `fault` breaks things in it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.fault = Faults(layout)

    @classmethod
    def up(cls, options: Options | None = None, say: Callable[[str], None] = _silently) -> Self:
        """Bring a lab up; returns when replication works and ZooKeeper serves."""
        layout, _ = bring_up(options or Options(), say)
        return cls(layout)

    @classmethod
    def attach(cls, name: str = "lab") -> Self:
        """The lab of that name that was brought up earlier, maybe by another process."""
        return cls(state.load(name))

    @staticmethod
    def names() -> tuple[str, ...]:
        """The labs of this machine."""
        return state.names()

    @staticmethod
    def take_down(name: str) -> None:
        """End the lab of that name, also one that is half made or half gone; nothing of it is left."""
        take_down(name)

    @staticmethod
    def take_down_orphans() -> None:
        """End the labs of drills, tests and measurements that were killed; those of people are left alone."""
        for name in state.orphans():
            take_down(name)

    def down(self) -> None:
        """End this lab; nothing of it is left."""
        take_down(self.name)

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.layout.options.name

    @property
    def folder(self) -> Path:
        """The lab's folder."""
        return Path(self.layout.folder)

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All hosts by their names."""
        return {host.name: host for host in self.layout.hosts}

    @property
    def servers(self) -> tuple[str, ...]:
        """The names of the database hosts; the first one began as the primary."""
        return tuple(host.name for host in self.layout.servers)

    @property
    def config_path(self) -> Path:
        """The configuration for people's commands, run in the machine's own namespace."""
        return self.folder / "failoverd.yml"

    def manager_config(self, manager: str) -> Path:
        """The configuration of one manager, for `failoverd -c ... run` in its own namespace."""
        return self.folder / self._host(manager, Kind.MANAGER).name / "failoverd.yml"

    def configure(self, changes: dict[str, object]) -> None:
        """Write all configurations anew with `changes` laid over them, section by section, servers by name."""
        write_configurations(self.layout, changes)

    def password(self, user: str) -> str:
        """The password of the accounts `failoverd`, `repl` and `app`."""
        names = {"failoverd": "mysql.secret", "repl": "repl.secret", "app": "app.secret"}
        return (self.folder / "keys" / names[user]).read_text(encoding="utf-8").strip()

    def sql(
        self, server: str, text: str, user: str = "root", *, deadline: float = 30.0
    ) -> tuple[tuple[object, ...], ...]:
        """Run statements over the server's unix socket, whatever the network does, and return the last rows."""
        host = self._host(server, Kind.SERVER)
        password = "" if user == "root" else self.password(user)
        return query(host.socket, text, user=user, password=password, deadline=deadline)

    def socket(self, server: str) -> Path:
        """The unix socket of a server."""
        return Path(self._host(server, Kind.SERVER).socket)

    def mysqld_pid(self, server: str) -> int:
        """The process number of the host's mysqld on this machine; 0 when it does not run."""
        return keeping.service_pid(self._host(server, Kind.SERVER), "mysqld")

    def start_mysqld(self, server: str) -> None:
        """Start a dead mysqld (and its host, if that is off) and wait until it answers."""
        self.fault.start(server)

    def supervise(self, server: str, *, on: bool) -> None:
        """Let the mysqld be started again 100 ms after each end, or no longer."""
        self.fault.supervise(server, on=on)

    def run_in(
        self,
        host: str,
        argv: Sequence[str],
        *,
        stdin: Output = subprocess.DEVNULL,
        stdout: Output = None,
        stderr: Output = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command on a host.

        Managers and clients have a network of their own and the machine's files, and the process is the command
        itself. On hosts with a keeper it is a forwarder that ends with the command's exit code.
        """
        return subprocess.Popen(
            [*self._entry(self.layout.host(host)), *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=None if env is None else dict(env),
        )

    def call_in(
        self, host: str, argv: Sequence[str], *, deadline: float = 30.0, feed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a host's namespaces to its end, with its output caught."""
        command = [*self._entry(self.layout.host(host)), *argv]
        return subprocess.run(command, input=feed, capture_output=True, text=True, timeout=deadline, check=False)

    def manager_argv(self, manager: str, *words: str) -> list[str]:
        """The command line of `failoverd -c <the manager's configuration> WORDS...`."""
        return [sys.executable, "-m", "failoverd", "-c", str(self.manager_config(manager)), *words]

    def keep_logs(self, target: Path) -> None:
        """Copy what the lab's processes wrote about themselves to a folder that outlives it; no data, no secrets."""
        for source in self.folder.rglob("*"):
            inside = source.relative_to(self.folder)
            if source.is_file() and not source.is_mount() and not _PRIVATE & set(inside.parts):
                (target / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target / inside)

    def status(self) -> dict[str, object]:
        """What runs: per host whether it is on, and its services with their process numbers here (0: not running)."""
        hosts = [self._host_status(host) for host in self.layout.hosts]
        return {"name": self.name, "folder": str(self.folder), "config": str(self.config_path), "hosts": hosts}

    def _host_status(self, host: Host) -> dict[str, object]:
        facts: dict[str, object] = {"name": host.name, "address": host.address, "kind": host.kind.name.lower()}
        if host.kind not in {Kind.SERVER, Kind.ZOOKEEPER}:
            return facts
        names = {Kind.SERVER: ("mysqld", "sshd"), Kind.ZOOKEEPER: ("zookeeper",)}[host.kind]
        facts["on"] = keeping.is_on(host)
        facts["services"] = {name: keeping.service_pid(host, name) for name in names}
        return facts

    def _entry(self, host: Host) -> list[str]:
        if host.kind in {Kind.SERVER, Kind.ZOOKEEPER}:
            pid = keeping.keeper_pid(host)
            return ["nsenter", "--target", str(pid), "--net", "--mount", "--pid", "--uts", "--"]
        return ["nsenter", f"--net=/run/netns/{host.namespace}", "--"]

    def _host(self, name: str, kind: Kind) -> Host:
        host = self.layout.host(name)
        if host.kind is not kind:
            there = ", ".join(other.name for other in self.layout.of_kind(kind))
            raise ConfigError(f"{name} is not a {kind.name.lower()}", f"lab {self.name}", f"those are {there}")
        return host


__all__ = ["Lab", "Options", "Say"]
