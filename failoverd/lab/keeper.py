"""The first process of a lab host: starts its services, reaps every orphan, restarts what is supervised.

Runs as process 1 of the host's own process namespace, by file name with the standard library alone, so that it starts
in a few milliseconds: when it dies, the kernel ends everything on that host, as when power fails.
Requests come over a unix socket, one JSON line each: {"op": "status" | "start" | "stop" | "supervise", "service": ...}.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

Spec = dict[str, Any]
_IDLE = 3600.0


class Service:
    """One process that is started, reaped and, when supervised, started again `restart` seconds after its end."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.restart: float | None = spec["restart"]
        self.pid = 0
        self.starts = 0
        self.wanted = False
        self.status: int | None = None
        self.again_at: float | None = None

    def start(self) -> None:
        """Fork and execute it with its own user, log and session; the pid is known at return."""
        for path in self.spec["remove"]:
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
        self.wanted = True
        self.again_at = None
        self.starts += 1
        self.pid = os.fork()
        if self.pid == 0:
            self._become()

    def _become(self) -> None:
        try:
            os.setsid()
            log = os.open(self.spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.setgroups([])
            os.setgid(self.spec["group"])
            os.setuid(self.spec["user"])
            os.umask(0o022)
            os.chdir(self.spec["cwd"])
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.execve(self.spec["argv"][0], self.spec["argv"], self.spec["env"])  # noqa: S606 - no shell is wanted
        except OSError as error:
            os.write(2, f"keeper: {self.spec['argv'][0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def ended(self, status: int, now: float) -> None:
        """Note the end of the process, and when to start it again if somebody supervises it."""
        self.pid = 0
        self.status = status
        if self.wanted and self.restart is not None:
            self.again_at = now + self.restart

    def stop(self, number: int) -> None:
        """End it for good: no restart until the next start."""
        self.wanted = False
        self.again_at = None
        if self.pid:
            os.kill(self.pid, number)

    def facts(self) -> Spec:
        """What the status answer says of it; `pid` is 0 when it does not run."""
        return {"pid": self.pid, "starts": self.starts, "status": self.status, "restart": self.restart}


class Keeper:
    """The loop: children's ends, restarts that are due, requests."""

    def __init__(self, spec: Spec) -> None:
        socket.sethostname(spec["hostname"])
        self.services = {entry["name"]: Service(entry) for entry in spec["services"]}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(spec["socket"])
        os.chmod(spec["socket"], 0o600)
        self.listener.listen(16)
        self.wake, signalled = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(signalled, False)
        signal.set_wakeup_fd(signalled)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    def run(self) -> None:
        """Start what begins with the host, then serve for ever."""
        for service in self.services.values():
            if service.spec["autostart"]:
                service.start()
        while True:
            ready = select.select([self.listener.fileno(), self.wake], [], [], self._pause())[0]
            if self.wake in ready:
                os.read(self.wake, 4096)
            self._reap()
            self._restart()
            if self.listener.fileno() in ready:
                self._serve()

    def _pause(self) -> float:
        due = [service.again_at for service in self.services.values() if service.again_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else _IDLE

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for service in self.services.values():
                if service.pid == pid:
                    service.ended(status, time.monotonic())

    def _restart(self) -> None:
        now = time.monotonic()
        for service in self.services.values():
            if service.again_at is not None and service.again_at <= now:
                service.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(1.0)
            try:
                request = json.loads(connection.makefile("r").readline())
                answer = self._answer(request)
            except (OSError, ValueError, KeyError, TypeError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return

    def _answer(self, request: Spec) -> Spec:
        if request["op"] == "status":
            return {"services": {name: service.facts() for name, service in self.services.items()}}
        service = self.services[request["service"]]
        if request["op"] == "start":
            if service.pid:
                return {"error": f"{request['service']} runs already as process {service.pid}"}
            service.start()
        elif request["op"] == "stop":
            service.stop(int(request["signal"]))
        elif request["op"] == "supervise":
            service.restart = request["restart"]
        else:
            return {"error": f"unknown operation {request['op']!r}"}
        return service.facts()


def main() -> None:
    """Read the specification named by the first argument and keep its host."""
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    Keeper(spec).run()


if __name__ == "__main__":
    main()
