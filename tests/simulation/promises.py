"""The promises, watched from outside: the clients' history, the disks of the servers, the tree of ZooKeeper.

Nothing here asks a manager how it went. What a fault made impossible is excused by what the fault really did, never by
what a report says about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from failoverd.drivers.mysql.statements import KILL, OPEN, TAKE_LOCK, Statement
from failoverd.drivers.zookeeper.records import unpack
from failoverd.model.durability import Durability
from failoverd.model.sight import Thread
from tests.simulation.agents import Host
from tests.simulation.loop import Loop
from tests.simulation.mysqld import Gtid, Mysqld
from tests.simulation.script import Script
from tests.simulation.servers import Deed
from tests.simulation.zookeeper import Tree

LONG_AGO = -1.0
SESSION_LOCK = "failoverd/shop"
FRESH = 2.0  # what was seen so long ago may still be acted on
# What stands against an operation only while somebody is out of reach: no disk ever dies here.
PASSING = frozenset({"missing-transactions", "not-claimed"})
ENOUGH = 30.0  # seconds in which an undisturbed manager brings any operation to its end


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise: its name, when, and what was seen."""

    promise: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"{self.at:8.3f} s  {self.promise}: {self.what}"


@dataclass(frozen=True, slots=True)
class Ack:
    """A client was told that this is safe; `beside` says by a server in whose place another one had been opened,
    `alone` by a lossless one that waited for nobody, as was written down beforehand.
    """

    gtid: Gtid
    content: int
    beside: bool
    alone: bool = False


