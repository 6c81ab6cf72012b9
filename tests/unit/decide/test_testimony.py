"""Alive, silent, or nothing: every way in which a second route can speak."""

from __future__ import annotations

import pytest

from failoverd.decide import testimony
from failoverd.decide.testimony import Word, disconnected, from_probe, proven_at
from failoverd.model.host import ProbeOutcome, ProbeReport
from failoverd.model.sight import ServerState
from tests.scenarios.words import identity
from tests.scenarios.world import build

PRIMARY = identity("db1")


def replica(options: str) -> ServerState:
    state = build(["db1 up", f"db2 {options}"]).snapshot.state("db2")
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("replica heartbeat=0.1", Word.ALIVE),
        ("replica heartbeat=1.2", Word.ALIVE),
        ("replica heartbeat=1.21", Word.SILENT),
        ("replica heartbeat=10 period=5", Word.ALIVE),
        ("replica heartbeat=10.3 period=5", Word.SILENT),
        ("replica heartbeat=none", Word.ABSTAINS),
        ("replica heartbeat=9 receiver=no", Word.ABSTAINS),
        ("replica heartbeat=9 receiver=connecting", Word.SILENT),
        ("replica heartbeat=9 receiver=connecting ioerr=2003", Word.SILENT),
        ("replica heartbeat=9 receiver=connecting ioerr=2013", Word.SILENT),
        ("replica heartbeat=9 receiver=connecting ioerr=1045", Word.ABSTAINS),
        ("replica heartbeat=9 receiver=connecting ioerr=1040", Word.ABSTAINS),
        ("replica heartbeat=9 receiver=connecting ioerr=2005", Word.ABSTAINS),
        ("replica heartbeat=1.0 receiver=connecting", Word.ABSTAINS),
        ("replica heartbeat=0.1 from=db3", Word.ABSTAINS),
        ("replica heartbeat=9 from=db3", Word.ABSTAINS),
        ("alone", Word.ABSTAINS),
    ],
)
def test_receivers(options: str, word: Word) -> None:
    assert testimony.testify(replica(options), PRIMARY).word is word


@pytest.mark.parametrize(
    ("options", "due_in"),
    [
        ("replica heartbeat=0.1", 1.1),
        ("replica heartbeat=1", 0.2),
        ("replica heartbeat=1 period=5", 9.2),
        ("replica heartbeat=1.21", None),
        ("replica heartbeat=none", None),
        ("replica heartbeat=0.1 receiver=no", None),
        ("replica heartbeat=0.1 from=db3", None),
        ("alone", None),
    ],
)
def test_when_silence_will_be_proven(options: str, due_in: float | None) -> None:
    state, other = replica(options), replica("replica heartbeat=0.9")
    due = proven_at([state], PRIMARY)
    assert (None if due is None else due - state.read_at) == (None if due_in is None else pytest.approx(due_in))
    both = proven_at([other, state], PRIMARY)
    assert both is not None
    assert both - other.read_at == pytest.approx(max(due_in or 0, 0.3)), "the last one that was heard decides"


@pytest.mark.parametrize(
    ("options", "cut"),
    [
        ("replica", False),
        ("replica receiver=connecting", True),
        ("replica receiver=no", True),
        ("replica receiver=no from=db3", False),
        ("alone", False),
    ],
)
def test_disconnected(options: str, cut: bool) -> None:
    assert disconnected(replica(options), PRIMARY) is cut


@pytest.mark.parametrize("outcome", ProbeOutcome)
def test_logins(outcome: ProbeOutcome) -> None:
    living = outcome in {ProbeOutcome.OK, ProbeOutcome.ALIVE}
    told = from_probe(ProbeReport("db2", "db1", outcome, 0.01, 99.5), 100.0)
    assert told.word is (Word.ALIVE if living else Word.SILENT)
    assert (told.origin, told.age) == ("db2", 0.5)
