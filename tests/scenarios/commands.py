"""The commands of a transcript: each runs production code on the world and tells what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from failoverd.decide.cloning import choose
from failoverd.decide.judge import TABLES, Tables, forbidden, judge, prospect, settle
from failoverd.decide.refusals import standing
from failoverd.decide.rejoining import held, overwritten, source_for
from failoverd.decide.suppose import suppose_dead
from failoverd.model.errors import FailoverdError
from failoverd.model.host import FenceProof
from failoverd.model.plans import Kind, Plan
from failoverd.model.steps import AwaitAcks, DisarmSource, FenceHost, FenceSession, OpenWrites, Step, StopReceiver
from failoverd.model.verdict import Refusal, Verdict
from failoverd.plan.cloning import plan_cloning, plan_rebuilding
from failoverd.plan.failover import plan_closing, plan_opening, plan_reopen, predict
from failoverd.plan.rejoin import plan_attaching, plan_closing_it, plan_letting_go
from failoverd.plan.render import render_plan
from failoverd.plan.undo import plan_undo
from failoverd.verify.invariants import INVARIANTS, Claimed, Invariant, replica_results, verify
from tests.scenarios.words import Line, gtids, identity, shortened
from tests.scenarios.world import NOW, WALL, World

Rows = tuple[Tables, tuple[Invariant, ...]]
PRODUCTION: Rows = (TABLES, INVARIANTS)


def run(command: str, world: World, rows: Rows = PRODUCTION) -> str:
    """The output of one command, identities shortened; an error of ours is an output too."""
    line = Line.parse(command)
    try:
        told = COMMANDS[line.subject](world, line, rows)
    except FailoverdError as error:
        told = f"{type(error).__name__}: {error}"
    line.done()
    return shortened(told)


def say_judge(world: World, line: Line, rows: Rows) -> str:
    return "\n".join(told(judge(world.snapshot, world.history, world.policy, NOW, WALL, rows[0])))


def told(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.name} by {verdict.rule}: {verdict.advice}, primary {verdict.primary}"
    yield f"  {verdict.sentence}"
    for e in verdict.evidence:
        yield f"  {e.what} by {e.route}, {e.age:.1f} s: {e.sentence}"
    yield from refused(verdict.refusals)
    for p in verdict.problems:
        yield f"  problem {p.id} of {p.server}: {p.sentence}"


def refused(refusals: tuple[Refusal, ...]) -> Iterator[str]:
    for r in refusals:
        yield f"  refused {r.id} ({r.measured or '-'}, limit {r.limit or '-'}): {r.sentence}"


def overrides(world: World) -> frozenset[str]:
    return world.request.overrides if world.request else frozenset()


def say_plan(world: World, line: Line, rows: Rows) -> str:
    killed = line.maybe("kill")
    if killed is not None:
        history = replace(world.history, misses=3, down_since=NOW)
        world = replace(world, snapshot=suppose_dead(world.snapshot, frozenset({killed})), history=history)
    ranking, found = prospect(world.situation(), rows[0])
    left = standing(found, overrides(world))
    return render_plan(predict(world.snapshot, world.history, world.policy, ranking, left))


def say_opening(world: World, line: Line, rows: Rows) -> str:
    return shown(plan_opening(world.snapshot, world.history, world.policy))


def say_closing(world: World, line: Line, rows: Rows) -> str:
    ranking, found = settle(world.situation(), rows[0])
    left = standing(found, overrides(world))
    plan = plan_closing(world.snapshot, world.history, world.policy, ranking, left)
    return f"{render_plan(plan)}\n{shown(plan)}" if plan.groups else render_plan(plan)


def say_reopen(world: World, line: Line, rows: Rows) -> str:
    found = forbidden(world.situation(), Kind.REOPEN, rows[0])
    return shown(plan_reopen(world.snapshot, world.history, world.policy, standing(found, overrides(world))))


def say_rejoin(world: World, line: Line, rows: Rows) -> str:
    s = world.situation()
    left = standing(forbidden(s, Kind.REJOIN, rows[0]), overrides(world))
    if left:
        return "\n".join(refused(left))
    name = world.request.to if world.request else ""
    if held(s) is not None:
        return shown(plan_letting_go(world.policy, s.recorded.name, name))
    if overwritten(s):
        first = plan_closing_it(world.policy, s.recorded.name, name)
        donor, primary = choose(s).donor, s.recorded.name
        copying = plan_cloning(world.policy, primary, name, donor).groups if donor else ()
        if world.request is not None and world.request.rebuild is not None:
            copying = plan_rebuilding(world.policy, primary, name).groups
        return shown(replace(first, groups=(*first.groups, *copying)))
    state = world.snapshot.state(name)
    source = source_for(s, state) if state is not None else ""
    then = plan_attaching(world.snapshot, world.policy, s.recorded.name, name, source)
    first = plan_closing_it(world.policy, s.recorded.name, name)
    return shown(replace(then, groups=(*first.groups, *then.groups)))


def say_undo(world: World, line: Line, rows: Rows) -> str:
    done = tuple(step_of(word) for word in line.flags)
    line.used.update(line.flags)
    return shown(plan_undo(world.policy, "db1", done))


def step_of(word: str) -> Step:
    kind, server = word.split(":")
    makers: dict[str, Callable[[str], Step]] = {
        "fence": lambda name: FenceHost(name, identity(name), "guard"),
        "close": FenceSession,
        "stop": StopReceiver,
        "disarm": DisarmSource,
        "open": OpenWrites,
        "wait": lambda name: AwaitAcks(name, 1),
    }
    return makers[kind](server)


def shown(plan: Plan) -> str:
    """Groups and steps with what their failure means; the sets that matter."""
    lines = []
    for number, group in enumerate(plan.groups, 1):
        for task in group.tasks:
            step = task.step
            what = f": {step.gtids}" if hasattr(step, "gtids") else ""
            lines.append(f"  {number} {task.if_it_fails}, {task.timeout:.1f} s: {step.title()}{what}")
    lines += refused(plan.refusals)
    return "\n".join(lines) or "  no step"


def say_verify(world: World, line: Line, rows: Rows) -> str:
    elect, opened = line.get("elect", "db2"), gtids(line.get("opened", "db1:1-100"))
    fence = line.maybe("fence")
    proof = None if fence is None else FenceProof("db1", fence, fence != "UNFENCED")
    claimed = Claimed(elect, opened, line.get("old", "db1"), identity("db1"), proof)
    lines = [
        f"  {f.severity} {f.id} {f.server}: {f.sentence}"
        for f in verify(world.snapshot, world.policy, claimed, rows[1])
    ]
    results = replica_results(world.snapshot, world.policy, claimed)
    lines += [f"  {replica.name}: {'attached' if replica.attached else replica.problem}" for replica in results]
    return "\n".join(lines)


COMMANDS: dict[str, Callable[[World, Line, Rows], str]] = {
    "judge": say_judge,
    "plan": say_plan,
    "opening": say_opening,
    "closing": say_closing,
    "reopen": say_reopen,
    "rejoin": say_rejoin,
    "undo": say_undo,
    "verify": say_verify,
}
