"""A real cluster as the ground of a drill: broken by its agents alone, written to by the lab's client."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from failoverd import __version__
from failoverd.config.explain import policy_in_effect
from failoverd.config.load import read
from failoverd.config.schema import ClusterConfig, Config
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.mysql.application import ApplicationSession
from failoverd.drivers.ssh.access import AgentAccess
from failoverd.drivers.ssh.breaking import break_server, mend_server
from failoverd.drivers.tasks import ThreadTasks
from failoverd.lab.compare import compared
from failoverd.lab.probing import PROBE_TABLE, TWICE, ClientProbe
from failoverd.lab.reader import NEWEST, Reader
from failoverd.lab.rehearsing import STATE, at_once, open_operation, run_hook
from failoverd.lab.writer import Writer
from failoverd.model.errors import AgentError, ConfigError, FailoverdError, ServerError
from failoverd.model.published import time_text
from failoverd.model.rehearsed import Cast, Document, Ran, Rows, Sight
from failoverd.model.runbook import Fault, FaultStep, Need, ProbeShape
from failoverd.model.sight import Endpoint

Status = Callable[[], Mapping[str, Any]]
Journal = Callable[[], tuple[Document, ...]]
Agent = Callable[[str], AgentAccess]
_GLANCE: Final = 0.5
_STATUS_EVERY: Final = 0.5
_PATIENCE: Final = 5.0


class ClusterGround:
    """Implements the ground of a drill on a cluster of the configuration; who may do so was judged before."""

    def __init__(
        self, configuration: tuple[Path, Config], cluster: str, probe: ProbeShape, ways: tuple[Status, Journal, Agent]
    ) -> None:
        self._path, self._config = configuration
        self._cluster = cluster
        self._shape = probe
        self._ask_status, self._journal, self._agent = ways
        self._tasks = ThreadTasks()
        self._clock = SystemClock()
        self._sessions: dict[str, ApplicationSession] = {}
        self._client: ClientProbe | None = None
        self._told: Mapping[str, Any] = {}
        self._told_at = float("-inf")
        self._touched: list[str] = []
        self._began = 0.0
        self._primary = ""
        self._before = 0  # the newest row of earlier drills

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._cluster

    @property
    def section(self) -> ClusterConfig:
        """The cluster's configuration."""
        return self._config.cluster(self._cluster)

    def open(self) -> Cast:
        """Who is who; nothing is touched. Raises FailoverdError where nobody manages the cluster."""
        status = self._ask_status()
        primary, active = status.get("primary"), status.get("active_manager")
        if not primary or not active:
            raise ConfigError("the cluster cannot be rehearsed on", f"primary {primary}, active manager {active}")
        self._began = self._clock.wall().timestamp()
        self._primary = str(primary)
        return Cast(
            primary=str(primary),
            replicas=tuple(server.name for server in self.section.servers if server.name != primary),
            active=str(active),
            standbys=tuple(status.get("standby_managers", ())),
        )

    def slowness(self) -> float:
        """Nobody promised a real cluster's clients less because it is busy."""
        return 1.0

    def lacks(self, need: Need) -> str:
        """Why a need is not met, by what the active manager published."""
        status = self._ask_status()
        silent = [server["name"] for server in status["servers"] if server["agent"] != "ok"]
        found = {
            Need.HEALTHY: "" if status["verdict"] == "healthy" else f"the verdict is {status['verdict']}",
            Need.STANDBY: "" if status["standby_managers"] else f"{status['active_manager']} is alone",
            Need.AGENTS: f"no agent on {', '.join(silent)}" if silent else "",
            Need.TWO_REPLICAS: "" if len(status["servers"]) > 2 else "there is one replica",
            Need.ZOOKEEPER: "" if status["coordination"] == "ok" else f"coordination is {status['coordination']}",
            Need.LOSSLESS: "" if self.section.durability == "lossless" else "durability is async",
        }
        return found[need]

    def probe(self) -> ClientProbe:
        """The client, by the way that the runbook names; its table is made."""
        places = {server.name: server.endpoint for server in self.section.servers}
        way = self._way(places)
        self._asked_by_client(self._primary, PROBE_TABLE)
        ((newest,),) = self._asked_by_client(self._primary, NEWEST)
        self._before = int(str(newest))
        user, password = self._account()
        writer = Writer(way, user, password, self._shape.every)
        writer.database = self.section.drills.database
        writer.go_on_after(self._before)
        reader = Reader(places, user, password, writer) if self._shape.reads else None
        self._client = ClientProbe(writer, reader)
        return self._client

    def _way(self, places: dict[str, Endpoint]) -> dict[str, Endpoint]:
        through = self._shape.through
        if through == "hosts":
            return places
        if through == "vip":
            vip = self.section.traffic.vip
            if vip is None:
                raise ConfigError("the cluster has no virtual address", f"clusters.{self._cluster}.traffic.vip")
            return {"vip": Endpoint(vip.address.partition("/")[0], self.section.servers[0].endpoint.port)}
        host, _, port = through.rpartition(":")
        return {through: Endpoint(host, int(port))}

    def look(self) -> Sight:
        """Every server is asked over the network, by the manager's account; who does not answer is not seen."""
        at = self._clock.wall().timestamp()
        names = {server.endpoint.host: server.name for server in self.section.servers}
        questions = {server.name: self._question(server.name) for server in self.section.servers}
        told = self._tasks.gather(questions, 2 * _GLANCE)
        writers, follows = [], {}
        for server, row in told.items():
            if isinstance(row, Exception):
                continue
            closed, source, receiver, applier = row
            if closed == 0:
                writers.append(server)
            if (receiver, applier) == ("ON", "ON"):
                follows[server] = names.get(str(source), str(source))
        status = self._status()
        return Sight(
            at=at,
            writers=at_once(sorted(writers), self._takes_writes),
            follows=follows,
            verdict=str(status.get("verdict") or ""),
            primary=str(status.get("primary") or ""),
            manager=str(status.get("active_manager") or ""),
            operation=open_operation(status),
        )

    def _takes_writes(self, server: str) -> bool:
        try:
            return self._question(server)()[0] == 0
        except ServerError:
            return False

    def _question(self, server: str) -> Callable[[], tuple[object, ...]]:
        mysql = self._config.access(self._cluster, server).mysql
        place = self._config.server(self._cluster, server).endpoint

        def ask() -> tuple[object, ...]:
            session = self._sessions.pop(server, None)
            if session is None:
                session = ApplicationSession(place, mysql.user, mysql.password_file.reveal(), "", _GLANCE)
            try:
                (row,) = session.execute(STATE)
            except ServerError:
                session.close()
                raise
            self._sessions[server] = session
            return row

        return ask

    def _status(self) -> Mapping[str, Any]:
        if self._clock.now() - self._told_at > _STATUS_EVERY:
            try:
                self._told = self._ask_status()
            except FailoverdError:
                self._told = {}
            self._told_at = self._clock.now()
        return self._told

    def fault(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        """Let agents do it, each with its timer, or end it before its time."""
        del peers
        if step.fault in {Fault.THAW, Fault.HEAL}:
            left = self._mend(names or tuple(self._touched))
            if left:
                raise FailoverdError("a fault could not be ended before its time", "; ".join(left))
            return "ended"
        for name in names:
            self._touched.append(name)
            (row,) = self._asked_by_client(name, "SELECT @@server_uuid")
            epoch = int(self._ask_status()["epoch"])
            break_server(self._agent(name), str(step.fault), str(row[0]), step.lasts, epoch)
        return f"{step.fault} {', '.join(names)}, for {step.lasts:g} s at most"

    def _mend(self, names: tuple[str, ...]) -> tuple[str, ...]:
        left = []
        for name in dict.fromkeys(names):
            try:
                mend_server(self._agent(name))
            except AgentError as error:
                left.append(f"{name}: {error}; it ends by itself")
        return tuple(left)

    def command(self, words: tuple[str, ...], seconds: float) -> Ran:
        """Run a failoverd command with this configuration."""
        argv = [sys.executable, "-m", "failoverd", "-c", str(self._path), *words]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise FailoverdError(f"failoverd {' '.join(words)} did not end", f"within {seconds:g} s") from error
        return Ran(done.returncode, (done.stderr or done.stdout).strip()[-600:])

    def hook(self, program: str, around: Mapping[str, str], seconds: float) -> Ran:
        """Run a program of people's own here."""
        return run_hook(program, {**around, "FAILOVERD_CONFIG": str(self._path)}, seconds)

    def caught_up(self) -> bool:
        """Whether every server that answers holds what the first one that takes writes holds."""
        writers = self.look().writers
        if len(writers) != 1:
            return False
        ((wanted,),) = self._asked_by_client(writers[0], "SELECT @@GLOBAL.gtid_executed")
        others = [server.name for server in self.section.servers if server.name not in writers]
        question = "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)"
        return all(self._asked_by_client(name, question, str(wanted)) == ((1,),) for name in others)

    def operations(self) -> tuple[Document, ...]:
        """What was begun since the drill opened."""
        began = str(time_text(self._began))
        return tuple(one for one in self._journal() if str(one["started"]) >= began)

    def rows(self, server: str) -> Rows:
        """The client's list against that server's rows."""
        if self._client is None:
            raise FailoverdError("there was no client")
        present = {
            int(str(row[0]))
            for row in self._asked_by_client(server, "SELECT n FROM numbered WHERE n > %s", self._before)
        }
        found = compared(present, self._client.writer.account)
        ((twice,),) = self._asked_by_client(server, TWICE, self._before)
        return Rows(server, found.acknowledged, found.lost, found.strange, int(str(twice)))

    def facts(self) -> Mapping[str, str]:
        """Versions, and the policy under which it was done."""
        policy = self._config.policy(self._cluster)
        return {
            "failoverd": __version__,
            "Python": platform.python_version(),
            "ground": f"cluster {self._cluster}: {', '.join(server.name for server in self.section.servers)}",
            "durability": self.section.durability,
            "settings": f"digest {policy.digest[:12]}",
        }

    def settings(self) -> Mapping[str, str]:
        """What is in effect, by the configuration."""
        return policy_in_effect(read(self._path), self._cluster)

    def close(self) -> tuple[str, ...]:
        """End every fault that is still under way, and every session."""
        left = self._mend(tuple(self._touched))
        self._touched.clear()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        return left

    def _account(self) -> tuple[str, str]:
        drills = self.section.drills
        return drills.user, "" if drills.password_file is None else drills.password_file.reveal()

    def _login(self, place: Endpoint) -> ApplicationSession:
        return ApplicationSession(place, *self._account(), self.section.drills.database, _PATIENCE)

    def _asked_by_client(self, server: str, text: str, *values: object) -> tuple[tuple[object, ...], ...]:
        session = self._login(self._config.server(self._cluster, server).endpoint)
        try:
            return session.execute(text, *values)
        finally:
            session.close()
