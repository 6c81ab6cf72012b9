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


def plain(seed: int) -> Script:
    """The life of a seed as it was before relay logs were damaged, forgotten, and ended in the middle."""
    return replace(script_of(seed), recovers=False, damaged=0, halves=False)


# Lives of whole seeds; what a seed means stays as it is while its lots are not drawn anew.
SEEDS: tuple[tuple[str, Script, str], ...] = (
    ("1926", script_of(1926), "a replica's errant transaction was spread by a manager that had never seen the primary"),
    ("1512", script_of(1512), "the same, after it had reached one replica only"),
    ("1882", script_of(1882), "an elect that died unopened was recorded while the old primary served its clients"),
    ("120", script_of(120), "receivers that were stopped beside a fence that failed stayed stopped"),
    ("426", script_of(426), "a claim that came after its operation had ended killed the manager"),
    ("6130", script_of(6130), "what took effect though its answer was lost was not taken back by the undo"),
    ("475", script_of(475), "two histories, told as such"),
    (
        "61467",
        script_of(61467),
        "an undo left a replica standing still that was stopped by a word not on record",
    ),
    ("61572", script_of(61572), "an elect was opened that forced nothing to its disk: giving it back had failed once"),
    ("40814", script_of(40814), "a manager frozen over its lease counted as an active one that a server had refused"),
    (
        "4160",
        plain(4160),
        "a person's failover at the first silence opened another one without fencing the frozen primary",
    ),
    (
        "10564",
        script_of(10564),
        "the same, with writes of its own: an elect was opened, and died before it was on record",
    ),
    ("11231", plain(11231), "a reopening that was under way when all was judged"),
    ("10302", script_of(10302), "a switchover that began when the virtual address was looked for"),
    ("12935", script_of(12935), "a switchover was ended as done in a first silence, and left its old primary closed"),
    ("3508", script_of(3508), "a person's failover opened a server beside an earlier primary that nobody had fenced"),
    (
        "10542",
        script_of(10542),
        "a lossless primary waited for acknowledgements of a replica that nobody would ever attach, and stayed closed",
    ),
    ("12233", script_of(12233), "a switchover was left closed for people, because the next manager's time was wrong"),
    ("200090", script_of(200090), "a server that could not be reached for a moment never forced its commits again"),
    ("1987", script_of(1987), "two histories, and then the newer one's primary died as well"),
    (
        "225",
        script_of(225),
        "what a primary inherited that nobody saw alive was held to be lost, and nobody was opened",
    ),
    ("82", replace(plain(82), planned=True), "an elect's hold outlived the switchover that gave it up"),
)


@pytest.mark.parametrize(("seed", "script", "wrong"), SEEDS, ids=[seed for seed, _, _ in SEEDS])
def test_a_seed_that_went_wrong_once_does_not_go_wrong_again(seed: str, script: Script, wrong: str) -> None:
    life = live(script)
    assert life.broken == (), f"{seed}: {wrong}"
    assert life.hit


@pytest.mark.parametrize("seed", [2251, 2320])
def test_a_lost_answer_costs_seconds_and_nobody_has_to_come(seed: int) -> None:
    life = live(replace(script_of(seed), vip=False))  # with an address it is watched for some time after its end
    assert life.settled
    assert set(life.outcomes) == {"done"}  # the failover, and what lets the old primary go
    assert life.seconds < 15.0
