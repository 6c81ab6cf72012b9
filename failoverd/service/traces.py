"""What the servers themselves show of steps whose records are missing: most records are sent and not awaited."""

from __future__ import annotations

from failoverd.model.plans import Operation
from failoverd.model.sight import Thread
from failoverd.model.steps import NOWHERE, DisarmSource, GetReady, Repoint, Step, StopReceiver
from failoverd.service.world import Occasion


def traces(occasion: Occasion, operation: Operation, begun: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps beside those of the journal that were taken by all appearances."""
    if not operation.kind.moves:
        return ()
    return (*disarmed(occasion, begun), *silenced(occasion, operation))


def disarmed(occasion: Occasion, begun: tuple[Step, ...]) -> tuple[Step, ...]:
    """Whose source is nowhere. Who was made ready for a switchover shows by a stopped receiver that it was begun."""
    ready = {step.server for step in begun if isinstance(step, GetReady)}
    return tuple(
        DisarmSource(s.name)
        for s in occasion.snapshot.reached()
        if s.main and (s.main.source.host == NOWHERE.host or (s.name in ready and s.main.receiver is Thread.NO))
    )


def silenced(occasion: Occasion, operation: Operation) -> tuple[Step, ...]:
    """Replicas of the old primary whose receivers stand still, where the plan stops them on its way."""
    tasks = (task for group in operation.plan.groups for task in group.tasks)
    met = {task.step.server for task in tasks if isinstance(task.step, StopReceiver | Repoint)}
    old = occasion.snapshot.state(operation.plan.old_primary)
    return tuple(
        StopReceiver(s.name)
        for s in occasion.snapshot.reached()
        if s.name in met and old and s.main and s.main.source == old.endpoint and s.main.receiver is Thread.NO
    )
