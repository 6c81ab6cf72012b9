"""What the core needs from the world, as Protocols: servers, agents, coordination, time and side-by-side work.

Every call has a deadline in seconds. Drivers implement these; a simulated world can implement them too, so decisions,
plans, execution and service never see a socket, a clock or a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from failoverd.gtid import GtidSet
from failoverd.model.durability import Durability
from failoverd.model.events import Event
from failoverd.model.history import Pause, Recorded
from failoverd.model.hooks import HookCall, HookResult, Point
from failoverd.model.host import FenceProof, Holding, HostSight, LogKind, Lot, ProbeReport, Spliced, Verified
from failoverd.model.journal import Unfinished
from failoverd.model.plans import Entry, Operation, Report, Request
from failoverd.model.sight import Endpoint, ServerState, Sight
from failoverd.model.stall import Blocker, Stall
from failoverd.model.traffic import BalancerSight, Steering, Vip
from failoverd.model.work import Work
from failoverd.model.writing import Unwritten, WriteProbe

T = TypeVar("T")
Holdings = tuple[Holding, ...]
Progress = Callable[[int, int], None]  # bytes done, bytes in all


class Clock(Protocol):
    """Time. `now` counts suspends (BOOTTIME) and is for intervals; `wall` is UTC and for people."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def wall(self) -> datetime:
        """The time of day, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait, and nothing else."""


class Wakeups(Protocol):
    """What ends the cycle's rest early: a lost connection, a changed lock, a request, a signal."""

    def wait(self, seconds: float) -> frozenset[str]:
        """Rest up to that long; the reasons that ended it, empty when time ran out."""

    def ring(self, reason: str) -> None:
        """End the rest now; safe from any thread and from signal handlers."""


class Tasks(Protocol):
    """Side-by-side work."""

    def gather(self, calls: Mapping[str, Callable[[], T]], deadline: float) -> Mapping[str, T | Exception]:
        """Run all calls side by side; for each key its value or its error. A call that is not back by the deadline is
        answered with `TimedOut` whatever it does later. Never raises, names every key.
        """

    def start(self, name: str, call: Callable[[], None]) -> None:
        """Start a long-lived worker; an error that leaves it ends the process."""


class Lease(Protocol):
    """Proof of being the active manager of one cluster, for as long as `check` does not raise."""

    @property
    def epoch(self) -> int:
        """Grows with each taking of the lock."""

    def check(self) -> None:
        """Raise LockLost unless the lease is provably alive at this moment. Latched: once lost, always lost."""


