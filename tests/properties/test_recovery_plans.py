"""For any sets on any servers: nothing errant moves, nothing promised is left out, nothing known is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failoverd.decide.candidate import rank
from failoverd.decide.errant import legitimate
from failoverd.gtid import GtidSet
from failoverd.model.sources import can_execute, executes_soon
from failoverd.model.steps import Drain, Fetch, Splice
from failoverd.plan.failover import plan_closing
from tests.scenarios.words import identity
from tests.scenarios.world import World, build

OWN, STRANGE = identity("db1"), identity("db3")
NUMBERS = st.frozensets(st.integers(1, 12), max_size=12)


def written(own: frozenset[int], strange: frozenset[int]) -> str:
    parts = [(OWN, own), (STRANGE, strange)]
    return ",".join(f"{uuid}:{number}" for uuid, numbers in parts for number in sorted(numbers))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A dead primary, three replicas with any sets, any scan results, any memory."""
    lines = ["db1 down", "history misses=1 down=0 executed=" + written(draw(NUMBERS), draw(NUMBERS))]
    if draw(st.booleans()):
        lines.append("agent db1 dead")
    for name in ("db2", "db3", "db4"):
        executed, received = written(draw(NUMBERS), draw(NUMBERS)), written(draw(NUMBERS), frozenset())
        promote = draw(st.sampled_from(["normal", "normal", "never", "avoid", "prefer"]))
        broken = draw(st.sampled_from(["", "", " applier=no sqlerr=1062", " applier=no"]))
        lines.append(f"{name} replica receiver=no promote={promote} executed={executed} received={received}{broken}")
        for kind, text in (("binary", executed), ("relay", received)):
            if draw(st.booleans()):
                lines.append(f"holding {name} {kind} has={text}")
    if draw(st.booleans()):
        lines.append("holding db1 binary has=" + written(draw(NUMBERS), draw(NUMBERS)))
    return build(lines)


@given(worlds(), st.sampled_from([frozenset(), frozenset({"missing-transactions", "errant-candidate"})]))
def test_plans_bring_exactly_what_they_promise(world: World, overrides: frozenset[str]) -> None:
    ranking = rank(world.snapshot, world.history, world.policy, "", overrides)
    plan = plan_closing(world.snapshot, world.history, world.policy, ranking)
    assert legitimate(ranking.target, world.snapshot, world.history) == ranking.target
    assert not ranking.target & ranking.missing
    everything = GtidSet()
    for state in world.snapshot.reached():
        everything |= state.executed
    elect = world.snapshot.state(ranking.elect)
    if elect is None:
        assert not plan.groups
        return
    brought = can_execute(elect)
    drained = ranking.target <= elect.executed
    for group in plan.groups:
        for task in group.tasks:
            step = task.step
            if isinstance(step, Splice):
                assert step.gtids == legitimate(step.gtids, world.snapshot, world.history)
                assert not step.gtids & brought
                brought |= step.gtids
            if isinstance(step, Drain):
                drained = step.gtids == ranking.target
            if isinstance(step, Fetch):
                peer = world.snapshot.state(step.source)
                assert peer is not None
                assert not dict(ranking.errant).get(peer.name)
                assert step.gtids <= executes_soon(peer)
                brought |= executes_soon(peer)
    assert ranking.target <= brought
    assert drained
    known = legitimate(everything | world.history.last_executed, world.snapshot, world.history)
    assert known <= ranking.target | ranking.missing


@given(worlds())
def test_nobody_strictly_behind_wins_by_preference_alone(world: World) -> None:
    ranking = rank(world.snapshot, world.history, world.policy)
    elect = world.snapshot.state(ranking.elect)
    stopped = {name for name, _ in ranking.obstacles}
    for spec in world.policy.servers:
        state = world.snapshot.state(spec.name)
        if elect is None or state is None or spec.name in stopped or spec.promote == "avoid":
            continue
        ahead = can_execute(state) & ranking.target > can_execute(elect) & ranking.target
        assert not ahead or spec.name == elect.name
