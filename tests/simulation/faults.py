"""Faults on their way into a life: counted words of an open operation, and what happens when one is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.managers import Manager
from tests.simulation.network import PLAIN, Twist, Word
from tests.simulation.script import Fault, Ill
from tests.simulation.zookeeper import ENSEMBLE

if TYPE_CHECKING:
    from tests.simulation.life import World

HANG_UP = 0.002  # after a death its host closes the lines; what was said before is still heard
FAR = 3.0  # how long a word with a late effect takes beyond what its sender waits


class Faults:
    """The faults of one life. `words` counts what managers say while an operation is open; `hits` the faults met."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.words = 0
        self.hits = 0
        self.running = 0
        self.last_at = 0.0
        self.changes = 0
        self._due: dict[tuple[bool, int], list[Fault]] = {}
        for fault in world.script.faults:
            self._due.setdefault((fault.aimed, fault.word), []).append(fault)
        self._open = False
        world.ensemble.tree.written = self.written

    def waiting(self) -> bool:
        """Whether a fault is still going on."""
        return self.running > 0

    def written(self, lock: str, path: str) -> None:
        """ZooKeeper has taken a write: operations begin and end by that."""
        witness = self.world.witness
        if path.endswith("/open"):
            self._open = bool(witness.open_operation())
            witness.operation_since = self.world.loop.now if self._open else -1.0
            if self._open:
                witness.begun()
        tree = self.world.ensemble.tree
        if path.endswith("/epoch"):
            tree.taken_at = self.world.loop.now
        if lock and lock not in tree.entries:
            witness.say("no stale act", f"{path} was written under a lock that is gone")
        elif not lock and tree.epochs:
            witness.say("no stale act", f"{path} was written under no lock")

    def hear(self, word: Word) -> Twist:
        """What happens to this word."""
        if not self._open:
            return PLAIN
        self.words += 1
        due = self._due.pop((False, self.words), [])
        if word.changes:
            self.changes += 1
            due = [*due, *self._due.pop((True, self.changes), [])]
        if not due:
            return PLAIN
        twist = Twist()
        for fault in due:
            self.hits += 1
            self.last_at = self.world.loop.now
            self.world.tell(f"FAULT: {fault} at {word.sender.name} -> {word.there}: {word.what}")
            _ILLS[fault.ill](self, fault, word, twist)
        if twist != PLAIN:
            self.world.witness.trouble(word.there, self.world.loop.now + twist.late)
        return twist

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """The end of a fault."""
        self.running += 1

        def end() -> None:
            self.running -= 1
            if not self.world.healed:
                act()

        self.world.loop.at(self.world.loop.now + seconds, end)

    def manager(self, word: Word) -> Manager:
        """Who said it."""
        return self.world.managers[word.sender.name]

    def host(self, number: int) -> str:
        """A database host by number."""
        names = list(self.world.mysqlds)
        return names[number % len(names)]

    # --- managers

    def kill(self, fault: Fault, word: Word) -> None:
        """The manager dies; another one of that name comes later."""
        process = word.sender
        process.kill()
        self.world.ensemble.lines_changed()
        for mysqld in self.world.mysqlds.values():
            self.world.loop.at(self.world.loop.now + HANG_UP, lambda mysqld=mysqld: mysqld.hang_up(process))  # type: ignore[misc]
        self.later(max(fault.seconds, 0.5), self.manager(word).boot)

    def freeze(self, fault: Fault, word: Word) -> None:
        """The manager stands still."""
        process = word.sender
        process.freeze()
        self.world.ensemble.lines_changed()

        def thaw() -> None:
            self.world.tell(f"{process.name} wakes")
            process.thaw()
            self.world.ensemble.lines_changed()

        self.later(fault.seconds, thaw)

    # --- lines

    def cut(self, here: str, there: str, seconds: float) -> None:
        """Nothing passes from here to there."""
        world = self.world
        world.net.cut(here, there)
        for host, other in ((here, there), (there, here)):
            if other in world.managers:
                world.witness.trouble(host, world.loop.now + seconds)
        world.ensemble.lines_changed()

        def mend() -> None:
            world.net.mend(here, there)
            world.ensemble.lines_changed()
            world.witness.one_writer()

        self.later(seconds, mend)

    def cut_both(self, here: str, there: str, seconds: float) -> None:
        """Nothing passes between them."""
        if here != there:
            self.cut(here, there, seconds)
            self.cut(there, here, seconds)

    def down(self, seconds: float) -> None:
        """ZooKeeper answers nobody."""
        world = self.world
        world.ensemble.down = True
        world.ensemble.lines_changed()

        def up() -> None:
            world.ensemble.down = False
            world.ensemble.lines_changed()

        self.later(seconds, up)

    # --- servers

    def kill_server(self, fault: Fault) -> None:
        """A server dies; its supervisor may start it."""
        name = self.host(fault.target)
        self.world.witness.trouble(name, self.world.loop.now + 60.0)
        self.world.hosts[name].kill()

    def freeze_server(self, fault: Fault) -> None:
        """A server stands still."""
        mysqld = self.world.mysqlds[self.host(fault.target)]
        self.world.witness.trouble(mysqld.name, self.world.loop.now + fault.seconds)
        mysqld.freeze()

        def thaw() -> None:
            mysqld.thaw()
            self.world.witness.one_writer()

        self.later(fault.seconds, thaw)

    def old_back(self, fault: Fault) -> None:
        """Somebody starts the old primary."""
        self.world.hosts["db1"].supervise(fault.seconds / 10)

    def silence(self, name: str, seconds: float) -> None:
        """An agent answers nobody."""
        host = self.world.hosts[name]
        host.silent = True
        self.world.witness.trouble(name, self.world.loop.now + seconds)

        def speak() -> None:
            host.silent = False

        self.later(seconds, speak)


