"""For any cluster in any state: a verdict always comes, and nobody acts against a primary without evidence."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from failoverd.decide.judge import judge
from failoverd.decide.testimony import LIVING, Word
from failoverd.model.sight import Why
from failoverd.model.verdict import Advice, Verdict
from tests.scenarios.world import NOW, WALL, World, build

DOWN = [why for why in Why if why is not Why.NOT_ASKED]
UNMISSED = {Why.ALIVE, Why.ACCESS_DENIED, Why.OWN_SIDE}
AGES = st.sampled_from(["none", "0.1", "1.2", "1.3", "30"])


@st.composite
def primaries(draw: st.DrawFn) -> list[str]:
    """The recorded primary as we see it, with the memory that fits, and what its host's agent says."""
    if draw(st.booleans()):
        closed = draw(st.sampled_from(["", " ro", " offline"]))
        started = draw(st.sampled_from(["900", "899", "5"]))
        memory = draw(st.sampled_from(["history", "history forgetful", "history held.db2=db1:1-101"]))
        return [f"db1 up{closed} started={started}", memory]
    why = draw(st.sampled_from(DOWN))
    lines = [f"db1 down why={why.value}"]
    if why in UNMISSED:
        lines.append("history")
    else:
        misses, down = draw(st.integers(1, 40)), draw(st.sampled_from([0, 1, 4, 20]))
        since = "".join(f" {word}={down}" for word in ("refused", "leaving") if draw(st.booleans()))
        lines.append(f"history misses={misses} down={down}{since}")
    says = draw(
        st.sampled_from(
            ["", "alive", "alive state=T", "dead", "dead orderly=yes", "dead fenced=3", "dead age=9", "missing"]
        )
    )
    return [*lines, f"agent db1 {says}"] if says else lines


@st.composite
def worlds(draw: st.DrawFn) -> World:
    lines = draw(primaries())
    for name in draw(st.sampled_from([(), ("db2",), ("db2", "db3")])):
        if draw(st.integers(0, 4)) == 0:
            lines.append(f"{name} down why=timed-out")
            continue
        receiver = draw(st.sampled_from(["yes", "connecting", "no"]))
        error = draw(st.sampled_from(["", " ioerr=2003", " ioerr=1045"]))
        source = draw(st.sampled_from(["db1", "db1", "db1", "db2", "elsewhere"]))
        source = "db1" if source == name else source
        rest = draw(
            st.sampled_from(["", "", "", " rw", " promote=never", " executed=db1:1-101", " executed=db1:1-100,db3:1"])
        )
        lines.append(f"{name} replica receiver={receiver}{error} from={source} heartbeat={draw(AGES)}{rest}")
        if draw(st.booleans()):
            outcome = draw(st.sampled_from(["ok", "alive", "refused", "timeout", "hung"]))
            lines.append(f"probe {name} {outcome} age={draw(st.sampled_from(['0.1', '9']))}")
    crash_grace = draw(st.sampled_from(["0", "2"]))
    lines.append(f"cluster crash_grace={crash_grace}")
    return build(lines)


def judged(world: World) -> Verdict:
    return judge(world.snapshot, world.history, world.policy, NOW, WALL)


@settings(max_examples=200)
@given(worlds())
def test_no_failover_without_evidence(world: World) -> None:
    verdict = judged(world)
    assert verdict.sentence
    assert "{" not in verdict.sentence
    if verdict.advice is not Advice.FAIL_OVER:
        assert verdict.advice is Advice.REOPEN or not verdict.refusals
        return
    s = world.situation()
    assert s.primary is None
    assert not (s.missed.spoke and s.missed.why is not Why.LEAVING)
    assert len(world.snapshot.writable()) == 0
    logins = [p.outcome in LIVING for p in world.snapshot.probes if NOW - p.read_at <= 2]
    assert not any(logins)
    no_process = s.facts is not None and not s.facts.alive
    if not (no_process and s.agreeing()):
        assert s.history.misses >= 3
        assert s.said(Word.SILENT)
        assert not s.said(Word.ALIVE)
        assert s.facts is not None or s.history.refused_since is None or s.elapsed >= 5
    if s.orderly():
        assert s.elapsed >= world.policy.detection.shutdown_grace
    assert s.elapsed >= world.policy.detection.crash_grace


@settings(max_examples=200)
@given(worlds())
def test_nothing_is_reopened_that_a_person_closed_or_that_is_behind(world: World) -> None:
    if judged(world).advice is not Advice.REOPEN:
        return
    primary = world.situation().primary
    assert primary is not None
    assert not primary.writable
    assert primary.main is None
    assert NOW - primary.started_at < 600
    for spec in world.policy.servers:
        state = world.snapshot.state(spec.name)
        held = state.holds if state else world.history.holdings().get(spec.name)
        assert held is not None
        assert held.of_uuid(primary.server_uuid) <= primary.executed
