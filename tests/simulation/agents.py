"""The Agents port on virtual time: hosts that outlive their mysqld, with epochs, fence marks and a guard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FencedOut, LockLost
from failoverd.model.history import LEFT
from failoverd.model.host import (
    AgentSilent,
    FenceProof,
    Holding,
    HostFacts,
    HostSight,
    Links,
    LogKind,
    Lot,
    ProbeOutcome,
    ProbeReport,
    Spliced,
    Verified,
)
from failoverd.model.sight import ServerState
from failoverd.model.traffic import Vip
from failoverd.ports import Clock, Lease, Progress
from tests.simulation.loop import Process
from tests.simulation.mysqld import Gtid, Mysqld, gtids_of
from tests.simulation.network import NoAnswer, Word

T = TypeVar("T")
BYTES_EACH = 300
PATIENCE = 3.0
LAID = "relay-fo_recover.000001"
ASIDE = "relay-fo_next.000001"
RESTART_TRIES = 0.5


@dataclass
class Host:
    """One database host: its mysqld, its agent's memory. `restarts` is what its supervisor waits, None for never."""

    mysqld: Mysqld
    remembered: bool = True
    epoch: int = 0
    fenced: int | None = None
    silent: bool = False
    restarts: float | None = None
    addresses: set[str] = field(default_factory=set)
    acts: list[tuple[float, int, str]] = field(default_factory=list)
    kept: dict[str, dict[LogKind, dict[Gtid, int]]] = field(default_factory=dict)

    def accept(self, epoch: int) -> None:
        """Take a change under an epoch, or refuse a lower one."""
        if epoch < self.epoch:
            raise FencedOut(f"epoch {epoch} is over", f"seen: {self.epoch}")
        self.epoch = epoch

    def kill(self) -> None:
        """The mysqld dies; its supervisor starts it again, unless it is held."""
        self.mysqld.kill()
        if self.restarts is not None:
            self.supervise(self.restarts)

    def supervise(self, seconds: float) -> None:
        """Start the mysqld in so many seconds; a guard kills what comes while the host is fenced."""

        def start() -> None:
            if self.fenced is None:
                self.mysqld.start()

        self.mysqld.loop.at(self.mysqld.loop.now + seconds, start)

    def logs(self, kind: LogKind) -> Mapping[Gtid, int]:
        """What log files of that kind hold."""
        disk = self.mysqld.disk
        if kind is LogKind.BINARY:
            return disk.executed
        return disk.readable()

    def keep(self, operation: str, kinds: Iterable[LogKind]) -> int:
        """Link what is there now; what was linked before under that name stays."""
        links = self.kept.setdefault(operation, {})
        for kind in kinds:
            links[kind] = {**links.get(kind, {}), **self.logs(kind)}
        return len(links)

    def trim(self, name: str, held: GtidSet) -> GtidSet:
        """End links; those that hold more stay under a name that is no source. What they hold more."""
        left = GtidSet()
        for kind in LogKind:
            left |= gtids_of(self.only_linked(kind, (name,))) - held
        links = self.kept.pop(name)
        if left:
            self.kept[f"{LEFT}{name}"] = links
        return left

    def only_linked(self, kind: LogKind, names: Iterable[str]) -> dict[Gtid, int]:
        """What links of these names hold and no log does any more."""
        there = self.logs(kind)
        linked = [held for name in names for held in self.kept.get(name, {}).get(kind, {}).items()]
        return {gtid: content for gtid, content in linked if gtid not in there}

    def holds(self, kind: LogKind) -> GtidSet:
        """The set of what they hold."""
        return self.mysqld.executed if kind is LogKind.BINARY else gtids_of(self.logs(kind))


# How long an agent waits for a supervisor before it does that part itself (seconds).
STANDS_IN = 3.0


