"""The ground of a drill, built: a lab, or a cluster of the configuration."""

from __future__ import annotations

from collections.abc import Callable

from failoverd.drill.ground import Ground
from failoverd.lab.rehearsing import LabGround
from failoverd.model.runbook import Runbook


def lab_ground(book: Runbook, say: Callable[[str], None]) -> Ground:
    """A lab of the runbook's shape, not yet up."""
    return LabGround(book.lab, book.probe, say)
