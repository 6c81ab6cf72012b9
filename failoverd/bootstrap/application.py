"""What the commands ask for."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping

from failoverd.bootstrap.access import order_for
from failoverd.bootstrap.build import Built, build, copies_folder
from failoverd.bootstrap.journals import Journals
from failoverd.bootstrap.run import run_manager
from failoverd.config.install import Install
from failoverd.config.schema import Config
from failoverd.decide.grants import held
from failoverd.decide.rights import rights_findings
from failoverd.drivers.account import leave_root_for
from failoverd.drivers.control import WAITING, Visitor
from failoverd.drivers.ssh.install import install as put_agent
from failoverd.drivers.ssh.zipapp import shipped
from failoverd.drivers.system_log import note
from failoverd.model.control import Controls, Standing, Wishes
from failoverd.model.errors import FailoverdError
from failoverd.model.finding import Finding
from failoverd.model.history import Pause
from failoverd.model.plans import Plan, Request, Requester
from failoverd.model.settings import InForce
from failoverd.observe.fanout import ask_all
from failoverd.service import checking, desk, logs, pausing
from failoverd.service.errant import Wanted
from failoverd.service.shown import elsewhere

Document = Mapping[str, object]


class Application:
    """What the commands ask for; drivers are built when the first method needs them, and ended with the process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._drivers: Built | None = None
        logs.configure("warning")

    def run(self, read_again: Callable[[], Config]) -> int:
        """Be the manager until a signal ends it; the exit code."""
        leave_root_for(self._config.manager.state_dir)
        return run_manager(self._config, read_again)

    def status(self, cluster: str | None) -> Document:
        """The published status of one or all clusters, or our own look where nobody publishes."""
        built = self._built()
        clusters = {name: desk.status(built.world(name)) for name in self._names(cluster)}
        return {"clusters": list(clusters.values())}

    def check(self, cluster: str | None) -> tuple[Finding, ...]:
        """Everything a failover will need, tried, read-only."""
        found: list[Finding] = []
        built = self._built()
        for name in self._names(cluster):
            found += checking.check(built.world(name), self._answers(built, name))
        return tuple(found)

    def plan(self, cluster: str, kill: tuple[str, ...], to: str) -> Plan:
        """What would happen if the named servers were dead."""
        return desk.plan(self._built().world(cluster), kill, to)

    def foresee(self, request: Request) -> Plan:
        """What this request would lead to in the world as it is."""
        return desk.foresee_request(self._built().world(request.cluster), request)

    def failover(
        self, request: Request, on_progress: Callable[[str], None], gives_up: Callable[[], bool] | None = None
    ) -> Document:
        """Run the operation, or hand it to the active manager and follow it."""
        built = self._built()
        with built.rooms.interruptible(on_progress):
            return desk.failover(built.world(request.cluster), request, on_progress, gives_up or desk.never)

    def rejoin_plan(self, request: Request) -> Plan:
        """What attaching a server would do."""
        return desk.rejoin_plan(self._built().world(request.cluster), request)

    def errant(self, cluster: str, wanted: Wanted) -> Document:
        """What servers have made for themselves."""
        return desk.errant_told(self._built().world(cluster), wanted)

    def repair_plan(self, cluster: str, server: str) -> Plan:
        """What a repair would do."""
        return desk.repair_plan(self._built().world(cluster), server)

    def repair(self, request: Request, on_progress: Callable[[str], None]) -> Document:
        """Mend a replica's relay log, or hand that to the active manager and follow it."""
        return self.failover(request, on_progress)

    def pause(self, cluster: str, pause: Pause, dry_run: bool) -> Document:
        """Record a pause."""
        return pausing.pause(self._built().world(cluster), pause, dry_run)

    def unpause(self, cluster: str, server: str, dry_run: bool) -> Document:
        """End a pause."""
        return pausing.unpause(self._built().world(cluster), server, dry_run)

    def initialise(self, cluster: str, adopt: bool) -> Document:
        """Write the first epoch, or one above all that agents remember."""
        return desk.initialise(self._built().world(cluster), adopt)

    def in_force(self) -> Mapping[str, InForce]:
        """What the active manager of each cluster runs with."""
        return self._built().coordination.in_force()

    def operations(self, cluster: str | None) -> tuple[Document, ...]:
        """All operations of one or all clusters, newest first."""
        return self._journals().operations(self._names(cluster))

    def operation(self, operation: str) -> Document | None:
        """One operation with its steps and journal."""
        return self._journals().operation(operation)

    def say(self, cluster: str, line: str) -> Document:
        """Say a line to the operation that runs on this host; where it runs elsewhere, the error says where."""
        try:
            return Visitor(self._config.manager.run_dir).say(cluster, line)
        except FailoverdError as nobody:
            raise elsewhere(self._built().world(cluster), nobody) from None

    def controls(self, standing: Standing) -> Controls:
        """Let people of this host talk to a command that waits."""
        return self._built().rooms.open(f"{WAITING}{os.getpid()}", standing, Wishes())

    def note(self, what: str, by: Requester) -> bool:
        """Tell this host's log."""
        return note(what, by)

    def agents_install(self, install: Install, on_progress: Callable[[str], None]) -> tuple[Document, ...]:
        """Put the agent on the hosts, one after the other."""
        zipapp, sha256 = shipped()
        names = install.servers or tuple(server.name for server in self._config.cluster(install.cluster).servers)
        told = []
        for name in names:
            on_progress(f"{name}: installing")
            told.append(put_agent(order_for(self._config, install, name), zipapp, sha256))
        return tuple(told)

    def agents_check(self, cluster: str) -> tuple[Finding, ...]:
        """Ask each agent to prove every right it needs."""
        built = self._built()
        names = [server.name for server in self._config.cluster(cluster).servers]
        desk.own_look(desk.patient(built.world(cluster)))  # tells the agents where their servers are
        answers = ask_all(built.tasks, names, lambda name: built.agents.check(cluster, name, 5.0), 5.0)
        return tuple(finding for name in names for finding in rights_findings(cluster, name, answers[name]))

    def _built(self) -> Built:
        if self._drivers is None:
            leave_root_for(self._config.manager.state_dir)
            self._drivers = build(self._config)
            atexit.register(self._drivers.close)
        return self._drivers

    def _journals(self) -> Journals:
        built = self._built()
        return Journals(built.coordination, built.clock, copies_folder(self._config))

    def _names(self, cluster: str | None) -> tuple[str, ...]:
        return (cluster,) if cluster else tuple(self._config.clusters)

    def _answers(self, built: Built, cluster: str) -> checking.Answers:
        """What every server that answers says of our rights and of its replicas."""
        names = [server.name for server in self._config.cluster(cluster).servers]
        grants = ask_all(built.tasks, names, lambda name: built.servers.grants(cluster, name, 2.0), 2.0)
        probe = self._config.policy(cluster).detection.write_probe
        table = probe.table if probe is not None else ""
        used = ask_all(built.tasks, names, lambda name: built.servers.features(cluster, name, table, 2.0), 2.0)
        followers = ask_all(built.tasks, names, lambda name: built.servers.followers(cluster, name, 2.0), 2.0)
        return checking.Answers(
            {name: held(rows) for name, rows in grants.items() if not isinstance(rows, Exception)},
            {name: found for name, found in followers.items() if not isinstance(found, Exception)},
            {name: found for name, found in used.items() if not isinstance(found, Exception)},
        )


def open_app(config: Config) -> Application:
    """The application on this configuration."""
    return Application(config)
