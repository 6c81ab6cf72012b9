"""MySQL servers, as the core needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from failoverd.gtid import GtidSet
from failoverd.model.cloning import CloneProgress, CloneSide
from failoverd.model.comparing import TableSum
from failoverd.model.divergence import Change
from failoverd.model.durability import Durability
from failoverd.model.events import Event
from failoverd.model.sight import Endpoint, ServerState, Sight
from failoverd.model.stall import Blocker, Stall
from failoverd.model.work import Work
from failoverd.model.writing import Unwritten, WriteProbe
from failoverd.ports.lease import Lease


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

    def inject_empty(self, gtids: GtidSet) -> int:
        """An empty transaction for each of these names that it has not executed; how many. On an open primary only."""

    def replay(self, changes: tuple[Change, ...]) -> int:
        """Make these changes in one transaction; how many rows. StepFailed, nothing changed, where a row is not as it
        was. On an open primary only.
        """

    def mark_unfinished(self) -> None:
        """Let it say, also after a crash, that its data is being overwritten: it is nobody's replica until then."""

    def clone_from(self, donor: Endpoint, heed: Callable[[CloneProgress], None]) -> None:
        """Overwrite all that a closed server has with the donor's data. On return its mysqld is about to end, or to
        start anew, and the claim is lost. `heed` hears how far it is; what it raises ends the clone. StepFailed where
        it did not come to its end: the server is closed, and marked as holding half of a copy.
        """

    def release(self) -> None:
        """Give the locks back and close the session."""


class Servers(Protocol):
    """The MySQL servers of all clusters."""

    def look(self, cluster: str, server: str, timeout: float) -> Sight:
        """Read one server on its monitoring session, opening one if needed. Never raises for what a server does."""

    def begin_look(self, cluster: str, server: str) -> bool:
        """Ask one server without waiting, if a session is open: whether `look`, which must follow, only has to hear."""

    def connect_again(self, cluster: str, server: str, timeout: float) -> Sight:
        """The same on a new connection, whatever the monitoring session says."""

    def clone_side(self, cluster: str, server: str, timeout: float) -> CloneSide:
        """What it has for a clone. Never raises for what a server does."""

    def table_sum(self, cluster: str, server: str, table: str, heed: Callable[[float], None]) -> TableSum:
        """The checksum of a table, read whole; `heed` hears for how many seconds that has gone on, and what it raises
        ends it there, too. Never raises for what a server does.
        """

    def claim(self, cluster: str, server: str, lease: Lease, timeout: float) -> ClaimedServer:
        """Take the session lock; FencedOut where a higher epoch holds it, ServerError where it cannot be had."""

    def try_write(self, cluster: str, server: str, probe: WriteProbe, uuid: str, lease: Lease) -> Unwritten | None:
        """Begin a write if one is due and the server may take it; says at once since when none has come to its end."""
