"""Who came back: another start than the one that was seen, or one after it was missed; a stop by hand is none."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from failoverd.model.comings import Comings
from failoverd.model.sight import Sight, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot
from tests.scenarios.world import NOW, build


def sight(line: str) -> Sight:
    return build(["db1 up", line]).snapshot.sights["db2"]


def looked(*sights: Sight) -> Comings:
    comings = Comings()
    for one in sights:
        comings = comings.after(TopologySnapshot("shop", NOW, MappingProxyType({"db2": one})))
    return comings


RUNS = sight("db2 replica started=900")
STOPPED = sight("db2 replica receiver=no started=900")
STARTED = sight("db2 replica receiver=no started=3")
AGAIN = sight("db2 replica started=3")
ALONE = sight("db2 alone started=3")
GONE = Unreachable("db2", Why.REFUSED, "nobody listens", NOW - 2.0)
OLD_NEWS = Unreachable("db2", Why.TIMED_OUT, "no answer", NOW - 2.0)


@pytest.mark.parametrize(
    ("sights", "returned"),
    [
        ((STARTED,), False),
        ((RUNS, STOPPED), False),
        ((RUNS, STARTED), True),
        ((GONE, STARTED), True),
        ((GONE, ALONE), True),
        ((OLD_NEWS, STOPPED), False),
        ((RUNS, GONE, STARTED, STARTED), True),
        ((RUNS, GONE, STARTED, AGAIN), False),
        ((RUNS, GONE, AGAIN, STARTED), False),
    ],
    ids=[
        "nobody has seen it before",
        "stopped by a person",
        "another start",
        "a start after it was missed",
        "the same, following nobody",
        "missed for a moment, stopped by a person long before",
        "it stays so until it replicates",
        "it replicates",
        "stopped by a person after that",
    ],
)
def test_it_came_back(sights: tuple[Sight, ...], returned: bool) -> None:
    assert looked(*sights).of("db2").returned is returned


def test_since_when_it_is_missed() -> None:
    later = Unreachable("db2", Why.TIMED_OUT, "no answer", NOW)
    assert looked(RUNS, GONE, later).of("db2").missed_since == NOW - 2.0
    assert looked(RUNS, GONE, RUNS).of("db2").missed_since is None


def test_a_look_that_failed_on_our_side_says_nothing() -> None:
    ours = Unreachable("db2", Why.OWN_SIDE, "no socket", NOW)
    assert looked(RUNS, ours).of("db2") == looked(RUNS).of("db2")
