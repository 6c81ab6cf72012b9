"""What managers tell each other about a primary that is missed: the active one asks, the standbys look and answer.

No clock is compared: an answer names its question, and is as old as that question by the clock of whoever asked it.
"""

from __future__ import annotations

from dataclasses import replace

from failoverd.model.errors import CoordinationError
from failoverd.model.host import ProbeOutcome, StandbyWord
from failoverd.model.sight import ServerState, Sight, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.ports import Lease
from failoverd.service.world import Memory, World

# Questions whose answers are still waited for, the newest ones.
KEPT = 8
FOUND = {
    Why.REFUSED: ProbeOutcome.REFUSED,
    Why.RESET: ProbeOutcome.RESET,
    Why.TIMED_OUT: ProbeOutcome.TIMED_OUT,
    Why.UNREACHABLE: ProbeOutcome.UNREACHABLE,
    Why.HUNG: ProbeOutcome.HUNG,
}


def ask(world: World, memory: Memory, lease: Lease | None) -> None:
    """Ask the standbys about a primary that was missed in this look; while it answers, no question stands."""
    if lease is None or not memory.history.misses:
        memory.asked = {}
        return
    memory.questions += 1
    question = f"{lease.epoch}-{memory.questions}"
    now = world.eyes.clock.now()
    try:
        world.coordination.ask_standbys(lease, world.cluster, question)
    except CoordinationError as error:
        world.log.debug("standbys not asked", why=str(error))
        return
    memory.asked = dict([*memory.asked.items(), (question, now)][-KEPT:])


def heard(world: World, memory: Memory, snapshot: TopologySnapshot) -> TopologySnapshot:
    """The look with what standbys answered to our questions."""
    if not memory.asked:
        return snapshot
    try:
        told = world.coordination.testimonies(world.cluster)
    except CoordinationError as error:
        world.log.debug("standbys not heard", why=str(error))
        return snapshot
    ours = (replace(word, asked_at=memory.asked[word.question]) for word in told if word.question in memory.asked)
    return replace(snapshot, standbys=tuple(ours))


def asked(world: World, memory: Memory, lease: Lease | None) -> str:
    """The question that the look which begins now will answer; empty for none."""
    if lease is not None:
        return ""
    try:
        question = world.coordination.question(world.cluster)
    except CoordinationError:
        return ""
    return "" if question == memory.answered else question


def answer(world: World, memory: Memory, snapshot: TopologySnapshot, question: str) -> None:
    """Tell the active manager what this look found of the primary, if it has a finding at all."""
    recorded = memory.history.recorded
    sight = None if recorded is None else snapshot.sights.get(recorded.name)
    if not question or sight is None:
        return
    word = found(world.manager, question, sight, len(snapshot.reached()))
    try:
        if word is not None:
            world.coordination.testify(world.cluster, word)
    except CoordinationError as error:
        world.log.debug("not testified", why=str(error))
        return
    memory.answered = question


def found(manager: str, question: str, sight: Sight, reached: int) -> StandbyWord | None:
    """What a look found, as it is told; a fault on our own side is no finding."""
    if isinstance(sight, ServerState):
        return StandbyWord(manager, question, sight.name, ProbeOutcome.OK, sight.server_uuid, reached - 1)
    outcome = ProbeOutcome.ALIVE if sight.spoke else FOUND.get(sight.why)
    if outcome is None:
        return None
    return StandbyWord(manager, question, sight.name, outcome, others=reached, code=sight.code)