@dataclass
class Witness:
    """Everything seen of one life so far. `troubled` says until when each host was hard to reach."""

    script: Script
    loop: Loop
    mysqlds: Mapping[str, Mysqld]
    hosts: Mapping[str, Host]
    tree: Tree
    acks: list[Ack] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    troubled: dict[str, float] = field(default_factory=dict)
    known: dict[Gtid, int] = field(default_factory=dict)
    errant: dict[Gtid, str] = field(default_factory=dict)
    excused: set[Gtid] = field(default_factory=set)
    opened: list[tuple[float, int, str]] = field(default_factory=list)
    out_of_reach: set[str] = field(default_factory=set)
    operation_since: float = LONG_AGO
    unfenced: bool = False

    def say(self, promise: str, what: str) -> None:
        """A promise is broken."""
        if not any(b.promise == promise and b.what == what for b in self.broken):
            self.broken.append(Broken(promise, self.loop.now, what))

    def trouble(self, host: str, until: float) -> None:
        """A host is hard to reach until then."""
        self.troubled[host] = max(self.troubled.get(host, LONG_AGO), until)

    def was_reachable(self, host: str) -> bool:
        """Whether nothing stood in the way of it since the operation began."""
        since = self.operation_since if self.operation_since >= 0 else self.loop.now
        return self.troubled.get(host, LONG_AGO) < since - 0.6

    # --- while it happens

    def wrote(self, server: Mysqld, gtid: Gtid, content: int) -> None:
        """A server has logged a client's write."""
        if self.known.setdefault(gtid, content) != content:
            self.say("one number, one transaction", f"{server.name} used {shown(gtid)} a second time")
        self.one_writer()

    def told(self, server: Mysqld, gtid: Gtid, content: int) -> None:
        """A client has heard that its write is safe."""
        alone = self.script.lossless and self.loop.now > 0 and not server.acks.source_on
        if alone and not self.written_down(server.name):
            self.say("lossless: written down before commits wait for nobody", f"{server.name} told {shown(gtid)}")
        self.acks.append(Ack(gtid, content, beside=server.name != self.newest(), alone=alone))

    def newest(self) -> str:
        """The server that was opened last."""
        return self.opened[-1][2] if self.opened else "db1"

    def one_writer(self) -> None:
        """At no time do two servers take writes."""
        writers = [s.name for s in self.mysqlds.values() if s.writable and not s.frozen and answers_clients(s)]
        if len(writers) < 2:
            return
        for name in writers:
            if self.opened and name == self.newest():
                continue
            if name not in self.out_of_reach or self.script.fencing == "required":
                self.say("one writer", f"{' and '.join(writers)} take writes")
            self.unfenced = True

    def sent(self, epoch: int, statement: Statement) -> None:
        """A manager sends a change: its lock must stand at this moment."""
        if statement is not KILL and not self.tree.holds_lock(epoch):
            self.say("no act without the lock", f"epoch {epoch} sent: {statement.does}")

    def done(self, deed: Deed) -> None:
        """A server has done what a session asked."""
        server, epoch, statement = deed.server, deed.epoch, deed.statement
        if statement is TAKE_LOCK:
            if str(deed.values[0]).count("/") == 1:
                server.claimed_epoch = max(server.claimed_epoch, epoch)
            return
        if epoch < server.claimed_epoch:
            self.say("no stale act", f"epoch {epoch} on {server.name} after {server.claimed_epoch}: {statement.does}")
        if statement is not KILL and server.locks.get(SESSION_LOCK) != deed.session:
            self.say("no change without the session lock", f"{server.name}: {statement.does}")
        if statement is OPEN:
            self.opening(server, epoch)

    def begun(self) -> None:
        """An operation has been opened in the journal: that needs a reason."""
        first = self.mysqlds["db1"]
        named = self.recorded(first.name)
        if (
            named
            and not self.by_plan()
            and first.answers
            and first.writable
            and self.troubled.get(first.name, LONG_AGO) < self.loop.now - FRESH
        ):
            self.say("no failover without evidence", "an operation was opened while the primary served its clients")

    def refused(self, epoch: int, why: str) -> None:
        """A manager was refused the session lock by a server that answers; one that was frozen over its time is active
        no more.
        """
        if self.tree.holds_lock(epoch):
            self.say("the active manager gets its servers", why)

    def acted(self, server: str, epoch: int, highest: int, what: str) -> None:
        """An agent has changed something."""
        if epoch < highest:
            self.say("no stale act", f"epoch {epoch} at the agent of {server} after {highest}: {what}")

    def opening(self, elect: Mysqld, epoch: int) -> None:
        """A server has been opened: what clients were told and it has not executed must be out of everybody's reach."""
        first = not any(name == elect.name for _, _, name in self.opened)
        self.opened.append((self.loop.now, epoch, elect.name))
        self.out_of_reach = {n for n in self.hosts if not self.was_reachable(n) or self.hosts[n].silent}
        self.one_writer()
        self.ready(elect)
        if self.recorded(elect.name) or not first:
            return
        if self.journalled() != elect.name:
            self.say("intent before the act", f"{elect.name} was opened, the journal names {self.journalled() or '-'}")
        for ack in self.acks:
            if ack.beside or ack.gtid in elect.disk.executed or ack.gtid in self.excused:
                continue  # two histories are never made one
            holders = [s.name for s in self.mysqlds.values() if s is not elect and self.gives(s, ack.gtid)]
            if ack.gtid in relayed(elect):
                holders.append(f"the relay log of {elect.name}")
            if self.script.lossless and not ack.alone:
                self.say("lossless: nothing acknowledged is lost", f"{elect.name} was opened without {shown(ack.gtid)}")
            if holders:
                what = f"{elect.name} was opened without {shown(ack.gtid)}, held by {', '.join(holders)}"
                self.say("nothing lost that a disk holds", what)
            self.excused.add(ack.gtid)

    def ready(self, elect: Mysqld) -> None:
        """Whoever is opened forces commits to its disk, and nothing holds locks there for a rest that never comes."""
        self.forces(elect)
        if elect.worker:
            self.say("nobody is opened with half a transaction", f"a worker of {elect.name} holds locks")

    def gives(self, server: Mysqld, gtid: Gtid) -> bool:
        """Whether somebody could have had it from there."""
        if not self.was_reachable(server.name) or self.hosts[server.name].silent:
            return False
        return gtid in server.disk.executed or gtid in relayed(server)

    def recorded(self, name: str) -> bool:
        """Whether the tree names this server as primary."""
        entry = self.tree.entries.get("/failoverd/shop/primary")
        return entry is not None and unpack(entry.data, (), name)["name"] == name

    def written_down(self, name: str) -> bool:
        """Whether it is on record that commits of this server wait for nobody."""
        entry = self.tree.entries.get("/failoverd/shop/primary")
        if entry is not None and self.recorded(name) and unpack(entry.data, (), name).get("degraded"):
            return True
        said = (r["body"] for r in self.journal(self.open_operation()) if r.get("kind") == "degraded")
        return any(body["server"] == name for body in said)  # type: ignore[index]

    def journalled(self) -> str:
        """Whom the open operation's journal names as the one to be opened."""
        found = ""
        for record in self.journal(self.open_operation()):
            if record.get("kind") == "promote-intent":
                found = str(record["body"]["elect"])  # type: ignore[index]
        return found

    def open_operation(self) -> str:
        """The id of the open operation."""
        entry = self.tree.entries.get("/failoverd/shop/open")
        return entry.data.decode() if entry is not None else ""

    def by_plan(self) -> bool:
        """Whether the open operation is a switchover, which needs no evidence."""
        path = f"/failoverd/shop/ops/{self.open_operation()}/operation"
        return (
            path in self.tree.entries
            and unpack(self.tree.get(path).data, (), path)["operation"]["kind"] == "switchover"
        )

    def journal(self, operation: str) -> list[Mapping[str, object]]:
        """The records of an operation, in order."""
        base = f"/failoverd/shop/ops/{operation}/entries"
        if not operation or base not in self.tree.entries:
            return []
        return [unpack(self.tree.get(f"{base}/{name}").data, (), name) for name in self.tree.children(base)]

    def reports(self) -> list[Mapping[str, object]]:
        """The reports of all operations that have ended."""
        ends = [p for p in self.tree.entries if p.endswith("/end")]
        return [unpack(self.tree.get(path).data, (), path)["report"] for path in sorted(ends)]

    # --- at the end

    def in_time(self, since: float, *, settled: bool, reason: str) -> None:
        """A manager that was left alone for long enough has brought everything to its end, or says what is missing."""
        quiet = self.loop.now - ENOUGH
        others = [n for n, m in self.mysqlds.items() if n != "db1" and not m.answers]
        hosts = [n for n, until in self.troubled.items() if n != "db1" and until > quiet]
        if not self.tree.holds_lock(max(self.tree.epochs, default=0)):
            return
        reached = all(until <= quiet for until in self.troubled.values())
        excused = reason and not (reason == "not-claimed" or (reason in PASSING and reached))
        at_it = self.operation_since > quiet  # what came to nothing is tried again half a minute later
        if settled or self.unfenced or others or hosts or since > quiet or excused or at_it:
            return
        self.say("a standby finishes it", f"undisturbed since {since:.1f} s, and {reason or 'nothing is done'}")

    def judge(self) -> None:
        """What must hold when all is over."""
        writers = [s for s in self.mysqlds.values() if s.writable]
        if len(writers) == 1:
            self.nothing_lost(writers[0])
            if not (self.recorded(writers[0].name) or self.open_operation() or writers[0].name in self.out_of_reach):
                self.say("the record names the primary", f"{writers[0].name} takes writes and is not on record")
            self.nobody_stands_still(writers[0])
        told = str([report["findings"] for report in self.reports()])
        for server in self.mysqlds.values():
            named = f"{server.name} does not force" in told
            if server.answers and self.was_reachable(server.name) and not self.open_operation() and not named:
                self.forces(server)
        self.one_content()
        self.errant_stays()
        self.said_unfenced()

    def clients_find_it(self) -> None:
        """The virtual address is on the host of the one that takes writes, and on no other."""
        writers = {s.name for s in self.mysqlds.values() if s.writable}
        held = {name for name, host in self.hosts.items() if host.addresses}
        if len(writers) == 1 and held != writers:
            self.say("clients find the primary", f"{', '.join(writers)} takes writes, the address is at {held or '-'}")

    def forces(self, server: Mysqld) -> None:
        """Who was let off forcing commits to its disk for a catch-up does so again."""
        if server.durability != Durability():
            self.say("it forces commits to its disk", f"{server.name} has {server.durability}")

    def nothing_lost(self, primary: Mysqld) -> None:
        """Every acknowledged write that somebody could give is on the primary."""
        apart = primary.name != self.newest()
        for ack in self.acks:
            if self.script.lossless and not ack.alone and primary.disk.executed.get(ack.gtid) != ack.content:
                self.say("lossless: nothing acknowledged is lost", f"{primary.name} lacks {shown(ack.gtid)}")
            if ack.gtid in self.excused or primary.disk.executed.get(ack.gtid) == ack.content:
                continue
            if self.unfenced and ack.beside is not apart:
                continue  # of the other one of two histories: nobody could shut the old one, which is checked below
            self.say("nothing lost that a disk holds", f"{primary.name} lacks {shown(ack.gtid)}")

    def nobody_stands_still(self, primary: Mysqld) -> None:
        """No replica is left with the receiver that we have stopped, unless a report names it."""
        if self.open_operation() or not self.reports() or not self.recorded(primary.name):
            return
        told = str([report["findings"] for report in self.reports()])
        for server in self.mysqlds.values():
            main = server.channels.get("")
            if main is None or not server.answers or main.source != primary.endpoint or main.receiver is not Thread.NO:
                continue
            if server.name not in told:
                self.say("nobody is left standing still", f"{server.name} does not receive from {primary.name}")

    def one_content(self) -> None:
        """A number means the same everywhere."""
        for server in self.mysqlds.values():
            wrong = [g for g, content in server.disk.executed.items() if self.known.get(g, content) != content]
            if wrong:
                self.say("one number, one transaction", f"{server.name} has other content for {wrong[0]}")

    def errant_stays(self) -> None:
        """A transaction that a replica made for itself stays where it is."""
        for gtid, origin in self.errant.items():
            for server in self.mysqlds.values():
                if server.name != origin and gtid in server.disk.executed:
                    self.say("errant transactions are not spread", f"{server.name} has one of {origin}")

    def said_unfenced(self) -> None:
        """Where two servers could take writes, a report says so, or a person was asked for."""
        reports = self.reports()
        if not self.unfenced or not reports or self.open_operation():
            return
        if not any(is_unfenced(report.get("fenced")) or report.get("outcome") != "done" for report in reports):
            self.say("what could not be fenced is said", "two servers took writes and every report says done")


def is_unfenced(fenced: object) -> bool:
    """Whether a report says that nobody could shut the old primary."""
    return isinstance(fenced, Mapping) and fenced.get("how") == "UNFENCED"


def answers_clients(server: Mysqld) -> bool:
    """Whether a commit there can end: one that waits for acknowledgements that nobody gives is no write."""
    return not server.acks.source_on or len(server.acks.clients()) >= server.acks.wait_count


def shown(gtid: Gtid) -> str:
    """One transaction, short."""
    return f"{gtid[0][-1]}:{gtid[1]}"


def relayed(server: Mysqld) -> Iterable[Gtid]:
    """What can be read out of the relay logs of its channels."""
    return server.disk.readable()