Does = Callable[[Faults, Fault, Word, Twist], None]


def _kill(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    twist.lost = fault.ill is Ill.KILL_BEFORE
    f.kill(fault, word)


def _freeze(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    if fault.ill is Ill.FREEZE_BEFORE:
        twist.late = fault.seconds
    f.freeze(fault, word)


def _twist(**values: object) -> Does:
    def does(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
        for name, value in values.items():
            setattr(twist, name, value)

    return does


def _slow(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    twist.late = fault.seconds / 4


def _late(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    twist.late = fault.seconds + FAR


def _cut(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    if fault.ill is not Ill.CUT_THERE_HERE:
        f.cut(word.here, word.there, fault.seconds)
    if fault.ill is not Ill.CUT_HERE_THERE:
        f.cut(word.there, word.here, fault.seconds)


def _pair(f: Faults, fault: Fault, word: Word, twist: Twist) -> None:
    hosts = [*f.world.mysqlds, *f.world.managers, ENSEMBLE]
    f.cut_both(f.host(fault.target), hosts[fault.other % len(hosts)], fault.seconds)


_ILLS: dict[Ill, Does] = {
    Ill.KILL_BEFORE: _kill,
    Ill.KILL_AFTER: _kill,
    Ill.FREEZE_BEFORE: _freeze,
    Ill.FREEZE_AFTER: _freeze,
    Ill.LOST_WORD: _twist(lost=True),
    Ill.LOST_ANSWER: _twist(deaf=True),
    Ill.SLOW_WORD: _slow,
    Ill.LATE_EFFECT: _late,
    Ill.CUT_HERE: _cut,
    Ill.CUT_HERE_THERE: _cut,
    Ill.CUT_THERE_HERE: _cut,
    Ill.CUT_PAIR: _pair,
    Ill.SERVER_KILLED: lambda f, fault, _, __: f.kill_server(fault),
    Ill.SERVER_FROZEN: lambda f, fault, _, __: f.freeze_server(fault),
    Ill.OLD_BACK: lambda f, fault, _, __: f.old_back(fault),
    Ill.AGENT_SILENT: lambda f, fault, _, __: f.silence(f.host(fault.target), fault.seconds),
    Ill.ENSEMBLE_DOWN: lambda f, fault, _, __: f.down(fault.seconds),
}
