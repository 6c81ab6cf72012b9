"""Many lives: their sum, the failing ones shrunk to the faults that matter."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulation.life import Life, live
from tests.simulation.script import Script, script_of


@dataclass
class Sum:
    """What many lives amount to; `seconds` is processor time."""

    lives: int = 0
    hit: int = 0
    whole: int = 0
    operations: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    failing: list[Life] = field(default_factory=list)

    def take(self, life: Life) -> None:
        """One more."""
        self.lives += 1
        self.hit += life.hit > 0
        self.whole += life.whole
        self.operations += life.operations
        self.outcomes.update(life.outcomes or ("none",))
        self.outcomes["(came to rest)"] += life.settled
        if life.broken:
            self.failing.append(life)

    def add(self, other: Sum) -> None:
        """The sum of both."""
        self.lives += other.lives
        self.hit += other.hit
        self.whole += other.whole
        self.operations += other.operations
        self.seconds += other.seconds
        self.outcomes.update(other.outcomes)
        self.failing += other.failing

    def text(self) -> str:
        """For people."""
        lives = max(self.lives, 1)
        rate = self.lives / self.seconds if self.seconds else 0.0
        ends = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        return (
            f"{self.lives} lives, {self.operations} operations, {rate:.0f} lives per second of one core; "
            f"a fault hit an open operation in {100 * self.hit / lives:.0f} %; "
            f"ends: {ends}; broken promises: {len(self.failing)}"
        )


def run(seeds: Iterable[int], until: float | None = None, enough: int = 20) -> Sum:
    """Live these seeds; no further after `until` (monotonic seconds) or with enough failing ones."""
    found = Sum()
    gc.collect()
    gc.disable()  # a life leaves little behind, and looking for it all the time costs a third
    gc.freeze()
    begun = time.process_time()
    for seed in seeds:
        if (until is not None and time.monotonic() > until) or len(found.failing) >= enough:
            break
        found.take(live(script_of(seed)))
        if found.lives % 100 == 0:
            gc.collect()
    gc.unfreeze()
    gc.enable()
    found.seconds = time.process_time() - begun
    return found


def shrink(script: Script, fails: Callable[[Script], bool]) -> Script:
    """The same life with as few faults as it needs to fail."""
    smaller = True
    while smaller:
        smaller = False
        for fault in script.faults:
            less = script.without(fault)
            if fails(less):
                script, smaller = less, True
                break
    return script


def breaks(promises: frozenset[str]) -> Callable[[Script], bool]:
    """Whether a life breaks one of these promises."""
    return lambda script: bool(promises & {b.promise for b in live(script).broken})
