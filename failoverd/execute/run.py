"""The one loop: for each group of a plan write the intent, do its steps side by side, write the outcomes.

Steps of one server run one after the other, because a claimed session is one session. A step that is achieved already
is
recognised and not done again, so a plan can be run any number of times. Where a step fails that the plan depends on,
the loop
stops and says so; what then happens (undo, or a person) is the caller's decision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.execute import (
    clone,
    comparing,
    durability,
    fence,
    freeze,
    hooks,
    promote,
    rebuild,
    recover,
    rejoin,
    repair,
    repoint,
    semisync,
    splice,
    switchover,
    traffic,
)
from failoverd.execute.hands import Hands
from failoverd.model import steps as s
from failoverd.model.errors import ConnectFailed, CoordinationError, FailoverdError, FencedOut, TimedOut
from failoverd.model.plans import EntryKind, Group, Plan, StepOutcome, StepResult
from failoverd.model.published import step_json

Handler = Callable[..., str]

HANDLERS: dict[type, Handler] = {
    s.ClaimServer: freeze.claim_server,
    s.FenceHost: fence.fence_host,
    s.FenceSession: fence.fence_session,
    s.StopReceiver: freeze.stop_receiver,
    s.StartReceiver: freeze.start_receiver,
    s.ReleaseFence: fence.release_fence,
    s.Splice: splice.splice,
    s.Fetch: recover.fetch,
    s.EndPartial: recover.end_partial,
    s.StartApplier: freeze.start_applier,
    s.Drain: recover.drain,
    s.DropSplice: splice.drop_splice,
    s.DisarmSource: promote.disarm_source,
    s.OpenWrites: promote.open_writes,
    s.PublishPrimary: promote.publish_primary,
    s.ForgetSource: promote.forget_source,
    s.Repoint: repoint.repoint,
    s.Acknowledge: semisync.acknowledge,
    s.AwaitAcks: semisync.await_acks,
    s.GiveUpAcks: semisync.give_up,
    s.StopWaiting: semisync.stop_waiting,
    s.RelaxDurability: durability.relax,
    s.RestoreDurability: durability.restore,
    s.KeepLogs: repair.keep_logs,
    s.ApplyReadable: repair.apply_readable,
    s.Refetch: repair.refetch,
    s.TakeAddress: traffic.take_address,
    s.LeaveAddress: traffic.leave_address,
    s.SteerBalancers: traffic.steer_balancers,
    s.RunHooks: hooks.run_hooks,
    s.FenceByHook: hooks.fence_by_hook,
    s.RebuildByHook: rebuild.rebuild_by_hook,
    s.GetReady: switchover.get_ready,
    s.CloseWrites: switchover.close_writes,
    s.CatchUp: switchover.catch_up,
    s.KeepOut: switchover.keep_out,
    s.LetIn: switchover.let_in,
    s.CloseReturned: rejoin.close_returned,
    s.ExportDivergence: rejoin.export_divergence,
    s.InjectEmpty: rejoin.inject_empty,
    s.Replay: rejoin.replay,
    s.CloneData: clone.clone_data,
    s.ProveAttached: rejoin.prove_attached,
    s.CompareTable: comparing.compare_table,
}

# Errors that end the whole operation at once for this manager: somebody else is or may be active.
DEPOSED = (CoordinationError, FencedOut)
# Steps whose intent is durable before they run.
AWAITED = (
    s.FenceHost,
    s.FenceSession,
    s.StopReceiver,
    s.CloseWrites,
    s.CloseReturned,
    s.InjectEmpty,
    s.Replay,
    s.CloneData,
    s.RebuildByHook,
)
# Steps that no snapshot shows as achieved, or that look for themselves: their server is not read for that, least of all
# during a freeze.
UNSEEN = (s.ClaimServer, s.GetReady, s.CloseWrites, s.CatchUp, s.KeepOut, s.DisarmSource, s.PublishPrimary)
# A group may take this much longer than its slowest step before its answer is given up.
GROUP_GRACE = 5.0
# In recovery the handlers watch progress themselves: one transaction may take an hour and move all the while.
RECOVERY_GRACE = 3600.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a plan ended: all outcomes in order, and the step that stopped it, if any."""

    done: tuple[tuple[s.Step, StepOutcome], ...]
    stopped_by: StepOutcome | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing that the plan depends on has failed."""
        return self.stopped_by is None

    @property
    def outcomes(self) -> tuple[StepOutcome, ...]:
        """All outcomes in order."""
        return tuple(outcome for _, outcome in self.done)

    @property
    def changed(self) -> tuple[s.Step, ...]:
        """The steps that took effect or may have: what an undo has to take back."""
        return tuple(step for step, outcome in self.done if outcome.result in {StepResult.DONE, StepResult.FAILED})


def run(plan: Plan, hands: Hands) -> Ended:
    """Execute a plan group by group. Raises CoordinationError or FencedOut when this manager may not go on."""
    done: list[tuple[s.Step, StepOutcome]] = []
    for group in plan.groups:
        hands.lease.check()
        hands.conduct.begin(group)
        write_intent(group, hands)
        stopped_by: StepOutcome | None = None
        for task, outcome in run_group(group, hands):  # every one of them has run, also beside one that failed
            done.append((task.step, outcome))
            hands.write(EntryKind.OUTCOME, {**step_json(outcome), "act": task.step}, wait=False)
            hands.tell(f"{outcome.stage} {outcome.title}: {outcome.result} ({outcome.detail})")
            hooks.post_status(hands, outcome)
            if outcome.result is not StepResult.FAILED:
                continue
            if task.if_it_fails is s.IfItFails.STOP or hands.barred:
                stopped_by = stopped_by or outcome
            elif outcome.stage is s.Stage.FREEZE:
                hands.drop(outcome.server)
        if stopped_by is not None:
            return Ended(tuple(done), stopped_by)
    return Ended(tuple(done))


def write_intent(group: Group, hands: Hands) -> None:
    """What is about to run; awaited before the first changes, because an undo by another manager rests on it.

    From the freeze on it is only sent: what is changed there can be recognised from the servers alone.
    """
    acts = tuple(task.step for task in group.tasks)
    body: dict[str, object] = {"stage": str(group.stage), "steps": [act.title() for act in acts], "acts": acts}
    hands.write(EntryKind.INTENT, body, wait=any(isinstance(act, AWAITED) for act in acts))


def run_group(group: Group, hands: Hands) -> list[tuple[s.Task, StepOutcome]]:
    """All steps of a group, side by side over servers, in the order of the group within one server."""
    by_server: dict[str, list[s.Task]] = {}
    for task in group.tasks:
        by_server.setdefault(task.step.server, []).append(task)

    def work(tasks: list[s.Task]) -> Callable[[], list[tuple[s.Task, StepOutcome]]]:
        return lambda: [(task, do(task, hands)) for task in tasks]

    deadline = max(sum(t.timeout for t in tasks) for tasks in by_server.values())
    deadline += RECOVERY_GRACE if group.stage is s.Stage.RECOVER else GROUP_GRACE + 2 * hands.conduct.longer
    answers = hands.tasks.gather({name: work(tasks) for name, tasks in by_server.items()}, deadline)
    done: list[tuple[s.Task, StepOutcome]] = []
    for name, tasks in by_server.items():
        answer = answers[name]
        if isinstance(answer, DEPOSED):
            raise answer
        if isinstance(answer, Exception):
            hands.leave_out(name)
            answer = [(task, failed(task, hands, hands.clock.wall().timestamp(), answer)) for task in tasks]
        done += answer
    return done


def do(task: s.Task, hands: Hands) -> StepOutcome:
    """One step: look, if achieved say ALREADY, else do. Being deposed is raised; every other error of ours is an
    outcome.
    """
    step = task.step
    started, begun = hands.clock.wall().timestamp(), hands.clock.now()
    try:
        hands.moment(f"before:{type(step).__name__}")
        hands.conduct.heed_before(step)
        result, detail = tried(step, hands)
        hands.moment(f"after:{type(step).__name__}")
    except DEPOSED:
        raise
    except FailoverdError as error:
        return failed(task, hands, started, error)
    seconds = hands.clock.now() - begun
    return StepOutcome(step.stage, step.title(), step.server, result, started, seconds, detail)


def tried(step: s.Step, hands: Hands) -> tuple[StepResult, str]:
    """Do it; where its session is lost on the way, once more on a new claim: that ends the old session's statement for
    certain, and reading back tells whether it took effect.
    """
    claim = hands.claims.get(step.server)
    try:
        return attempt(step, hands)
    except (ConnectFailed, TimedOut) as error:
        if claim is None or not hands.claim_anew(claim):
            raise
        hands.tell(f"{error}; claimed anew, and looked at what has become of it")
        _, detail = attempt(step, hands)
        return (
            StepResult.DONE,
            detail,
        )  # also where it took effect the first time: it is ours, and an undo takes it back


def attempt(step: s.Step, hands: Hands) -> tuple[StepResult, str]:
    """Look whether the server shows it as achieved; if not, do it."""
    if not already(step, hands):
        return StepResult.DONE, HANDLERS[type(step)](step, hands)
    if isinstance(step, s.OpenWrites) and not hands.takes_back(step.server):
        hands.note_open(hands.looks[step.server])
    return StepResult.ALREADY, "achieved already"


def already(step: s.Step, hands: Hands) -> bool:
    """Whether the server itself shows the step as achieved; asked only where it is claimed."""
    claim = None if isinstance(step, UNSEEN) else hands.claims.get(step.server)
    if claim is None:
        return False
    hands.looks[step.server] = state = claim.read()
    return step.achieved(hands.seen(state))


def failed(task: s.Task, hands: Hands, started: float, error: Exception) -> StepOutcome:
    """The outcome of a step that raised."""
    seconds = hands.clock.wall().timestamp() - started
    step = task.step
    return StepOutcome(step.stage, step.title(), step.server, StepResult.FAILED, started, seconds, str(error))
