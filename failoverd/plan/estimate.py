"""About how long a plan will take, from measured times: for people, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.gtid import GtidSet
from failoverd.model.pace import UNKNOWN, USUAL_RATE, Pace
from failoverd.model.plans import Group
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import ClaimServer, Drain, FenceHost, Fetch, OpenWrites, Repoint, Splice, Step, StopReceiver

# Seconds of one statement or call, measured on a loaded two-core machine.
USUAL = {ClaimServer: 0.01, FenceHost: 0.06, StopReceiver: 0.01, OpenWrites: 0.005, Repoint: 0.04}
OTHER = 0.01
# A receiver that is connecting to a host which swallows packets stops only after this.
STUCK_RECEIVER = 2.0
COPY_RATE = 50e6
SPLICE_SETUP = 0.2


Paces = Mapping[str, Pace]


def eta(groups: tuple[Group, ...], snapshot: TopologySnapshot, paces: Paces) -> float:
    """Seconds for all groups, one after the other; the steps of a group run side by side."""
    return sum(max(seconds(task.step, snapshot, paces) for task in group.tasks) for group in groups)


def seconds(step: Step, snapshot: TopologySnapshot, paces: Paces) -> float:
    """Seconds of one step, at the measured pace of its server where there is one."""
    rate = measured_rate(step.server, paces) or USUAL_RATE
    if isinstance(step, Splice):
        return SPLICE_SETUP + step.size / COPY_RATE + len(step.gtids) / rate
    if isinstance(step, Fetch):
        return SPLICE_SETUP + len(step.gtids) / rate
    state = snapshot.state(step.server)
    if isinstance(step, Drain):
        left = step.gtids & (state.received - state.executed) if state is not None else GtidSet()
        return OTHER + len(left) / rate
    if isinstance(step, StopReceiver) and stuck(state):
        return STUCK_RECEIVER
    return USUAL.get(type(step), OTHER)


def measured_rate(server: str, paces: Paces) -> float | None:
    """Transactions a second that this server was seen to apply; None where nobody knows."""
    return paces.get(server, UNKNOWN).rate


def size_of(gtids: GtidSet, paces: Paces) -> int | None:
    """About how many bytes these transactions are, by the largest that any replica was seen to receive; None where
    nobody knows.
    """
    known = [pace.bytes_each for pace in paces.values() if pace.bytes_each is not None]
    if not gtids:
        return 0
    return round(len(gtids) * max(known)) if known else None


def stuck(state: ServerState | None) -> bool:
    """Whether the receiver tries in vain to reach a host that does not even refuse."""
    channel = state.main if state is not None else None
    return channel is not None and channel.receiver is Thread.CONNECTING and channel.receiver_trouble.code == 0
