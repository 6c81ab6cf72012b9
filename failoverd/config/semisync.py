"""The section `semi_sync`: how many acknowledge, and what happens where too few are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from failoverd.config.kinds import Choice, Whole


@dataclass(frozen=True, slots=True)
class SemiSyncConfig:
    """Acknowledgements in lossless mode."""

    wait_count: Annotated[int, Whole(1, 64), "Replicas that must have a commit before it is acknowledged."] = 1
    on_no_ackers: Annotated[
        Literal["wait", "degrade"], Choice(("wait", "degrade")), "What commits do where too few are left."
    ] = "wait"
