"""About how long a plan will take, from measured times: for people, before anything is done."""

from __future__ import annotations

from failoverd.gtid import GtidSet
from failoverd.model.plans import Group
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import ClaimServer, Drain, FenceHost, Fetch, OpenWrites, Repoint, Splice, Step, StopReceiver

# Seconds of one statement or call, measured on a loaded two-core machine.
USUAL = {ClaimServer: 0.01, FenceHost: 0.06, StopReceiver: 0.01, OpenWrites: 0.005, Repoint: 0.04}
OTHER = 0.01
# A receiver that is connecting to a host which swallows packets stops only after this.
STUCK_RECEIVER = 2.0
# Transactions a second that an applier runs, on durable settings.
APPLY_RATE = 900.0
COPY_RATE = 50e6
SPLICE_SETUP = 0.2


def eta(groups: tuple[Group, ...], snapshot: TopologySnapshot) -> float:
    """Seconds for all groups, one after the other; the steps of a group run side by side."""
    return sum(max(seconds(task.step, snapshot) for task in group.tasks) for group in groups)


def seconds(step: Step, snapshot: TopologySnapshot) -> float:
    """Seconds of one step."""
    if isinstance(step, Splice):
        return SPLICE_SETUP + step.size / COPY_RATE + len(step.gtids) / APPLY_RATE
    if isinstance(step, Fetch):
        return SPLICE_SETUP + len(step.gtids) / APPLY_RATE
    state = snapshot.state(step.server)
    if isinstance(step, Drain):
        left = step.gtids & (state.received - state.executed) if state is not None else GtidSet()
        return OTHER + len(left) / APPLY_RATE
    if isinstance(step, StopReceiver) and stuck(state):
        return STUCK_RECEIVER
    return USUAL.get(type(step), OTHER)


def stuck(state: ServerState | None) -> bool:
    """Whether the receiver tries in vain to reach a host that does not even refuse."""
    channel = state.main if state is not None else None
    return channel is not None and channel.receiver is Thread.CONNECTING and channel.receiver_trouble.code == 0
