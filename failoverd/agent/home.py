"""What the agent remembers on disk: epochs, facts of servers, marks of fenced ones."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.faults import BAD_REQUEST, BUSY, IO, NOT_FOUND, STALE_EPOCH, Fault
from failoverd.agent.processes import Doomed, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from failoverd.agent.deadline import Deadline


@dataclass(frozen=True)
class Server:
    """One server of this host as it was remembered; every path is absolute, a log that does not exist is None."""

    name: str
    datadir: str
    server_uuid: str
    binary: LogPlace | None
    relay: LogPlace | None
    error_log: str
    remembered: Mapping[str, Any]

    def place(self, kind: str) -> LogPlace:
        """Where the "binary" or "relay" log is; Fault NOT_FOUND when the server was remembered without it."""
        place = self.binary if kind == "binary" else self.relay
        if place is None:
            hint = "send `remember` while the server answers"
            raise Fault(NOT_FOUND, f"server {self.name} is remembered without a {kind} log", hint=hint)
        return place


def write_durably(path: str, data: bytes) -> None:
    """Replace a file so that after a crash it is either the old one or the new one, and on the disk."""
    temporary = f"{path}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, path)
    sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Bring a directory's entries to the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Home:
    """The agent's directory; `state` below it holds small JSON files, named by cluster and server."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.state = os.path.join(self.folder, "state")
        os.makedirs(self.state, mode=0o700, exist_ok=True)

    def path(self, cluster: str, rest: str) -> str:
        """A state file's path; a cluster's name counts without regard to case."""
        if not cluster:
            raise Fault(BAD_REQUEST, "the request names no cluster")
        return os.path.join(self.state, f"{cluster.lower()}.{rest}")

    def load(self, path: str) -> dict[str, Any] | None:
        """Read a state file; None when there is none, Fault IO when it cannot be trusted."""
        try:
            with open(path, "rb") as stream:
                value = json.loads(stream.read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Fault(IO, "a state file cannot be read", f"{path}: {error}") from error
        if not isinstance(value, dict):
            raise Fault(IO, "a state file cannot be read", f"{path} holds no object")
        return value

    def save(self, path: str, value: dict[str, Any]) -> None:
        """Write a state file durably; one that says the same already is left alone."""
        data = json.dumps(value, sort_keys=True).encode("utf-8") + b"\n"
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            if stream.read() == data:
                return
        try:
            write_durably(path, data)
        except OSError as error:
            raise Fault.of_os_error(error, "a state file cannot be written") from error

    def remember(self, cluster: str, server: str, facts: dict[str, Any]) -> None:
        """Keep what is known of a server for the time when it no longer answers."""
        self.save(self.path(cluster, f"{server}.facts.json"), facts)

    def remembered(self) -> list[tuple[str, str]]:
        """(cluster, server) of everything that was remembered."""
        ending = ".facts.json"
        names = sorted(name[: -len(ending)] for name in os.listdir(self.state) if name.endswith(ending))
        return [(cluster, server) for cluster, _, server in (name.partition(".") for name in names)]

    def server(self, cluster: str, server: str, datadir: str | None) -> Server:
        """Give a server as it was remembered; `datadir` overrides, and serves where nothing was remembered."""
        facts = self.load(self.path(cluster, f"{server}.facts.json"))
        if facts is None and datadir is None:
            hint = "send `remember` while the server answers, or name its data directory"
            raise Fault(NOT_FOUND, f"nothing is remembered of server {server} of cluster {cluster}", hint=hint)
        known = facts or {}
        base = os.path.normpath(datadir or known["datadir"])

        def place(basename: str, index: str) -> LogPlace | None:
            name = known.get(basename)
            if not name:
                return None
            where = os.path.join(base, name)
            return LogPlace(where, os.path.join(base, known.get(index) or f"{where}.index"), base)

        return Server(
            name=server,
            datadir=base,
            server_uuid=known.get("server_uuid", ""),
            binary=place("log_bin_basename", "log_bin_index"),
            relay=place("relay_log_basename", "relay_log_index"),
            error_log=os.path.join(base, known["log_error"]) if known.get("log_error") else "",
            remembered=known,
        )

    def mark_path(self, cluster: str, server: str) -> str:
        """Where the mark of a fenced server lies."""
        return self.path(cluster, f"{server}.fenced")

    def marks(self) -> list[tuple[str, dict[str, Any]]]:
        """(path, content) of every mark of a fenced server, of all clusters."""
        names = sorted(name for name in os.listdir(self.state) if name.endswith(".fenced"))
        loaded = [(path, self.load(path)) for path in (os.path.join(self.state, name) for name in names)]
        return [(path, mark) for path, mark in loaded if mark is not None]

    def epoch(self, cluster: str) -> int:
        """The highest epoch seen; 0 when none was."""
        return int((self.load(self.path(cluster, "epoch")) or {}).get("epoch", 0))

    @contextlib.contextmanager
    def acting(self, cluster: str, epoch: int, door_pid: Callable[[], int], deadline: Deadline) -> Iterator[None]:
        """Hold the cluster's lock while something is changed under `epoch`.

        Fault STALE_EPOCH when a higher one was seen. A lower holder in another agent process is killed, with its
        door: its manager lost the right to act. Fault BUSY when the lock is not free before the deadline.
        """
        lock = os.open(self.path(cluster, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(lock):
                self._not_stale(cluster, epoch)
                self._evict_lower(cluster, epoch)
                if deadline.left() <= 0.02:
                    raise Fault(BUSY, f"another operation of cluster {cluster} is being done")
                deadline.pause(0.01)
            self._not_stale(cluster, epoch)
            holders = [[pid, started(pid)] for pid in (os.getpid(), door_pid()) if pid]
            self.save(self.path(cluster, "epoch"), {"epoch": epoch, "holders": holders})
            yield
        finally:
            os.close(lock)

    def _not_stale(self, cluster: str, epoch: int) -> None:
        seen = self.epoch(cluster)
        if epoch < seen:
            raise Fault(STALE_EPOCH, f"epoch {epoch} is over", f"epoch {seen} of cluster {cluster} was seen here")

    def _evict_lower(self, cluster: str, epoch: int) -> None:
        holder = self.load(self.path(cluster, "epoch")) or {}
        holders = holder.get("holders", [])
        if int(holder.get("epoch", 0)) >= epoch or any(pid == os.getpid() for pid, _ in holders):
            return
        for pid, since in holders:
            _end_agent(pid, since)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_agent(pid: int, since: int) -> None:
    """End an agent process (or wait for its door, which ends with it), if the number still means the same one."""
    try:
        doomed = Doomed(pid)
    except ProcessLookupError:
        return
    try:
        if started(pid) == since:
            with contextlib.suppress(PermissionError):
                doomed.kill(signal.SIGKILL)
            doomed.gone(1.0)
    finally:
        doomed.close()
