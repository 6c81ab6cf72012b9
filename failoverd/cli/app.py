"""What the commands ask of the rest: the composition root implements it, tests have a simple stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from failoverd.config.install import Install
from failoverd.config.schema import Config
from failoverd.model.control import Controls, Standing
from failoverd.model.finding import Finding
from failoverd.model.history import Pause
from failoverd.model.plans import Plan, Request, Requester
from failoverd.model.settings import InForce
from failoverd.service.errant import Wanted

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page:
    """The page beside the commands: how it is served, until a signal ends it (SIGHUP asks for the configuration anew),
    and a line for its list of people.
    """

    serve: Callable[[Config, Callable[[], Config]], int]
    line_of: Callable[[str, str], str]


class App(Protocol):
    """The application behind the commands. Every method raises FailoverdError for what people must be told."""

    def run(self, read_again: Callable[[], Config]) -> int:
        """Be the manager until a signal ends it; the exit code. SIGHUP asks for the configuration anew."""

    def status(self, cluster: str | None) -> Document:
        """The published status document of one or all clusters, within 5 s; `active_manager` null is our own look."""

    def check(self, cluster: str | None) -> tuple[Finding, ...]:
        """Everything a failover will need, tried for real, read-only; also what is fine, with severity `ok`."""

    def plan(self, cluster: str, kill: tuple[str, ...], to: str) -> Plan:
        """What would happen if the named servers (none: the primary) were dead and `to` were wanted."""

    def foresee(self, request: Request) -> Plan:
        """What this request would lead to in the world as it is, with the refusals that stand against it."""

    def failover(
        self, request: Request, on_progress: Callable[[str], None], gives_up: Callable[[], bool] | None = None
    ) -> Document:
        """Run the operation, or hand it to the active manager and follow it; its document.

        Ctrl-C: what runs here is taken back, or finished past its point of no return. What a manager does is taken back
        where `gives_up` says so; else it goes on, and that is a FailoverdError.
        """

    def rejoin_plan(self, request: Request) -> Plan:
        """What attaching the server `request.to` would do now, with everything that stands against it."""

    def errant(self, cluster: str, wanted: Wanted) -> Document:
        """What one or all servers have made for themselves, kept where that is wanted; no server is changed."""

    def repair_plan(self, cluster: str, server: str) -> Plan:
        """What a repair of that replica's relay log would do now."""

    def repair(self, request: Request, on_progress: Callable[[str], None]) -> Document:
        """Mend the relay log of the replica `request.to`, here or by the active manager; the operation's document."""

    def pause(self, cluster: str, pause: Pause, dry_run: bool) -> Document:
        """Record a pause; `{"cluster", "server", "paused", "before", "still_paused"}`."""

    def unpause(self, cluster: str, server: str, dry_run: bool) -> Document:
        """End the pause of a server, or with an empty name that of the cluster; the same document."""

    def initialise(self, cluster: str, adopt: bool) -> Document:
        """Write the first epoch, or one above all that agents remember; `{"cluster", "epoch", "agents", "silent"}`."""

    def in_force(self) -> Mapping[str, InForce]:
        """What the active manager of each cluster runs with; clusters without one are left out."""

    def operations(self, cluster: str | None) -> tuple[Document, ...]:
        """All operations of one or all clusters, newest first, without steps. While ZooKeeper is away, those of which
        this host holds a copy, each marked `copied`.
        """

    def operation(self, operation: str) -> Document | None:
        """One operation with its steps, None where the journals know none of that id."""

    def say(self, cluster: str, line: str) -> Document:
        """Say a line to the operation of this cluster that runs on this host; the answer of its control socket."""

    def controls(self, standing: Standing) -> Controls:
        """Let people of this host talk to a command that waits; the caller closes it."""

    def agents_install(self, install: Install, on_progress: Callable[[str], None]) -> tuple[Document, ...]:
        """Put the agent on the hosts; for each server `{"server", "outcome", "key_line", "sudoers_line", "detail"}`."""

    def note(self, what: str, by: Requester) -> bool:
        """Tell this host's log who did what opens no operation; whether it has one."""

    def agents_check(self, cluster: str) -> tuple[Finding, ...]:
        """Ask each agent to prove every right it needs."""