class ClaimedServer(Protocol):
    """One server under our session lock: the only way to change anything on it.

    Every statement runs on the claimed session, which is never re-opened silently; a lost session raises ServerError
    and the server must be claimed again. Each statement has a server-side limit shorter than the client's.
    """

    @property
    def name(self) -> str:
        """The server's name."""

    def read(self) -> ServerState:
        """Its state, read on the claimed session."""

    def stop_receiver(self, timeout: float) -> None:
        """Stop the receiver of the default channel and confirm that it is off."""

    def start_receiver(self) -> None:
        """Start the receiver of the default channel."""

    def start_applier(self, channel: str) -> None:
        """Start the applier of a channel."""

    def disarm_source(self) -> None:
        """Point the default channel at a name that never resolves, with the applier running: relay logs are kept."""

    def follow(self, source: Endpoint, keep: Callable[[], None]) -> GtidSet:
        """Let the default channel follow another source, its options kept; one is made where there is none.
        `keep` is called first where relay logs are needed; StepFailed where the applier does not run either.
        Gives what went all the same, because the applier died; it is fetched anew.
        """

    def refetch(self, source: Endpoint, elsewhere: GtidSet) -> None:
        """Begin new relay logs for the default channel and fetch from `source`. Raises StepFailed where something
        received is neither executed nor `elsewhere`: its relay logs would be the last copy.
        """

    def forget_source(self) -> None:
        """Stop and remove the default channel. Raises StepFailed where received is not inside executed."""

    def adopt_spliced(self, relay_log_file: str, size: int = 0) -> GtidSet:
        """Make the splice channel read laid-out files and start its applier; what the server says they hold, nothing
        where it does not say it. Their size in bytes bounds how long that may take.
        """

    def drop_spliced(self) -> None:
        """Stop and remove the splice channel; nothing happens where there is none."""

    def wait_executed(self, gtids: GtidSet, seconds: float) -> bool:
        """Whether the server has executed them all by then."""

    def kill_partial(self) -> int:
        """End workers that sit in a half-received transaction; returns how many."""

    def stalled_by(self) -> Stall:
        """Who and what holds its appliers up now."""

    def end_blocker(self, blocker: Blocker) -> bool:
        """End a session that still holds an applier up; never a thread of the server's own or of replication."""

    def acknowledge(self) -> None:
        """Let it acknowledge what it receives (semi-sync) and wait for nobody itself."""

    def await_acks(self, wait_count: int) -> None:
        """Let its commits wait for that many replicas, without any limit; whether there are any is not asked."""

    def stop_waiting(self) -> None:
        """Let a closed server wait for nobody. Raises StepFailed where a commit may be waiting."""

    def give_up_acks(self) -> None:
        """Let its commits wait for nobody: those that wait are answered OK, and no replica has them."""

    def durability(self) -> Durability:
        """What it forces to its disk at each commit, read now."""

    def set_durability(self, wanted: Durability) -> None:
        """Let it force that much from now on, SET GLOBAL only; where that is more, what it has is forced, too."""

    def open_writes(self) -> ServerState:
        """SET GLOBAL read_only = OFF; its state as read back. Never persisted."""

    def close_writes(self, lock_wait: float) -> None:
        """SET GLOBAL super_read_only = ON, waiting shortly for locks, read back; offline_mode only as a crowbar."""

    def stay_closed(self) -> None:
        """Let a closed server come back closed from every restart; StepFailed where it is open, or does not show it."""

    def work(self) -> tuple[Work, ...]:
        """What is going on there that closing would break or wait for, as far as it can be seen."""

    def end_work(self, work: Work) -> bool:
        """End the session of a piece of work that still goes on; never one that must not be ended."""

    def prepared(self) -> tuple[str, ...]:
        """Its prepared XA transactions; ServerError where the account may not see them."""

    def load(self, variable: str) -> float:
        """A status variable, read now. StepFailed where it has none of that name, or no number."""

    def asked(self, query: str, seconds: float) -> float:
        """What people's own SELECT says, 0 for nothing; it can change nothing and is ended after `seconds`."""

    def events_asleep(self) -> tuple[Event, ...]:
        """The events that it keeps disabled because it was a replica; only those that our account may see."""

    def try_close(self, seconds: float) -> bool:
        """SET GLOBAL super_read_only = ON; False where locks were in the way that long, TimedOut where its outcome is
        unknown: the claim is lost then.
        """

    def final_set(self) -> GtidSet:
        """What a closed server holds and will hold. StepFailed where it is open, or where something is prepared."""

    def keep_out(self) -> int:
        """SET GLOBAL offline_mode = ON, and end clients that may stay in spite of it; how many were ended."""

    def let_in(self) -> None:
        """SET GLOBAL offline_mode = OFF."""

    def end_clients(self) -> int:
        """End client sessions other than replication and our own; returns how many."""

    def release(self) -> None:
        """Give the locks back and close the session."""


