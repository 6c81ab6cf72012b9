"""The faults of a drill, done to a lab: a table from the word in a runbook to the act."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Mapping

from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.lab.lab import Lab
from failoverd.lab.managers import Managers
from failoverd.lab.probing import ClientProbe
from failoverd.lab.processes import alive, send, wait_until
from failoverd.lab.writer import MYSQL_PORT
from failoverd.model.errors import FailoverdError, ServerError
from failoverd.model.runbook import Fault, FaultStep, Role
from failoverd.model.sight import Endpoint

OPEN_ROW = 10**9  # a number that no client of ours writes
_HELD_BY_APP = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'"
# 1,024 rows of 60 KB each: long enough on its way to be cut off in the middle.
_BIG = (
    "CREATE TABLE IF NOT EXISTS app.big (id INT PRIMARY KEY AUTO_INCREMENT, body LONGBLOB);"
    "INSERT INTO app.big (body) VALUES (REPEAT('x', 60000));"
    + "INSERT INTO app.big (body) SELECT body FROM app.big;"
    * 9
)
_UPDATE = "UPDATE app.big SET body = CONCAT(body, 'y')"
_HALF = "SELECT QUEUEING_TRANSACTION FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''"
_PATIENCE = 60.0


class Breaking:
    """Does the faults of one drill. `cut_off` are the hosts that nobody can reach because of it."""

    def __init__(self, lab: Lab, managers: Managers, caught_up: Callable[[], bool]) -> None:
        self._lab = lab
        self._managers = managers
        self._caught_up = caught_up
        self._sessions: list[ApplicationSession] = []
        self.probe: ClientProbe | None = None
        self.cut_off: set[str] = set()

    def do(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        """One step; what was done, in words."""
        if step.fault is Fault.CUT:
            return self._cut(step, names, peers)
        if not names:
            return self._nobodys[step.fault]()
        told = [self._acts[step.fault](name) or f"{step.fault} {name}" for name in names]
        return "; ".join(told)

    @property
    def _nobodys(self) -> Mapping[Fault, Callable[[], str]]:
        return {Fault.HEAL: self.heal, Fault.HOLD_CLIENTS: self._hold, Fault.RELEASE_CLIENTS: self._release}

    @property
    def _acts(self) -> Mapping[Fault, Callable[[str], str | None]]:
        fault = self._lab.fault
        return {
            Fault.KILL: self._kill,
            Fault.FREEZE: self._freeze,
            Fault.THAW: self._thaw,
            Fault.START: self._start,
            Fault.RESTART: self._restart,
            Fault.POWEROFF: fault.poweroff,
            Fault.FILL_DISK: lambda name: f"{fault.fill_disk(name)} bytes used up on {name}",
            Fault.HOLD_LOCK: fault.hold_lock,
            Fault.DAMAGE_RELAY: lambda name: f"damaged {name} at {fault.damage_relay(name)}",
            Fault.STOP_RECEIVER: lambda name: self._thread("STOP", "IO_THREAD", name),
            Fault.START_RECEIVER: lambda name: self._thread("START", "IO_THREAD", name),
            Fault.STOP_APPLIER: lambda name: self._thread("STOP", "SQL_THREAD", name),
            Fault.START_APPLIER: lambda name: self._thread("START", "SQL_THREAD", name),
            Fault.OPEN_TRANSACTION: self._open_transaction,
            Fault.BIG_TRANSACTION: self._big_transaction,
            Fault.WRITE_ALONE: self._write_alone,
        }

    def heal(self) -> str:
        """Take back what ends with its cause."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        self._lab.fault.heal()
        self.cut_off.clear()
        return "cuts, held sessions and filled disks are taken back"

    def _is_manager(self, name: str) -> bool:
        return name.startswith("mgr")

    def _kill(self, name: str) -> None:
        if self._is_manager(name):
            self._managers.kill(name)
            return
        self._lab.fault.kill(name)

    def _freeze(self, name: str) -> None:
        if self._is_manager(name):
            self._managers.kill(name, signal.SIGSTOP)
            return
        self._lab.fault.stop(name)

    def _thaw(self, name: str) -> str | None:
        if self._is_manager(name):
            self._managers.kill(name, signal.SIGCONT)
            return None
        try:
            self._lab.fault.cont(name)
        except FailoverdError:
            return f"the process of {name} is gone: there is nothing to wake"
        return None

    def _start(self, name: str) -> str | None:
        if self._is_manager(name):
            self._managers.start(name)
            return None
        if self._lab.mysqld_pid(name) if name.startswith("db") else 0:
            return f"{name} runs"
        self._lab.fault.start(name)
        return None

    def _restart(self, name: str) -> str:
        pid = self._lab.mysqld_pid(name)
        send(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), deadline=_PATIENCE, what=f"the end of mysqld on {name}")
        self._lab.start_mysqld(name)
        return f"{name} was restarted"

    def _cut(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        for name in names:
            if step.peer is Role.EVERYBODY:
                self.cut_off.add(name)
                self._lab.fault.link(name, up=False)
            for peer in () if step.peer is Role.EVERYBODY else peers:
                self._lab.fault.cut(name, peer)
        return f"{', '.join(names)} cut off from {'everybody' if step.peer is Role.EVERYBODY else ', '.join(peers)}"

    def _thread(self, word: str, thread: str, name: str) -> None:
        self._lab.sql(name, f"{word} REPLICA {thread} FOR CHANNEL ''")

    def _hold(self) -> str:
        """What a client writes into a dead link arrives when the link is back: so its sessions end first."""
        if self.probe is not None:
            self.probe.hold()
        for server in self._lab.servers:
            if self._lab.mysqld_pid(server):
                self._hang_up(server)
        return "the client waits, and has no session"

    def _hang_up(self, server: str) -> None:
        for (number,) in self._lab.sql(server, _HELD_BY_APP):
            with contextlib.suppress(ServerError):  # it has ended by itself meanwhile
                self._lab.sql(server, f"KILL {number}")
        wait_until(lambda: not self._lab.sql(server, _HELD_BY_APP), deadline=10, what=f"no client on {server}")

    def _release(self) -> str:
        if self.probe is not None:
            self.probe.release()
        return "the client writes on"

    def _open_transaction(self, name: str) -> str:
        place = Endpoint(self._lab.hosts[name].address, MYSQL_PORT)
        session = ApplicationSession(place, "app", self._lab.password("app"), "app", 5.0)
        self._sessions.append(session)
        session.execute("BEGIN")
        session.execute("INSERT INTO app.numbered VALUES (%s, 0, 'open')", OPEN_ROW)
        return f"a client has changed a row on {name} and does not commit"

    def _big_transaction(self, name: str) -> str:
        """Returns while it is on its way to every replica."""
        self._lab.sql(name, _BIG, deadline=_PATIENCE)
        wait_until(self._caught_up, deadline=_PATIENCE, what="the table on all replicas")

        def update() -> None:
            with contextlib.suppress(ServerError):
                self._lab.sql(name, _UPDATE, deadline=_PATIENCE)

        threading.Thread(target=update, name="big transaction", daemon=True).start()
        others = [server for server in self._lab.servers if server != name]
        wait_until(
            lambda: all(self._lab.sql(server, _HALF)[0][0] for server in others),
            deadline=_PATIENCE,
            what="a transaction received in part by all",
        )
        return f"every replica has received a part of what {name} commits"

    def _write_alone(self, name: str) -> str:
        self._lab.sql(name, f"CREATE DATABASE only_here_{int(time.time())}")
        return f"{name} has a transaction that nobody else has"
