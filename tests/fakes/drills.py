"""A ground for drills in memory: a cluster of three that fails over a second after its primary was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from failoverd.model.errors import FailoverdError
from failoverd.model.rehearsed import Cast, Document, Ran, Rows, Sight, Taken, Wrote
from failoverd.model.runbook import Fault, FaultStep, Need

FAILS_OVER_AFTER = 1.0


class Time:
    """Time that moves when somebody sleeps; whoever watches looks then."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.watchers: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.at

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        for watcher in self.watchers:
            watcher()


class Looks:
    """Runs a drill's looks a turn at a time, whenever time moves, in place of a thread."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def gather(self, calls: Mapping[str, Callable[[], object]], deadline: float) -> Mapping[str, object]:
        return {key: call() for key, call in calls.items()}

    def start(self, name: str, call: Callable[[], None]) -> None:
        watch = call.__self__  # type: ignore[attr-defined]
        self._time.watchers.append(lambda: watch._sights.append(watch._ground.look()))


class FakeProbe:
    """Acknowledges a row with every 10 ms that pass while some server takes writes."""

    def __init__(self, ground: FakeGround) -> None:
        self._ground = ground
        self._wrote: list[Wrote] = []
        self._last = 0.0
        self.running = False

    def start(self) -> None:
        self.running, self._last = True, self._ground.time.at
        self._ground.time.watchers.append(self._write)

    def stop(self) -> None:
        self.running = False

    def taken(self) -> Taken:
        return Taken(tuple(self._wrote), reads=3)

    def _write(self) -> None:
        while self.running and self._last + 0.01 <= self._ground.time.at:
            self._last += 0.01
            server = self._ground.writer(self._last)
            if server:
                self._wrote.append(Wrote(self._last, 0.002, len(self._wrote) + 1, server))


class FakeGround:
    """Notes what is done to it; `lacking`, `lost` and `refuses` are a test's to say."""

    name = "shop"

    def __init__(self, time: Time) -> None:
        self.time = time
        self.done: list[str] = []
        self.lacking: dict[Need, str] = {}
        self.lost: tuple[int, ...] = ()
        self.refuses: set[str] = set()
        self.left: tuple[str, ...] = ()
        self.exit = 0
        self.slow = 1.0
        self.journal_takes = 0.0
        self.on_fault: Callable[[FaultStep], None] = lambda _: None
        self._dead_at: float | None = None
        self._probe: FakeProbe | None = None

    def open(self) -> Cast:
        self.done.append("open")
        return Cast("db1", ("db2", "db3"), "mgr1", ("mgr2",), ("zk1",))

    def slowness(self) -> float:
        return self.slow

    def lacks(self, need: Need) -> str:
        return self.lacking.get(need, "")

    def probe(self) -> FakeProbe:
        self._probe = FakeProbe(self)
        return self._probe

    def writer(self, at: float) -> str:
        if self._dead_at is None or at <= self._dead_at:
            return "db1"
        return "db2" if at >= self._dead_at + FAILS_OVER_AFTER else ""

    def look(self) -> Sight:
        at = self.time.at
        writer = self.writer(at)
        follows = {"db3": writer} if writer else {}
        verdict = "healthy" if writer else "primary-dead"
        return Sight(at, (writer,) if writer else (), follows, verdict, writer or "db1", "mgr1", not writer)

    def fault(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        told = " ".join((step.fault, *names, *peers))
        if step.fault in self.refuses:
            raise FailoverdError("it could not be done", told)
        self.done.append(told)
        self.on_fault(step)
        if step.fault is Fault.KILL and "db1" in names:
            self._dead_at = self.time.at
        return told

    def command(self, words: tuple[str, ...], seconds: float) -> Ran:
        self.done.append(" ".join(words))
        return Ran(self.exit, "it said so")

    def hook(self, program: str, around: Mapping[str, str], seconds: float) -> Ran:
        self.done.append(f"{program} for {around['FAILOVERD_CLUSTER']}")
        return Ran(self.exit, "")

    def caught_up(self) -> bool:
        return True

    def operations(self) -> tuple[Document, ...]:
        self.time.at += self.journal_takes
        if self._dead_at is None or self.time.at < self._dead_at + FAILS_OVER_AFTER:
            return ()
        stamps = dict.fromkeys(("detected", "decided", "writable"), None)
        ended = datetime.fromtimestamp(self._dead_at + 1.2, UTC).isoformat()
        told = {"operation": "op1", "kind": "failover", "outcome": "done", "cause": "dead", "epoch": 2, "ended": ended}
        more: dict[str, object] = {
            "old_primary": "db1",
            "new_primary": "db2",
            "fenced": None,
            "steps": [],
            "started": ended,
        }
        return ({**told, **more, **stamps, "lost": {"transactions": 0, "gtids": "", "at_least": False}},)

    def rows(self, server: str) -> Rows:
        count = len(self._probe.taken().wrote) if self._probe else 0
        return Rows(server, count, self.lost)

    def facts(self) -> Mapping[str, str]:
        return {"failoverd": "0", "ground": "in memory"}

    def settings(self) -> Mapping[str, str]:
        return {"failover.automatic": "true"}

    def close(self) -> tuple[str, ...]:
        self.done.append("close")
        return self.left
