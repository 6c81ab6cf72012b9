"""Lives that once broke a promise, as small as they could be made, each with the sentence of what was wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.simulation.life import live
from tests.simulation.script import Blow, Fault, Ill, Script, script_of


@dataclass(frozen=True, slots=True)
class Once:
    """One life that went wrong once."""

    name: str
    script: Script
    wrong: str


QUIET = replace(
    script_of(1),
    blow=Blow.KILLED,
    silent_for=0.0,
    errant=0,
    fencing="best-effort",
    rates=(1.0, 1.0),
    managers=2,
    vip=False,
)

# What manager and servers say to each other changes with the product, and so do the numbers of words: a range is tried.
ONCE: tuple[Once, ...] = tuple(
    Once(
        f"word {word} of a failover is lost",
        replace(QUIET, session=3.0, faults=(Fault(Ill.LOST_WORD, word, 6.0, 0, 0),)),
        "an error while an operation was closed left its manager operating for ever, and nobody took it up",
    )
    for word in range(50, 68)
)


@pytest.mark.parametrize("once", ONCE, ids=lambda once: once.name)
def test_what_went_wrong_once_does_not_go_wrong_again(once: Once) -> None:
    life = live(once.script)
    assert life.broken == (), once.wrong
    assert life.hit, "the fault did not meet the operation any more: choose another word"
    assert life.settled
