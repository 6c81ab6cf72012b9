"""How an operation is conducted from outside while it runs: it tells where it stands, and heeds what people want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from failoverd.execute.pace import Pace
from failoverd.model.control import Controls, Standing, Wishes
from failoverd.model.errors import StepFailed
from failoverd.model.plans import Group, Kind, Operation, Plan
from failoverd.model.policy import ClusterPolicy, SwitchoverPolicy
from failoverd.model.steps import CatchUp, CloseWrites, DisarmSource, GetReady, KeepOut, Step

# So many steps of a group are named in one line.
_NAMED = 2
# Before each of these it is asked whether people still want it; none of them takes anything back.
_ON_THE_WAY = (GetReady, CloseWrites, CatchUp, KeepOut, DisarmSource)


def standing_of(operation: Operation, policy: ClusterPolicy) -> Standing:
    """Where an operation stands that has just been written down."""
    plan = operation.plan
    servers = tuple(spec.name for spec in policy.servers)
    return Standing(
        operation.id, operation.cluster, operation.kind, plan.titles(), plan.elect, servers, policy.switchover
    )


def waiting_with(plan: Plan, policy: ClusterPolicy) -> Standing:
    """Where a command stands that waits with everything checked, and nothing begun."""
    servers = tuple(spec.name for spec in policy.servers)
    return Standing("", plan.cluster, plan.kind, plan.titles(), plan.elect, servers, policy.switchover, "CHECK")


def unattended() -> None:
    """Nobody has to hear that this process lives while it waits."""


class Conduct:
    """One operation and those who talk to it.

    `attend` tells everybody else, now and then, how their servers are while an operation waits.
    """

    def __init__(self, controls: Controls, standing: Standing) -> None:
        self._controls = controls
        self._standing = standing
        self._put_off = False
        self.attend: Callable[[], None] = unattended

    @property
    def wishes(self) -> Wishes:
        """What people want now."""
        return self._controls.wishes()

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        return self._standing

    @property
    def limits(self) -> SwitchoverPolicy:
        """The limits in force now."""
        return self.wishes.within(self._standing.limits)

    @property
    def longer(self) -> float:
        """By how much people have lengthened the freeze since the plan was made (seconds)."""
        return max(0.0, self.limits.freeze_budget - self._standing.limits.freeze_budget)

    def begin(self, group: Group) -> None:
        """A group of steps begins."""
        titles = [task.step.title() for task in group.tasks]
        more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
        self._stands(stage=str(group.stage), doing=", ".join(titles[:_NAMED]) + more, waiting="")

    def tell(self, doing: str) -> None:
        """A long step tells how far it is."""
        self._stands(doing=doing)

    def wait(self, why: str) -> None:
        """It waits, with nothing frozen, because of this."""
        self._stands(waiting=why)

    def measure(self, outstanding: int, pace: Pace) -> None:
        """So many transactions are outstanding, and they get fewer at this pace."""
        self._stands(outstanding=outstanding, rate=pace.rate())

    def freeze(self, now: float) -> None:
        """Writes are about to be closed. StepFailed where people want to wait."""
        self._put_off = True
        self._unless(lambda wishes: wishes.waited_for() or wishes.against(self._standing.elect), frozen_at=now)
        self._put_off = False

    def put_off(self) -> bool:
        """Whether the last attempt ended because people wanted to wait; told once."""
        told, self._put_off = self._put_off, False
        return told

    def choose(self) -> None:
        """The elect is about to be chosen for good. StepFailed where people want it otherwise."""
        self._unless(lambda wishes: wishes.against(self._standing.elect), chosen=True)

    def thaw(self) -> None:
        """Somebody takes writes again."""
        self._stands(frozen_at=None, outstanding=None, rate=None)

    def go_forward(self) -> None:
        """The elect was chosen before this manager took the operation up."""
        self._stands(chosen=True)

    def plan_anew(self, plan: Plan) -> None:
        """Another plan takes the place of the one before."""
        self._stands(elect=plan.elect, plan=plan.titles())

    def heed(self) -> None:
        """StepFailed where people do not want this elect any more."""
        why = self.wishes.against(self._standing.elect)
        if why and not self._standing.chosen:
            raise StepFailed("given up", why)

    def heed_before(self, step: Step) -> None:
        """The same before a step that leads to the choice."""
        if self._standing.kind is Kind.SWITCHOVER and isinstance(step, _ON_THE_WAY):
            self.heed()

    def close(self) -> None:
        """Nobody talks to it any more."""
        self._controls.close()

    def _stands(self, **changes: object) -> None:
        self._standing = replace(self._standing, **changes)  # type: ignore[arg-type]
        self._controls.stands(self._standing)

    def _unless(self, against: Callable[[Wishes], str], **changes: object) -> None:
        after = replace(self._standing, **changes)  # type: ignore[arg-type]
        why = self._controls.stands_unless(after, against)
        if why:
            raise StepFailed("not now", why)
        self._standing = after
