"""A lab as the ground of a drill: brought up for it, watched by managers, written to by a client, and taken down."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from failoverd import __version__
from failoverd.config.explain import policy_in_effect
from failoverd.config.load import read
from failoverd.drivers.failpoint import VARIABLE
from failoverd.lab.breaking import Breaking
from failoverd.lab.compare import compare
from failoverd.lab.lab import Lab, Options
from failoverd.lab.layout import Kind
from failoverd.lab.leading import Balancer, balancer_address, lead, virtual_address
from failoverd.lab.managers import Managers
from failoverd.lab.probing import PROBE_TABLE, TWICE, ClientProbe
from failoverd.lab.processes import state, wait_until
from failoverd.lab.reader import Reader
from failoverd.lab.writer import MYSQL_PORT, Writer, writer_for
from failoverd.model.counted import counted
from failoverd.model.errors import FailoverdError, ServerError
from failoverd.model.rehearsed import Cast, Document, Ran, Rows, Sight
from failoverd.model.runbook import FaultStep, LabShape, Need, ProbeShape
from failoverd.model.sight import Endpoint

CLUSTER = "shop"
PREFIX = "drill-"
STATE = """
SELECT @@GLOBAL.read_only + @@GLOBAL.super_read_only,
  (SELECT HOST FROM performance_schema.replication_connection_configuration WHERE CHANNEL_NAME = ''),
  (SELECT SERVICE_STATE FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''),
  (SELECT SERVICE_STATE FROM performance_schema.replication_applier_status WHERE CHANNEL_NAME = '')
