"""REPOINT: let the other replicas follow the new primary, their relay logs kept."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.execute.keeping import keeping
from failoverd.model.sight import Thread
from failoverd.model.stall import PASSING
from failoverd.model.steps import Repoint


def repoint(step: Repoint, hands: Hands) -> str:
    """Receiver only, applier running; a half-received transaction rolls back when the new source speaks."""
    claim = hands.claimed(step.server)
    claim.drop_spliced()  # what a recovery left that ended there: copies, and no CHANGE is possible beside them
    main = claim.read().main
    if main is not None and main.applier is Thread.NO and main.applier_trouble.code in PASSING:
        claim.start_applier("")  # with the applier running a change of source keeps its relay logs
    lost = claim.follow(step.endpoint, keeping(step.server, hands))
    if not lost:
        return f"follows {step.endpoint}"
    kept = f"{lost.shorten()} of its relay logs went with its applier, are kept under {hands.operation.id}"
    return f"follows {step.endpoint}; {kept} and fetched anew"