class Servers(Protocol):
    """The MySQL servers of all clusters."""

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on its monitoring session, opening one if needed. Never raises for what a server does."""

    def connect_again(self, cluster: str, server: str, timeout: float) -> Sight:
        """The same on a new connection, whatever the monitoring session says."""

    def claim(self, cluster: str, server: str, lease: Lease, timeout: float) -> ClaimedServer:
        """Take the session lock; FencedOut where a higher epoch holds it, ServerError where it cannot be had."""

    def try_write(self, cluster: str, server: str, probe: WriteProbe, uuid: str, lease: Lease) -> Unwritten | None:
        """Begin a write if one is due and the server may take it; says at once since when none has come to its end."""


class Agents(Protocol):
    """The agents on the database hosts."""

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        """What is true on that host now. Never raises for what a host does."""

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        """A complete login to `target` from the host of `origin`; None where that agent cannot be asked."""

    def remember(self, cluster: str, state: ServerState) -> None:
        """Tell the agent where its server keeps data and logs, so that all works with mysqld dead."""

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        """What the log files of that host hold beyond `lacking`; problems are part of the answer."""

    def scan_kept(
        self, cluster: str, server: str, names: tuple[str, ...], lacking: GtidSet, timeout: float
    ) -> Holdings:
        """What only links made there under these names hold beyond `lacking`, by kind of log; problems too."""

    def transfer(self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot) -> Spliced:
        """Copy exactly the wanted transactions, or the first of them as the lot says, from the logs of one host beside
        another's relay logs. The policy's salvage time-out bounds the time without progress. Raises AgentError.
        """

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        """Name what lies aside as the splice channel's, which is gone; its first file. Raises AgentError, FencedOut."""

    def verify(self, cluster: str, server: str, file: str, position: int, timeout: float) -> Verified:
        """What an applier can read and not get to from its place on: a relay log and an offset in it."""

    def keep(self, cluster: str, server: str, lease: Lease, operation: str, kind: LogKind | None = None) -> int:
        """Hard-link all log files, or the newest of a kind, under a name; how many. Raises AgentError or FencedOut."""

    def trim(self, cluster: str, server: str, lease: Lease, held: GtidSet) -> str:
        """Remove the links of troubles, which are over; what is not `held` stays and is told. Raises as `keep` does."""

    def clean_spliced(self, cluster: str, server: str, lease: Lease) -> None:
        """Remove files that a transfer has left, those aside too."""

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        """Keep logs, hold the restart, kill, prove, mark. Raises FencedOut or AgentError."""

    def release(self, cluster: str, server: str, lease: Lease) -> None:
        """End the hold of a fence with an equal or lower epoch."""

    def take_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Bring the virtual address there, tell the neighbours; whether it was away. FencedOut, AgentError (fenced)."""

    def leave_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Take the virtual address away from that host; whether it was there. Raises FencedOut or AgentError."""


class Balancers(Protocol):
    """The HAProxies of all clusters, by their runtime sockets."""

    def look(self, place: str, backend: str, timeout: float) -> BalancerSight:
        """What it believes. Never raises for what a HAProxy does."""

    def steer(self, wanted: Steering, lease: Lease, timeout: float) -> int:
        """Lead clients to one server alone, shut other sessions; changed servers. Raises LockLost, BalancerError."""

    def may_change(self, place: str, backend: str, timeout: float) -> str:
        """Why it would not let us change anything; empty where it would. Changes nothing, and never raises for it."""


class Hooks(Protocol):
    """People's own programs, in the folder of each point below `hooks_dir`."""

    def names(self, folder: str, point: Point) -> tuple[str, ...]:
        """The hooks of a point in their order. Raises HookError where others could have put them there."""

    def run(self, call: HookCall) -> HookResult:
        """Run one to its end, or kill it with its process group at its time-out. Never raises for what it does."""

    def post(self, calls: tuple[HookCall, ...]) -> None:
        """Run hooks of one point aside; what waits for them there is replaced by this."""


class Coordination(Protocol):
    """Lock, epoch, journal and what is published: per cluster."""

    @property
    def kind(self) -> str:
        """`zookeeper` or `local`."""

    def state(self) -> str:
        """`ok`, `lost` or `local`, in the words of the published JSON."""

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