"""
_PATIENCE = 90.0
_GLANCE = 0.5  # seconds that one server may take to answer one look


class LabGround:
    """Implements the ground of a drill on a lab of its own."""

    def __init__(self, shape: LabShape, probe: ProbeShape, say: Callable[[str], None]) -> None:
        self._shape = shape
        self._probe_shape = probe
        self._say = say
        self._lab: Lab | None = None
        self._managers: Managers | None = None
        self._breaking: Breaking | None = None
        self._balancer: Balancer | None = None
        self._began = 0.0
        self._load = 0.0
        self._journal: dict[str, Document] = {}

    @property
    def name(self) -> str:
        """Labs have one cluster."""
        return CLUSTER

    @property
    def lab(self) -> Lab:
        """The lab that is up. Raises FailoverdError before `open`."""
        if self._lab is None:
            raise FailoverdError("the lab of the drill is not up")
        return self._lab

    @property
    def managers(self) -> Managers:
        """Its managers. Raises FailoverdError before `open`."""
        if self._managers is None:
            raise FailoverdError("the lab of the drill is not up")
        return self._managers

    @property
    def breaking(self) -> Breaking:
        """What breaks things. Raises FailoverdError before `open`."""
        if self._breaking is None:
            raise FailoverdError("the lab of the drill is not up")
        return self._breaking

    def open(self) -> Cast:
        """Bring the lab up and let managers watch it; the first one may carry the runbook's failpoint."""
        Lab.take_down_orphans()
        self._load = os.getloadavg()[0]
        shape = self._shape
        self._lab = Lab.up(
            Options(
                name=f"{PREFIX}{os.getpid()}",
                replicas=shape.replicas,
                managers=shape.managers,
                zookeepers=shape.zookeepers,
                lossless=shape.lossless,
                supervised=shape.supervised,
                performance_schema=shape.performance_schema,
                disk_mb=shape.disk_mb,
                settings=nested(shape.settings),
            ),
            self._say,
        )
        self._managers = Managers(self._lab)
        self._breaking = Breaking(self._lab, self._managers, self.caught_up)
        if self._probe_shape.through in {"vip", "haproxy"}:
            lead(self._lab)
            self._balancer = Balancer(self._lab)
            self._balancer.start()
        return self._watched()

    def _watched(self) -> Cast:
        names = [host.name for host in self.lab.layout.of_kind(Kind.MANAGER)]
        first, *others = names
        self.managers.start(first, {VARIABLE: self._shape.failpoint} if self._shape.failpoint else None)
        wait_until(
            lambda: self.managers.kept(first).get("active_manager") == first,
            deadline=_PATIENCE,
            what=f"{first} as the active manager",
        )
        for name in others:
            self.managers.start(name)
        status = self.managers.wait_ready(standbys=len(others), timeout=_PATIENCE)
        self._say(f"{status['active_manager']} watches, {', '.join(status['standby_managers']) or 'nobody'} stands by")
        self._began = time.time()
        primary = str(status["primary"])
        self.lab.sql(primary, f"USE app; {PROBE_TABLE}")
        return Cast(
            primary=primary,
            replicas=tuple(name for name in self.lab.servers if name != primary),
            active=str(status["active_manager"]),
            standbys=tuple(status["standby_managers"]),
            zookeepers=tuple(host.name for host in self.lab.layout.of_kind(Kind.ZOOKEEPER)),
        )

    def slowness(self) -> float:
        """Processes that wanted a processor, for each processor there is, in the minute before the lab came up."""
        return max(1.0, round(self._load / (os.cpu_count() or 1), 1))

    def lacks(self, need: Need) -> str:
        """What the loader has not seen to already: the lab is healthy and whole, or it would not be open."""
        del need
        return ""

    def probe(self) -> ClientProbe:
        """The client, by the way that the runbook names."""
        shape = self._probe_shape
        writer = self._writer(shape)
        reader = None
        if shape.reads:
            servers = {host.name: Endpoint(host.address, MYSQL_PORT) for host in self.lab.layout.servers}
            reader = Reader(servers, "app", self.lab.password("app"), writer)
        made = ClientProbe(writer, reader)
        self.breaking.probe = made
        return made

    def _writer(self, shape: ProbeShape) -> Writer:
        if shape.through == "hosts":
            return writer_for(self.lab, shape.every)
        place = {
            "vip": Endpoint(virtual_address(self.lab), MYSQL_PORT),
            "haproxy": Endpoint(balancer_address(self.lab), MYSQL_PORT),
        }.get(shape.through)
        if place is None:
            host, _, port = shape.through.rpartition(":")
            place = Endpoint(host, int(port))
        return Writer({shape.through: place}, "app", self.lab.password("app"), shape.every)

    def look(self) -> Sight:
        """Every server that runs is asked over its socket; one that nobody can reach takes no client's write."""
        at = time.time()
        names = {host.address: host.name for host in self.lab.layout.servers}
        writers, follows = [], {}
        for server in self.lab.servers:
            told = self._asked(server)
            if told is None:
                continue
            closed, source, receiver, applier = told
            if closed == 0 and server not in self.breaking.cut_off:
                writers.append(server)
            if (receiver, applier) == ("ON", "ON"):
                follows[server] = names.get(str(source), str(source))
        status = self._status()
        return Sight(
            at=at,
            writers=at_once(writers, self._takes_writes),
            follows=follows,
            verdict=str(status.get("verdict") or ""),
            primary=str(status.get("primary") or ""),
            manager=str(status.get("active_manager") or ""),
            operation=open_operation(status),
        )

    def _takes_writes(self, server: str) -> bool:
        told = self._asked(server)
        return told is not None and told[0] == 0

    def _asked(self, server: str) -> tuple[object, ...] | None:
        pid = self.lab.mysqld_pid(server)
        if not pid or state(pid) == "T":
            return None
        try:
            (row,) = self.lab.sql(server, STATE, deadline=_GLANCE)
        except ServerError:
            return None
        return row

    def _status(self) -> Mapping[str, Any]:
        """What the active manager last said, else the newest word of any."""
        names = [host.name for host in self.lab.layout.of_kind(Kind.MANAGER)]
        kept = [(name, self.managers.kept(name)) for name in names]
        known = [(found.get("active_manager") == name, str(found.get("seen")), found) for name, found in kept if found]
        return max(known, key=lambda one: (one[1][:19], one[0]), default=(False, "", {}))[2]

    def fault(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        """Break something, or take it back."""
        return self.breaking.do(step, names, peers)

    def command(self, words: tuple[str, ...], seconds: float) -> Ran:
        """Run a failoverd command where people's commands run."""
        try:
            done = self.managers.command(*words, deadline=seconds)
        except subprocess.TimeoutExpired as error:
            raise FailoverdError(f"failoverd {' '.join(words)} did not end", f"within {seconds:g} s") from error
        return Ran(done.returncode, (done.stderr or done.stdout).strip()[-600:])

    def hook(self, program: str, around: Mapping[str, str], seconds: float) -> Ran:
        """Run a program of people's own on this machine."""
        return run_hook(program, {**around, "FAILOVERD_CONFIG": str(self.lab.config_path)}, seconds)

    def caught_up(self) -> bool:
        """Whether every replica that answers has executed what the writable one has."""
        writable = [server for server in self.lab.servers if (told := self._asked(server)) and told[0] == 0]
        if len(writable) != 1:
            return False
        ((wanted,),) = self.lab.sql(writable[0], "SELECT @@GLOBAL.gtid_executed")
        question = f"SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)"
        others = [server for server in self.lab.servers if server not in writable and self._asked(server)]
        return all(self.lab.sql(server, question) == ((1,),) for server in others)

    def operations(self) -> tuple[Document, ...]:
        """The journal with all steps, by the commands that people use."""
        listed = [str(one["operation"]) for one in self._json("ops", "list").get("operations", [])]
        for one in listed:
            if self._journal.get(one, {}).get("outcome") not in {"done", "refused", "undone"}:  # these are closed
                self._journal[one] = self._json("ops", "show", one)
        return tuple(self._journal[one] for one in listed)

    def _json(self, *words: str) -> Mapping[str, Any]:
        done = self.managers.command(*words, "--json")
        try:
            found: Mapping[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            found = {}
        return found

    def rows(self, server: str) -> Rows:
        """The client's list against that server's rows."""
        if self.breaking.probe is None:
            raise FailoverdError("there was no client")
        compared = compare(self.lab, server, self.breaking.probe.writer.account)
        ((twice,),) = self.lab.sql(server, f"USE app; {TWICE % 0}")
        strange = tuple(number for number in compared.strange if number < 10**9)
        return Rows(server, compared.acknowledged, compared.lost, strange, int(str(twice)))

    def facts(self) -> Mapping[str, str]:
        """Versions, and the lab's shape."""
        alive = [server for server in self.lab.servers if self._asked(server)]
        version = str(self.lab.sql(alive[0], "SELECT VERSION()")[0][0]) if alive else "unknown"
        shape = self._shape
        settings = ", ".join(f"{key}={value}" for key, value in shape.settings) or "the defaults"
        hosts = f"{counted(shape.replicas, 'replica')}, {counted(shape.managers, 'manager')}"
        return {
            "failoverd": __version__,
            "MySQL": version,
            "Python": platform.python_version(),
            "ground": f"a lab: {hosts}, {shape.zookeepers} ZooKeeper",
            "machine": f"{os.cpu_count()} processors, load {self._load:.2f} before the lab came up",
            "durability": "lossless" if shape.lossless else "async",
            "settings": settings,
        }

    def settings(self) -> Mapping[str, str]:
        """What is in effect, by the configuration."""
        return policy_in_effect(read(self.lab.config_path), CLUSTER)

    def close(self) -> tuple[str, ...]:
        """End the managers and the lab; what could not be ended, in words."""
        left = []
        for what, end in (("managers", self._end_managers), ("lab", self._end_lab)):
            try:
                end()
            except (FailoverdError, OSError, subprocess.SubprocessError) as error:
                left.append(f"{what}: {error}")
        return tuple(left)

    def _end_managers(self) -> None:
        if self._balancer is not None:
            self._balancer.stop()
            self._balancer = None
        if self._managers is not None:
            self._managers.stop()
            self._managers = None

    def _end_lab(self) -> None:
        name = f"{PREFIX}{os.getpid()}"
        if name in Lab.names():
            self._say("taking the lab down")
            Lab.take_down(name)
        self._lab = None


def nested(settings: tuple[tuple[str, str], ...]) -> Mapping[str, object]:
    """Keys of the cluster's section, dotted, as the configuration nests them."""
    section: dict[str, Any] = {}
    for key, value in settings:
        *above, last = key.split(".")
        place = section
        for part in above:
            place = place.setdefault(part, {})
        place[last] = plain(value)
    return {"clusters": {CLUSTER: section}} if section else {}


def plain(text: str) -> object:
    """A setting's text as the value that YAML would see in it."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdigit() else text


def at_once(found: Sequence[str], takes_writes: Callable[[str], bool]) -> tuple[str, ...]:
    """Who of those found writable, one after the other, is so still: only then have two of them been so at once.

    A planned change between two answers of one look would be taken for two writers otherwise.
    """
    return tuple(found) if len(found) < 2 else tuple(server for server in found if takes_writes(server))


def open_operation(status: Mapping[str, Any]) -> bool:
    """Whether something is being done that goes on by itself."""
    operation = status.get("operation") or {"outcome": "needs-person"}
    return bool(operation.get("outcome") != "needs-person")


def run_hook(program: str, around: Mapping[str, str], seconds: float) -> Ran:
    """Run a program to its end with this added to its environment. Raises FailoverdError where it does not end."""
    try:
        done = subprocess.run(
            [program], env={**os.environ, **around}, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailoverdError(f"the hook {program} was not done", str(error)) from error
    return Ran(done.returncode, (done.stderr or done.stdout).strip()[-600:])