class SimAgents:
    """Implements `ports.Agents` for one manager. `acted` hears of every change: server, epoch, what."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        process: Process,
        clock: Clock,
        lease_of: Callable[[str], Lease | None],
        acted: Callable[[str, int, int, str], None],
    ) -> None:
        self._hosts = hosts
        self._process = process
        self._clock = clock
        self._lease_of = lease_of
        self._acted = acted

    def keep_open(self, cluster: str, primary: str | None) -> bool:
        return True

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        try:
            return self._ask(server, "facts", lambda host: self._facts(server, host), timeout)
        except AgentError as error:
            state = "missing" if error.code == "MISSING" else "unreachable"
            return AgentSilent(server, state, str(error), self._clock.now())

    def _facts(self, server: str, host: Host) -> HostFacts:
        mysqld = host.mysqld
        known(server, host)
        pids, state = ((4711,), "T" if mysqld.frozen else "S") if mysqld.alive else ((), "")
        return HostFacts(
            server, mysqld.alive, pids, state, mysqld.uuid, self._clock.now(),
            fenced_epoch=host.fenced, disk_free=1 << 30, highest_epoch=host.epoch, version="simulated",
            addresses=frozenset(host.addresses), starts_closed=True,
        )  # fmt: skip

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        try:
            outcome = self._ask(origin, "probe", lambda _: self._login(origin, target), timeout)
        except AgentError:
            return None
        return ProbeReport(origin, target, outcome, 0.001, self._clock.now())

    def _login(self, origin: str, target: str) -> ProbeOutcome:
        aim = self._hosts[target].mysqld
        if not aim.net.both(origin, target):
            return ProbeOutcome.TIMED_OUT
        if aim.frozen:
            return ProbeOutcome.HUNG
        return ProbeOutcome.OK if aim.alive else ProbeOutcome.REFUSED

    def remember(self, cluster: str, state: ServerState) -> None:
        def noted(host: Host) -> None:
            host.remembered = True

        self._ask(state.name, "remember", noted, PATIENCE)

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        def scanned(host: Host) -> GtidSet:
            known(server, host)
            return host.holds(kind) - lacking

        try:
            missing = self._ask(server, f"scan {kind} logs", scanned, min(timeout, PATIENCE))
        except AgentError as error:
            return Holding(server, kind, complete=False, problem=str(error))
        return Holding(server, kind, missing, len(missing) * BYTES_EACH, files=1)

    def scan_kept(
        self, cluster: str, server: str, names: tuple[str, ...], lacking: GtidSet, timeout: float
    ) -> tuple[Holding, ...]:
        def scanned(host: Host) -> tuple[Holding, ...]:
            known(server, host)
            found = [(kind, gtids_of(host.only_linked(kind, names)) - lacking) for kind in LogKind]
            sized = ((kind, missing, len(missing) * BYTES_EACH) for kind, missing in found if missing)
            return tuple(Holding(server, kind, missing, size, files=1, kept=names) for kind, missing, size in sized)

        return self._ask(server, "scan kept logs", scanned, min(timeout, PATIENCE))

    def transfer(self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot) -> Spliced:
        origin, name = wanted.server, ASIDE if lot.aside else LAID
        lease = self._lease_of(cluster)
        if lease is None:
            raise LockLost(f"nothing is laid out on {target}", f"no lease on {cluster}")

        def extract(host: Host) -> dict[Gtid, int]:
            known(origin, host)
            logs = {**host.logs(wanted.kind), **host.only_linked(wanted.kind, wanted.kept)}
            asked = wanted.missing & (
                host.holds(wanted.kind) | gtids_of(logs) if wanted.kept else host.holds(wanted.kind)
            )
            found = {gtid: logs[gtid] for gtid in logs if GtidSet.single(gtid[0], "", gtid[1]) <= asked}
            return dict(islice(found.items(), -(-lot.most // BYTES_EACH) or None))

        pieces = self._ask(origin, "extract", extract, PATIENCE)
        lease.check()

        def put(host: Host) -> None:
            self._accept(target, host, lease.epoch, "put")
            host.mysqld.disk.files[name] = pieces

        self._ask(target, "put", put, PATIENCE, changes=True)
        size = len(pieces) * BYTES_EACH
        progress(size, size)
        return Spliced(name, gtids_of(pieces), size, 1)

    def verify(self, cluster: str, server: str, file: str, position: int, timeout: float) -> Verified:
        def verified(host: Host) -> Verified:
            before, behind = host.mysqld.disk.parted()
            damaged = host.mysqld.disk.damaged.intersection(host.mysqld.disk.relayed.get("", ()))
            return Verified(server, gtids_of(before), gtids_of(behind), f"{file}:{position}" if damaged else "")

        try:
            return self._ask(server, "verify", verified, min(timeout, PATIENCE))
        except AgentError as error:
            return Verified(server, problem=str(error))

    def keep(self, cluster: str, server: str, lease: Lease, operation: str, kind: LogKind | None = None) -> int:
        def keep(host: Host) -> int:
            self._accept(server, host, lease.epoch, "keep")
            return host.keep(operation, tuple(LogKind) if kind is None else (kind,))

        lease.check()
        return self._ask(server, "keep", keep, PATIENCE, changes=True)

    def kept(self, cluster: str, server: str, timeout: float) -> tuple[Links, ...]:
        def kept(host: Host) -> tuple[Links, ...]:
            return tuple(Links(server, name, len(links), 0) for name, links in sorted(host.kept.items()))

        return self._ask(server, "kept", kept, timeout)

    def trim(self, cluster: str, server: str, lease: Lease, held: GtidSet) -> str:
        def trim(host: Host) -> str:
            names = [name for name in host.kept if not name.startswith(LEFT)]
            if names:
                self._accept(server, host, lease.epoch, "trim")
            return "; ".join(left.shorten() for name in names if (left := host.trim(name, held)))

        lease.check()
        return self._ask(server, "trim", trim, PATIENCE, changes=True)

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        def move(host: Host) -> None:
            self._accept(server, host, lease.epoch, "move")
            files = host.mysqld.disk.files
            if ASIDE not in files:
                raise AgentError("no file lies aside", code="NOT_FOUND")
            files[LAID] = files.pop(ASIDE)

        lease.check()
        self._ask(server, "move", move, PATIENCE, changes=True)
        return LAID

    def clean_spliced(self, cluster: str, server: str, lease: Lease) -> None:
        def clean(host: Host) -> None:
            self._accept(server, host, lease.epoch, "clean")
            host.mysqld.disk.files.clear()

        lease.check()
        self._ask(server, "clean", clean, PATIENCE, changes=True)

    def stand_in(self, cluster: str, server: str, server_uuid: str, lease: Lease) -> None:
        def stand_in(host: Host) -> None:
            known(server, host)
            if host.mysqld.uuid != server_uuid or not host.mysqld.alive:
                raise AgentError("there is no single mysqld to wait for", code="NOT_FOUND")
            self._accept(server, host, lease.epoch, "stand in")
            host.restarts = host.restarts or STANDS_IN

        lease.check()
        self._ask(server, "stand in", stand_in, PATIENCE, changes=True)

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        def fence(host: Host) -> tuple[int, ...]:
            known(server, host)
            if host.mysqld.uuid != server_uuid:
                raise AgentError("the data directory belongs to another server", code="NOT_FOUND")
            self._accept(server, host, lease.epoch, "fence")
            killed = (4711,) if host.mysqld.alive else ()
            host.fenced = lease.epoch
            host.addresses.clear()
            host.mysqld.kill()
            return killed

        lease.check()
        killed = self._ask(server, "fence", fence, PATIENCE, changes=True)
        return FenceProof(server, "agent: killed, held by guard", proven=True, killed=killed, hold="guard")

    def release(self, cluster: str, server: str, lease: Lease) -> None:
        def release(host: Host) -> None:
            self._accept(server, host, lease.epoch, "release")
            if host.fenced is not None and lease.epoch < host.fenced:
                raise FencedOut(f"{server} was fenced in epoch {host.fenced}")
            host.fenced = None
            if host.restarts is not None and not host.mysqld.alive:
                host.supervise(host.restarts)

        lease.check()
        self._ask(server, "release", release, PATIENCE, changes=True)

    def take_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        def take(host: Host) -> bool:
            self._accept(server, host, lease.epoch, "take address")
            if host.fenced is not None:
                raise AgentError(f"server {server} is fenced here", code="NOT_FOUND")
            taken = vip.address not in host.addresses
            host.addresses.add(vip.address)
            return taken

        lease.check()
        return self._ask(server, "take address", take, PATIENCE, changes=True)

    def leave_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        def leave(host: Host) -> bool:
            self._accept(server, host, lease.epoch, "leave address")
            left = vip.address in host.addresses
            host.addresses.discard(vip.address)
            return left

        lease.check()
        return self._ask(server, "leave address", leave, PATIENCE, changes=True)

    def _accept(self, server: str, host: Host, epoch: int, what: str) -> None:
        before = host.epoch
        host.accept(epoch)
        self._acted(server, epoch, before, what)

    def _ask(self, server: str, what: str, does: Callable[[Host], T], timeout: float, *, changes: bool = False) -> T:
        host = self._hosts.get(server)
        if host is None:
            raise AgentError(f"no agent is known for {server}", code="MISSING")

        def serve() -> T:
            if host.silent:
                raise NoAnswer
            return does(host)

        word = Word(self._process, self._process.name, server, f"agent: {what}", changes)
        try:
            return host.mysqld.net.ask(word, serve, timeout)
        except NoAnswer:
            raise AgentError(f"the agent of {server} is silent", code="UNREACHABLE") from None


def known(server: str, host: Host) -> None:
    """Refuse for a server that the agent was never told about."""
    if not host.remembered:
        raise AgentError(f"{server} was never remembered", code="NOT_FOUND")
