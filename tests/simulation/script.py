"""What a seed means: the cluster, the blow that its primary gets, and the faults aimed at what follows. Pure data."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal


class Blow(StrEnum):
    """What happens to the primary."""

    KILLED = "killed"
    FROZEN = "frozen"
    GONE = "host gone"
    RESTARTED = "killed and restarted at once"
    UNSEEN = "cut from the managers only"
    BEHIND = "killed while its replicas were cut off"


class Ill(StrEnum):
    """What can go wrong besides; `before` and `after` are the two sides of the very word that a manager says."""

    KILL_BEFORE = "manager killed before it says the word"
    KILL_AFTER = "manager killed when it has said the word"
    FREEZE_BEFORE = "manager frozen before the word leaves it"
    FREEZE_AFTER = "manager frozen when it has said the word"
    LOST_WORD = "word lost"
    LOST_ANSWER = "done, and the answer lost"
    SLOW_WORD = "word late"
    LATE_EFFECT = "word done after its sender gave up"
    CUT_HERE = "the manager cut from whom it talks to"
    CUT_HERE_THERE = "nothing passes to whom it talks to"
    CUT_THERE_HERE = "nothing comes back from whom it talks to"
    CUT_PAIR = "two hosts cut from each other"
    SERVER_KILLED = "a server killed"
    SERVER_FROZEN = "a server frozen"
    OLD_BACK = "the old primary comes back"
    AGENT_SILENT = "an agent falls silent"
    ENSEMBLE_DOWN = "nobody reaches ZooKeeper"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: at the `word`th word said while an operation is open, of those alone that change something where it is
    `aimed`; `target` and `other` are hosts by number.
    """

    ill: Ill
    word: int
    seconds: float
    target: int
    other: int
    aimed: bool = False

    def __str__(self) -> str:
        when = f"{'change' if self.aimed else 'word'} {self.word}"
        return f"{self.ill} ({when}, {self.seconds:.2f} s, hosts {self.target} and {self.other})"


class Wish(StrEnum):
    """What a person asks for, knowing nothing of what is going on."""

    NOTHING = ""
    FAILOVER = "failover"
    CHOSEN = "failover to the last server"
    RESUME = "ops resume"
    UNDO = "ops undo"
    SWITCHOVER = "switchover"


WISHES = (Wish.NOTHING, Wish.FAILOVER, Wish.CHOSEN, Wish.RESUME, Wish.UNDO)


@dataclass(frozen=True, slots=True)
class Wall:
    """How far a manager's time of day is off (seconds), and how far it is set at some moment."""

    off: float = 0.0
    jump: float = 0.0
    at: float = 0.0

    def shows(self, now: float) -> float:
        """What it shows more than it should."""
        return self.off + (self.jump if now >= self.at else 0.0)


RIGHT = Wall()


@dataclass(frozen=True, slots=True)
class Script:
    """One life, whole: the same script is the same life.

    A `planned` one begins with a switchover in place of its blow; one that `lingers` goes on until all is healed. A
    server that `recovers` forgets its relay logs when it starts; that of replica `damaged` is damaged at the blow.
    With `halves` a server dies in the middle of what it sends. A lossless one that `degrades` may commit alone where
    nobody acknowledges.
    """

    seed: int
    managers: int
    servers: int
    session: float
    publishes: bool
    fencing: Literal["required", "best-effort"]
    blow: Blow
    delays: tuple[tuple[float, float], ...]
    rates: tuple[float, ...]
    restarts: tuple[float | None, ...]
    errant: int
    thaws_after: float
    silent_for: float
    behind_for: float
    faults: tuple[Fault, ...]
    vip: bool = False
    lingers: bool = False
    lossless: bool = False
    wish: Wish = Wish.NOTHING
    wished_after: float = 0.0
    planned: bool = False
    walls: tuple[Wall, ...] = ()
    recovers: bool = False
    damaged: int = 0
    halves: bool = False
    degrades: bool = False

    @property
    def gone_for(self) -> float:
        """How long the primary's host is cut off; it often comes back in the middle of its failover."""
        return 2.8 + self.thaws_after / 3 if self.thaws_after < 2.0 else self.thaws_after + 1.0

    def without(self, fault: Fault) -> Script:
        """The same life with one fault less."""
        return replace(self, faults=tuple(f for f in self.faults if f != fault))


