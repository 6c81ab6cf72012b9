"""People's own programs at the turning points of an operation: begun only when that is in the journal, so that whoever
goes on knows what was begun.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from failoverd.execute.fence import UNFENCED
from failoverd.execute.hands import Hands
from failoverd.model.errors import FailoverdError, HookError, StepFailed
from failoverd.model.hooks import STAGES, VETOING, Heed, HookCall, HookPolicy, HookResult, Point, repeats
from failoverd.model.host import FenceProof
from failoverd.model.plans import EntryKind, Report, Result, StepOutcome
from failoverd.model.published import operation_json, report_json, step_json
from failoverd.model.steps import FenceByHook, RunHooks
from failoverd.ports import Hooks

SHOWN = 300  # characters of what a hook said that stand in an outcome; the journal has more


@dataclass(frozen=True, slots=True)
class Asked:
    """What the hooks of one point are asked: `about` is told beside what every hook is told, `heed` hears each while it
    runs. With `until_failure` those behind one that fails are left out.
    """

    point: Point
    document: Mapping[str, object]
    new: str = ""
    until_failure: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    heed: Heed | None = None


def run_hooks(step: RunHooks, hands: Hands) -> str:
    """All hooks of a point; those that fail are named. Where they may veto, anything but a good end is a no, and the
    ones behind it are not asked any more.
    """
    veto = step.point in VETOING
    results = run_point(hands, Asked(step.point, operation_json(hands.operation), step.new, until_failure=veto))
    failed = [result for result in results if not result.ok]
    if failed and veto:
        hands.given_up_for = f"hook {failed[0].name} says no"
        raise StepFailed(hands.given_up_for, spoken(failed[0]))
    if failed:
        raise StepFailed(f"{len(failed)} of {len(results)} hooks failed", "; ".join(map(spoken, failed)))
    return f"{len(results)} run"


def fence_by_hook(step: FenceByHook, hands: Hands) -> str:
    """By the hooks of people, where no other fence was proven; their good end is taken for the proof."""
    if hands.fence is not None and hands.fence.proven:
        return "not needed: fenced already"
    results = run_point(hands, Asked(Point.FENCE, operation_json(hands.operation)))
    good = [result.name for result in results if result.ok]
    if not good:
        hands.fence = FenceProof(step.server, UNFENCED, proven=False)
        raise StepFailed(f"{step.server} could not be fenced by hook", "; ".join(map(spoken, results)))
    how = f"hook {good[0]}: its word is taken for it"
    hands.fence = FenceProof(step.server, how, proven=True)
    return how


def run_point(hands: Hands, asked: Asked) -> list[HookResult]:
    """Run the hooks of a point one after the other, each journalled before and after; those that were begun already
    and may not be repeated are left out, and so are those that ended well.
    """
    hooks = hands.outside.hooks
    if hooks is None:
        return []
    folder, point = hands.policy.hooks.folder, asked.point
    results: list[HookResult] = []
    for name in hooks.names(folder, point):
        if asked.until_failure and results and not results[-1].ok:
            break
        key = f"{hands.operation.id}:{point}:{name}"
        if key in hands.hooked:
            continue
        whole = hands.policy.hooks.limit(point)
        limit = max(min(whole, hands.left(whole)), 0.05)  # nobody writes meanwhile
        around = {**told(hands, point, asked.new, key), **asked.about}
        call = HookCall(folder, point, name, around, json.dumps(asked.document), limit)
        results.append(run_one(hands, hooks, call, asked.heed))
    return results


def run_one(hands: Hands, hooks: Hooks, call: HookCall, heed: Heed | None) -> HookResult:
    """One hook: that it is begun is durable before, how it ended is sent after, also where `heed` has ended it."""
    key = call.told["IDEMPOTENCY_KEY"]
    again = repeats(call.point, call.name)
    begun: dict[str, object] = {"key": key, "hook": call.name, "point": str(call.point), "repeatable": again}
    hands.write(EntryKind.HOOK, begun, wait=True)
    hands.lease.check()
    hands.moment(f"before:hook {call.point}")
    try:
        result = hooks.run(call, heed)
    except FailoverdError as error:
        ended_by_us: dict[str, object] = {"key": key, "ok": False, "how": f"ended by us: {error}", "output": ""}
        hands.write(EntryKind.HOOK_ENDED, ended_by_us, wait=False)
        raise
    hands.moment(f"after:hook {call.point}")
    if result.ok or not again:
        hands.hooked.add(key)
    body: dict[str, object] = {"key": key, "ok": result.ok, "how": result.how, "output": result.output}
    hands.write(EntryKind.HOOK_ENDED, body, wait=False)
    return result


ENDS: Mapping[Result, Point] = {Result.DONE: Point.ON_SUCCESS, Result.UNDONE: Point.ON_UNDONE}


def run_ending(hands: Hands, report: Report) -> None:
    """The hooks of an operation's end, told its whole report; how they end changes nothing any more."""
    point = ENDS.get(report.result, Point.ON_FAILURE)
    if not hands.policy.hooks.count(point):
        return
    try:
        results = run_point(hands, Asked(point, report_json(report), report.new_primary))
    except HookError as error:
        hands.tell(f"hooks {point}: {error}")
        return
    for result in results:
        hands.tell(f"hook {point}: {spoken(result)}")


def post_status(hands: Hands, outcome: StepOutcome) -> None:
    """Tell the hooks for progress, aside, whenever an operation comes to another stage."""
    hooks, policy = hands.outside.hooks, hands.policy.hooks
    if hooks is None or not policy.count(Point.ON_STATUS) or outcome.stage == hands.stage_told:
        return
    hands.stage_told = outcome.stage
    key = f"{hands.operation.id}:{Point.ON_STATUS}:{outcome.stage}"
    around = {**told(hands, Point.ON_STATUS, "", key), "STAGE": str(outcome.stage)}
    document = json.dumps({**operation_json(hands.operation), "steps": [step_json(outcome)]})
    post(hooks, policy, Point.ON_STATUS, around, document)


def post(hooks: Hooks, policy: HookPolicy, point: Point, around: Mapping[str, str], document: str) -> None:
    """Run all hooks of a point aside; a folder that is not ours alone is passed over here, `check` tells of it."""
    try:
        names = hooks.names(policy.folder, point)
    except HookError:
        return
    hooks.post(tuple(HookCall(policy.folder, point, name, around, document, policy.timeout) for name in names))


def told(hands: Hands, point: Point, new: str, key: str) -> dict[str, str]:
    """What a hook is told in its environment."""
    operation = hands.operation
    old = operation.plan.old_primary
    return {
        "CLUSTER": operation.cluster,
        "OPERATION": operation.id,
        "KIND": str(operation.kind),
        "EPOCH": str(hands.lease.epoch),
        "STAGE": str(STAGES[point]),
        "HOOK": str(point),
        "OLD": old,
        "NEW": new or operation.plan.elect,
        "OLD_ADDRESS": address_of(hands, old),
        "NEW_ADDRESS": address_of(hands, new or operation.plan.elect),
        "IDEMPOTENCY_KEY": key,
    }


def address_of(hands: Hands, server: str) -> str:
    """HOST:PORT of a listed server, empty for none."""
    return next((str(spec.endpoint) for spec in hands.policy.servers if spec.name == server), "")


def spoken(result: HookResult) -> str:
    """One result in words."""
    said = f": {result.output[:SHOWN]}" if result.output else ""
    return f"{result.name} ({result.how}){said}"
