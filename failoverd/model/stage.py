"""The stages of an operation: a noun of its own, because every kind of step names the one it belongs to."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """The stages of an operation, in their order."""

    CHECK = "CHECK"
    FENCE = "FENCE"
    FREEZE = "FREEZE"
    RECOVER = "RECOVER"
    PROMOTE = "PROMOTE"
    TRAFFIC = "TRAFFIC"
    REPOINT = "REPOINT"
    VERIFY = "VERIFY"
