"""The managers of a lab as processes: started in their own namespaces, watched, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from failoverd.lab.lab import Lab
from failoverd.model.errors import FailoverdError


class Managers:
    """Starts `failoverd run` on the lab's manager hosts; every process it started is ended by `stop`.

    People's commands run in the machine's own namespace, or `at` a manager's host with its configuration: without
    ZooKeeper only that host knows anything.
    """

    def __init__(self, lab: Lab, at: str = "") -> None:
        self._lab = lab
        self._at = at
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}

    def start(self, name: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start one manager with this added to its environment; its log goes to `log(name)`."""
        if name in self._logs:
            self._logs.pop(name).close()
        log = self.log(name).open("ab")
        around = {**self._around(), **(env or {})}
        process = self._lab.run_in(name, self._lab.manager_argv(name, "run"), stdout=log, stderr=log, env=around)
        self._running[name], self._logs[name] = process, log
        return process

    def log(self, name: str) -> Path:
        """Where that manager's log goes."""
        return self._lab.folder / name / "manager.log"

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send one manager a signal; after SIGKILL it is reaped too."""
        process = self._running[name]
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait(timeout=10)

    def end(self, name: str) -> int:
        """Tell one manager to stop, and wait until it has; its exit code."""
        process = self._running[name]
        process.terminate()
        return process.wait(timeout=15)

    def stop(self) -> None:
        """End every manager that still runs: politely first."""
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        for log in self._logs.values():
            log.close()
        self._running.clear()
        self._logs.clear()

    def status(self) -> Mapping[str, Any]:
        """The published status of the lab's cluster, by the command that people use."""
        return cluster_of(self.command("status", "--json"))

    def command(self, *words: str, deadline: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a `failoverd` command where people's commands run."""
        if self._at:
            return self._lab.call_in(self._at, self._lab.manager_argv(self._at, *words), deadline=deadline)
        argv = [sys.executable, "-m", "failoverd", "-c", str(self._lab.config_path), *words]
        around = self._around()
        return subprocess.run(argv, capture_output=True, text=True, timeout=deadline, check=False, env=around)

    def _around(self) -> dict[str, str]:
        """The environment of managers and commands: they find the lab's programs."""
        return {**os.environ, "PATH": f"{self._lab.folder / 'bin'}:{os.environ.get('PATH', '')}"}

    def wait_for(
        self, what: str, holds: Callable[[Mapping[str, Any]], bool], timeout: float = 30.0
    ) -> Mapping[str, Any]:
        """The first status for which `holds`; an error that names what did not come, with the last status."""
        end = time.monotonic() + timeout
        while True:
            status = self.status()
            if status and holds(status):
                return status
            if time.monotonic() > end:
                last = json.dumps(status)
                raise FailoverdError(f"{what} did not come", f"within {timeout:g} s; the last status was {last}")
            time.sleep(0.1)

    def wait_ready(self, standbys: int = 1, timeout: float = 30.0) -> Mapping[str, Any]:
        """Wait until one manager is active, the others stand by, the cluster is healthy and every agent answers each
        of them.
        """
        end = time.monotonic() + timeout
        while not all(armed(self.kept(name), 0) for name in self._running) and time.monotonic() < end:
            time.sleep(0.05)
        left = max(0.0, end - time.monotonic())
        return self.wait_for("a healthy, managed cluster", lambda status: armed(status, standbys), left)

    def kept(self, name: str) -> Mapping[str, Any]:
        """What that manager itself last wrote about the cluster on its own host; empty before its first look."""
        try:
            file = self._lab.folder / name / "run" / self._lab.layout.options.cluster / "status.json"
            seen: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return seen


def armed(status: Mapping[str, Any], standbys: int) -> bool:
    """Whether a manager is active and everything that a failover needs answers."""
    if not status:
        return False
    agents = all(server["agent"] == "ok" for server in status["servers"])
    managed = status["active_manager"] is not None and len(status["standby_managers"]) >= standbys
    return bool(managed and agents and status["verdict"] == "healthy")


def cluster_of(result: subprocess.CompletedProcess[str]) -> Mapping[str, Any]:
    """The first cluster of a status document, empty when there is none."""
    try:
        clusters = json.loads(result.stdout)["clusters"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return {}
    first: Mapping[str, Any] = clusters[0] if clusters else {}
    return first