_WEIGHTS: tuple[tuple[Ill, int], ...] = (
    (Ill.KILL_BEFORE, 5),
    (Ill.KILL_AFTER, 5),
    (Ill.FREEZE_BEFORE, 6),
    (Ill.FREEZE_AFTER, 4),
    (Ill.LOST_WORD, 2),
    (Ill.LOST_ANSWER, 4),
    (Ill.SLOW_WORD, 2),
    (Ill.LATE_EFFECT, 4),
    (Ill.CUT_HERE, 2),
    (Ill.CUT_HERE_THERE, 1),
    (Ill.CUT_THERE_HERE, 2),
    (Ill.CUT_PAIR, 2),
    (Ill.SERVER_KILLED, 3),
    (Ill.SERVER_FROZEN, 2),
    (Ill.OLD_BACK, 2),
    (Ill.AGENT_SILENT, 2),
    (Ill.ENSEMBLE_DOWN, 1),
)
_BLOWS = (
    (Blow.KILLED,) * 9
    + (Blow.BEHIND,) * 5
    + (Blow.FROZEN,) * 3
    + (Blow.RESTARTED,) * 2
    + (Blow.GONE,) * 2
    + (Blow.UNSEEN,)
)
CHANGES = 42
WORDS = 110  # about as many as a whole failover says, so that every moment of it is met


def script_of(seed: int) -> Script:
    """The life of a seed. What was added later draws its own lots, so that a seed stays the life that it was."""
    chance = random.Random(seed)
    person = random.Random(f"person {seed}")
    managers = chance.choice((2, 2, 3))
    servers = chance.choice((3, 3, 3, 4))
    blow = chance.choice(_BLOWS)
    return Script(
        seed=seed,
        managers=managers,
        servers=servers,
        session=chance.choice((3.0, 6.0)),
        publishes=chance.random() < 0.3,
        fencing=chance.choice(("required", "best-effort", "best-effort")),
        blow=blow,
        delays=tuple((delay(chance), delay(chance)) for _ in range(servers)),
        rates=tuple(chance.choice((1.0, 1.0, 0.96, 1.04)) for _ in range(managers)),
        restarts=tuple(chance.choice((None, None, 0.1, 0.5, 3.0)) for _ in range(servers)),
        errant=chance.choice((0,) * 9 + (chance.randrange(1, servers),)),
        thaws_after=chance.choice((0.5, 1.5, 4.0, 30.0, 1.0 + 4.0 * chance.random())),
        silent_for=chance.choice((0.0,) * 8 + (2.5, 6.0)),
        behind_for=chance.choice((0.1, 0.3, 0.6)),
        faults=tuple(fault(chance) for _ in range(chance.choice((1, 1, 2, 2, 3)))),
        vip=random.Random(f"virtual address {seed}").random() < 0.3,
        lingers=chance.random() < 0.05,
        lossless=random.Random(f"lossless {seed}").random() < 0.25,
        wish=person.choice((*(Wish.NOTHING,) * 16, *WISHES)),
        planned=random.Random(f"planned {seed}").random() < 0.15,
        wished_after=person.choice((-0.2, 0.05, 0.3, 1.0, 2.5, 6.0, 12.0)),
        walls=walls(random.Random(f"time of day {seed}"), managers),
        recovers=random.Random(f"relay log recovery {seed}").random() < 0.15,
        damaged=damaged(random.Random(f"damage {seed}"), servers),
        halves=random.Random(f"half {seed}").random() < 0.2,
        degrades=random.Random(f"alone {seed}").random() < 0.35,
    )


def damaged(chance: random.Random, servers: int) -> int:
    """Whose relay log is damaged: 0 in most lives, else the number of a replica."""
    return chance.randrange(1, servers) if chance.random() < 0.08 else 0


def walls(chance: random.Random, managers: int) -> tuple[Wall, ...]:
    """Every manager's time of day: right in most lives, in the others wrong, or set by hours in the middle."""
    if chance.random() >= 0.15:
        return (RIGHT,) * managers
    hours = (0.0, 0.0, -3600.0, 3600.0, 0.8, -86400.0)
    return tuple(Wall(chance.choice(hours), chance.choice(hours), 1.0 + 6.0 * chance.random()) for _ in range(managers))


def delay(chance: random.Random) -> float:
    """Seconds that a replica takes to fetch, or to apply."""
    return chance.choice((0.001, 0.001, 0.005, 0.05, 0.3))


def fault(chance: random.Random) -> Fault:
    """A fault somewhere in an operation."""
    ills, weights = zip(*_WEIGHTS, strict=True)
    (ill,) = chance.choices(ills, weights)
    aimed = chance.random() < 0.6
    word = chance.randrange(1, CHANGES if aimed else WORDS)
    freezes = ill in {Ill.FREEZE_BEFORE, Ill.FREEZE_AFTER}
    seconds = chance.choice((0.05, 0.3, 0.8, 1.6, 3.0, 6.0) + (20.0,) * freezes)
    return Fault(ill, word, seconds, chance.randrange(8), chance.randrange(8), aimed)
