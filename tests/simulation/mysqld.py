"""A mysqld on virtual time: sets with their contents, relay logs, locks, sessions, and a supervisor that restarts it.

Every transaction has a content, so that one number with two contents is seen. What clients were told is kept outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from failoverd.gtid import GtidSet
from failoverd.model.durability import Durability
from failoverd.model.sight import Channel, Endpoint, ServerState, Settings, Thread, Trouble
from tests.simulation.loop import Loop, Process
from tests.simulation.network import Net
from tests.simulation.semisync import Acks, Commit

Gtid = tuple[str, int]
HEARTBEAT = 0.2
READY = Settings(read_only_at_start=True)
FORGETFUL = Settings(read_only_at_start=True, relay_log_recovery=True)
OWN_THREADS = "system user"
UNREADABLE = Trouble(13121, "Relay log read failure")
WORKER_ENDED = Trouble(3030, "a worker was ended")


def _unheard(_: Gtid) -> None:
    """Nobody waits for the answer."""


@dataclass
class Disk:
    """What outlives the process: transactions with their contents, executed or in relay logs.

    `damaged` ones cannot be read where they stand in the relay log of the default channel, `forgotten` ones are in
    files that their server does not know any more.
    """

    executed: dict[Gtid, int] = field(default_factory=dict)
    relayed: dict[str, dict[Gtid, int]] = field(default_factory=dict)
    files: dict[str, dict[Gtid, int]] = field(default_factory=dict)
    damaged: set[Gtid] = field(default_factory=set)
    forgotten: dict[Gtid, int] = field(default_factory=dict)

    def readable(self) -> Mapping[Gtid, int]:
        """What can be read out of relay logs, forgotten ones too."""
        parts = [held for held in (self.forgotten, *self.relayed.values()) if held]
        if len(parts) == 1 and not self.damaged:
            return parts[0]
        return {gtid: content for held in parts for gtid, content in held.items() if gtid not in self.damaged}

    def parted(self) -> tuple[list[Gtid], list[Gtid]]:
        """What the applier of the default channel gets to, and what stands behind the first damage."""
        order = list(self.relayed.get("", ()))
        first = next((n for n, gtid in enumerate(order) if gtid in self.damaged), len(order))
        return order[:first], order[first + 1 :]


class Mysqld:
    """One server. `epochs` maps our sessions to the epoch that they claimed under."""

    durability = Durability()
    recovers = halves = False
    half: Gtid | None = None
    worker = 0

    def __init__(self, loop: Loop, net: Net, name: str, number: int) -> None:
        self.loop = loop
        self.net = net
        self.name = name
        self.endpoint = Endpoint(name, 3306)
        self.uuid = f"00000000-0000-0000-0000-{number:012d}"
        self.number = number
        self.disk = Disk()
        self.executed = GtidSet()
        self.acks = Acks(self)
        self.channels: dict[str, Channel] = {}
        self.alive = True
        self.frozen = False
        self.read_only = self.super_read_only = self.offline = False
        self.full = False
        self.started_at = -1000.0
        self.sessions: dict[int, str] = {}
        self.locks: dict[str, int] = {}
        self.epochs: dict[int, int] = {}
        self.owners: dict[int, Process] = {}
        self.claimed_epoch = 0
        self.waits: dict[tuple[int, str], float] = {}
        self.last_session = self.tables_locked_by = 0
        self.pull_delay = self.apply_delay = 0.001
        self.followers: Callable[[], list[Mysqld]] = list
        self.named: Callable[[Endpoint], Mysqld | None] = _nobody
        self.on_end: list[Callable[[int], None]] = []
        self._pulling: set[str] = set()
        self._applying: set[str] = set()
        self._heard: dict[str, float] = {}

    # --- the process

    @property
    def answers(self) -> bool:
        """Whether it can do anything now."""
        return self.alive and not self.frozen

    @property
    def writable(self) -> bool:
        """Whether a client's write is accepted."""
        return self.alive and not (self.read_only or self.super_read_only or self.offline)

    def kill(self) -> None:
        """The end of the process; the disk stays, also what the receiver had written."""
        for follower in self.followers() if self.alive else ():
            follower.cut_short(self)
        self.alive = self.frozen = False
        self.acks.died()
        for session in list(self.sessions):
            self.end(session)

    def start(self) -> None:
        """Come up read-only, as configured; receivers and appliers start by themselves."""
        if self.alive:
            return
        self.alive = True
        self.started_at = self.loop.now
        self.read_only = self.super_read_only = True
        self.offline = False
        self.durability = Durability()
        self.whole_again()
        if self.recovers and "" in self.channels:
            self.forget()
        for name, channel in list(self.channels.items()):
            receiver = Thread.CONNECTING if name == "" else Thread.NO
            self.channels[name] = replace(channel, receiver=receiver, applier=Thread.YES)
            self.apply_soon(name)
        self.pull_soon("")

    def forget(self) -> None:
        """What relay_log_recovery does at a start: what was received and not executed is asked for again. Its files
        stay until the next rotation.
        """
        self.disk.forgotten.update(self.disk.relayed.pop("", {}))
        self.channels[""] = replace(self.channels[""], received=GtidSet())

    def cut_short(self, source: Mysqld) -> None:
        """The source died while it sent a transaction: a worker has begun it, holds its locks and waits."""
        main = self.channels.get("")
        if not self.halves or main is None or main.source != source.endpoint or self.half is not None:
            return
        lacking = each(source.logged - self.executed - main.received)
        if lacking and main.receiver is Thread.YES and main.applier is Thread.YES and self.hears(source):
            self.half, self.worker = lacking[0], self.connect(OWN_THREADS)
            self.channels[""] = replace(main, queueing=f"{lacking[0][0]}:{lacking[0][1]}")

    def whole_again(self) -> None:
        """The beginning of what was received in part is rolled back, because its source or another one speaks anew."""
        if self.half is None:
            return
        self.sessions.pop(self.worker, None)
        self.half, self.worker = None, 0
        if "" in self.channels:
            self.channels[""] = replace(self.channels[""], queueing="")
        for name in self.channels:
            self.apply_soon(name)

    def worker_ended(self) -> None:
        """Somebody has ended the worker: its locks are free, and its applier stops with it."""
        self.worker = 0
        if "" in self.channels:
            self.channels[""] = replace(self.channels[""], applier=Thread.NO, applier_trouble=WORKER_ENDED)
        for name in self.channels:
            self.apply_soon(name)

    def damage(self) -> None:
        """The first transaction in its relay log that is not executed can be read no more."""
        main = self.channels.get("")
        new = set(each(main.received - self.executed)) if main is not None else set()
        self.disk.damaged.update([gtid for gtid in self.disk.relayed.get("", {}) if gtid in new][:1])

    def freeze(self) -> None:
        """Stand still."""
        self.frozen = self.alive

    def thaw(self) -> None:
        """Go on."""
        if self.frozen:
            self.frozen = False
            for name in list(self.channels):
                self.pull_soon(name)
                self.apply_soon(name)
            self.tell_followers()

    # --- sessions

    def connect(self, account: str) -> int:
        """A new session."""
        self.last_session += 1
        self.sessions[self.last_session] = account
        return self.last_session

    def hang_up(self, owner: Process) -> None:
        """The other end of these lines is closed by its host; who cannot be reached does not hear it."""
        if self.answers and self.net.open(owner.name, self.name):
            for session in [number for number, process in self.owners.items() if process is owner]:
                self.end(session)

    def end(self, session: int) -> bool:
        """End a session and free its locks; whether there was one."""
        if session not in self.sessions:
            return False
        del self.sessions[session]
        if session == self.worker:
            self.worker_ended()
        self.acks.hung_up(session)
        self.epochs.pop(session, None)
        self.owners.pop(session, None)
        self.locks = {name: holder for name, holder in self.locks.items() if holder != session}
        for told in self.on_end:
            told(session)
        return True

    # --- transactions

    def write(self, content: int, told: Callable[[Gtid], None] = _unheard) -> Gtid:
        """Log a client's transaction under the next free number of its own; `told` is called when it is committed."""
        known = self.logged.of_uuid(self.uuid).entries
        number = known[0][1][0][1] + 1 if known and known[0][1][0][0] == 1 else 1
        gtid = (self.uuid, number)
        made = GtidSet((((self.uuid, ""), ((number, number),)),))
        self.disk.executed[gtid] = content
        if self.acks.source_on:
            self.acks.waiting.append(Commit(made, self.connect("app"), lambda: told(gtid)))
        else:
            self.executed = self.executed | made
            told(gtid)
        self.tell_followers()
        return gtid

    @property
    def logged(self) -> GtidSet:
        """What its binary log holds: executed, and what waits for an acknowledgement."""
        return self.executed | self.acks.logged if self.acks.waiting else self.executed

    def tell_followers(self) -> None:
        """Somebody may have something to fetch."""
        for follower in self.followers():
            for name, channel in follower.channels.items():
                if channel.source == self.endpoint:
                    follower.pull_soon(name)

    def pull_soon(self, name: str) -> None:
        """Let the receiver fetch in a moment."""
        if name not in self._pulling:
            self._pulling.add(name)
            self.loop.at(self.loop.now + self.pull_delay, lambda: self._pull(name))

    def apply_soon(self, name: str) -> None:
        """Let the applier run in a moment."""
        if name not in self._applying:
            self._applying.add(name)
            self.loop.at(self.loop.now + self.apply_delay, lambda: self._apply(name))

    def _pull(self, name: str) -> None:
        self._pulling.discard(name)
        channel = self.channels.get(name)
        if channel is None or not self.answers or channel.receiver is Thread.NO:
            return
        source = self.named(channel.source)
        if source is None or not self.hears(source):
            self.channels[name] = replace(channel, receiver=Thread.CONNECTING)
            return
        self._heard[name] = self.loop.now
        if channel.receiver is not Thread.YES and name == "":
            self.acks.connected()
            self.disk.forgotten.clear()
            self.whole_again()
            channel = self.channels[name]
        new = source.logged - self.executed - channel.received
        if new:
            relayed = self.disk.relayed.setdefault(name, {})
            relayed.update({gtid: source.disk.executed[gtid] for gtid in each(new)})
        if new or channel.receiver is not Thread.YES or channel.source_uuid != source.uuid:
            self.channels[name] = replace(
                channel, receiver=Thread.YES, source_uuid=source.uuid, received=channel.received | new
            )
            self.apply_soon(name)
        if source.acks.waiting and name == "" and self.acks.registered:
            source.acks.took(self, channel.received | new | self.executed)

    def _apply(self, name: str) -> None:
        self._applying.discard(name)
        channel = self.channels.get(name)
        if channel is None or not self.answers or channel.applier is not Thread.YES:
            return
        new = channel.received - self.executed
        if not new:
            return
        relayed = self.disk.relayed.get(name, {})
        if self.disk.damaged and name == "" and not self.disk.damaged.isdisjoint(relayed):
            new &= gtids_of(self.disk.parted()[0])
            self.channels[name] = replace(channel, applier=Thread.NO, applier_trouble=UNREADABLE)
        if self.worker and self.half is not None and GtidSet.single(self.half[0], "", self.half[1]) <= new:
            order = each(new)
            new = gtids_of(order[: order.index(self.half)])  # the rest waits for its locks
        for gtid in each(new):
            self.disk.executed[gtid] = relayed[gtid]
        self.executed = self.executed | new
        self.tell_followers()

    def hears(self, source: Mysqld) -> bool:
        """Whether the source's words come through."""
        return source.answers and self.net.both(self.name, source.name)

    # --- what it says

    def state(self) -> ServerState:
        """What a read of it says."""
        for name in self.channels:
            self._look_at_line(name)
        return ServerState(
            name=self.name,
            endpoint=self.endpoint,
            version="9.7.4",
            server_uuid=self.uuid,
            server_id=self.number,
            read_only=self.read_only or self.super_read_only,
            super_read_only=self.super_read_only,
            executed=self.executed,
            purged=GtidSet(),
            channels=tuple(self.channels.values()),
            started_at=self.started_at,
            read_at=self.loop.now,
            offline_mode=self.offline,
            settings=FORGETFUL if self.recovers else READY,
            semi_sync=self.acks.seen(),
        )

    def _look_at_line(self, name: str) -> None:
        """A running receiver hears heartbeats; one whose source is gone notices it at once, one that is cut later."""
        channel = self.channels[name]
        source = self.named(channel.source)
        now = self.loop.now
        if channel.receiver is not Thread.NO and source is not None:
            if self.hears(source):
                self._heard[name] = now
                if channel.receiver is Thread.CONNECTING:
                    self.pull_soon(name)
            elif not source.alive and self.net.open(source.name, self.name):
                channel = replace(channel, receiver=Thread.CONNECTING)
        age = now - self._heard[name] if name in self._heard else None
        if source is not None and age is not None and channel.receiver is not Thread.NO and self.hears(source):
            age = min(age, HEARTBEAT / 2)
        if channel.heartbeat_age != age or channel is not self.channels[name]:
            self.channels[name] = replace(channel, heartbeat_age=age, heartbeat_period=HEARTBEAT)


def _nobody(_: Endpoint) -> Mysqld | None:
    return None


def each(gtids: GtidSet) -> list[Gtid]:
    """Every transaction of a set."""
    return [
        (uuid, number)
        for uuid, _, intervals in gtids.parts()
        for first, last in intervals
        for number in range(first, last + 1)
    ]


def gtids_of(held: Iterable[Gtid]) -> GtidSet:
    """The set of these transactions."""
    parts: dict[str, list[str]] = {}
    for uuid, number in held:
        parts.setdefault(uuid, []).append(str(number))
    return GtidSet.parse(",".join(f"{uuid}:{':'.join(numbers)}" for uuid, numbers in parts.items()))
