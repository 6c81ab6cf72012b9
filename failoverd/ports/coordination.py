"""Lock, epoch, journal and what is published, as the core needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from failoverd.model.history import Pause, Recorded
from failoverd.model.host import StandbyWord
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report, Request
from failoverd.model.settings import InForce, Settings
from failoverd.ports.lease import Lease


class Coordination(Protocol):
    """Lock, epoch, journal and what is published: per cluster."""

    @property
    def kind(self) -> str:
        """`zookeeper` or `local`."""

    def state(self) -> str:
        """`ok`, `lost` or `local`, in the words of the published JSON."""

    def tell_settings(self, settings: Mapping[str, Settings]) -> None:
        """What this manager runs each cluster with: told to everybody when it becomes active, and at once where it is.
        Raises nothing while ZooKeeper is away: then it is told later. CoordinationError where this host's own folder
        cannot be written: then the earlier ones stay told.
        """

    def in_force(self) -> Mapping[str, InForce]:
        """What the active manager of each cluster runs with; clusters without one are left out."""

    def campaign(self, cluster: str) -> None:
        """Contend for the cluster's lock from now on; does not wait."""

    def lease(self, cluster: str) -> Lease | None:
        """The lease if we are active now; a new epoch has been taken when it is first returned."""

    def other_settings(self, cluster: str) -> str:
        """The manager that was active before our lease with other settings than ours; empty where there was none."""

    def adopt(self, cluster: str, epoch: int) -> None:
        """Raise the recorded epoch to at least this, or found records that are gone; locks are taken anew then."""

    def resign(self, cluster: str) -> None:
        """Give the lock back at once and stop contending."""

    def holder(self, cluster: str) -> str | None:
        """The name of the active manager, as recorded by its own lock entry."""

    def contenders(self, cluster: str) -> tuple[str, ...]:
        """Names of the standby managers in line."""

    def recorded(self, cluster: str) -> Recorded | None:
        """Who the primary is, as last published."""

    def publish_primary(self, lease: Lease, cluster: str, record: Recorded) -> None:
        """Record the primary, conditional on the lease."""

    def pauses(self, cluster: str) -> tuple[Pause, ...]:
        """The pauses in force, that of the whole cluster first, those of servers by name."""

    def pause(self, cluster: str, pause: Pause) -> None:
        """Record a pause in place of one for the same server or cluster; durable on return. Needs no lease."""

    def unpause(self, cluster: str, server: str) -> None:
        """End the pause of a server, or with an empty name that of the cluster; nothing happens where there is none."""

    def begin(self, lease: Lease, operation: Operation) -> None:
        """Open an operation in the journal, conditional on the lease; returns when it is durable."""

    def write(self, lease: Lease, operation: Operation, entry: Entry, wait: bool) -> None:
        """Append a record; with `wait` it is durable on return, else it is sent and confirmed by `settle`."""

    def settle(self, lease: Lease, operation: Operation, timeout: float) -> None:
        """Wait until every record sent so far is durable."""

    def end(self, lease: Lease, operation: Operation, report: Report) -> None:
        """Close the operation with its report."""

    def open_operation(self, cluster: str) -> str:
        """The id of an operation without an end, empty when there is none."""

    def unfinished(self, cluster: str) -> Unfinished | None:
        """The operation without an end with its whole journal, for whoever goes on with it; CoordinationError where a
        record is damaged or of a later version.
        """

    def operations(self, cluster: str) -> tuple[Mapping[str, object], ...]:
        """All operations as published JSON, newest first, without steps."""

    def operation(self, operation: str) -> Mapping[str, object] | None:
        """One operation with its journal entries, as JSON data."""

    def last_failover_at(self, cluster: str) -> float | None:
        """Wall-clock seconds of the last failover that ended done."""

    def report_failing(self, lease: Lease, cluster: str, since: float) -> None:
        """Let every manager know that this cluster's primary failed at that time (wall-clock seconds)."""

    def failing(self) -> Mapping[str, float]:
        """When the primary of each cluster last failed, as reported by whoever was active for it."""

    def ask_standbys(self, lease: Lease, cluster: str, question: str) -> None:
        """Ask every standby manager to look at the primary now; does not wait for anybody, and a later question takes
        the place of an earlier one.
        """

    def question(self, cluster: str) -> str:
        """What the active manager asked last, empty where it never asked; it rings when there is another one."""

    def testify(self, cluster: str, word: StandbyWord) -> None:
        """Answer the active manager's question, in place of an earlier answer of ours. Needs no lease."""

    def testimonies(self, cluster: str) -> tuple[StandbyWord, ...]:
        """The last answer of every standby manager, to whatever question; `asked_at` is left to whoever asked."""

    def publish_status(self, lease: Lease, cluster: str, status: Mapping[str, object]) -> None:
        """Publish what `failoverd status` shows."""

    def status(self, cluster: str) -> Mapping[str, object] | None:
        """What the active manager last published, None where none is active."""

    def ask(self, request: Request) -> str:
        """Hand a request to the active manager; returns its id."""

    def requests(self, cluster: str) -> tuple[tuple[str, Request], ...]:
        """Requests that wait for the active manager."""

    def answer(self, lease: Lease, cluster: str, request_id: str, body: Mapping[str, object]) -> None:
        """Answer a request, conditional on the lease."""

    def answered(self, cluster: str, request_id: str) -> Mapping[str, object] | None:
        """The answer to a request, None while there is none."""

    def close(self) -> None:
        """Release every lock and end."""
