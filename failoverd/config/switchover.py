"""The section `switchover`: limits of a planned change of the primary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from failoverd.config.kinds import Duration, Limits, Patience, Query, Whole, patience_of
from failoverd.model.load import loads_of
from failoverd.model.policy import SwitchoverPolicy


@dataclass(frozen=True, slots=True)
class SwitchoverConfig:
    """Limits of a planned change of the primary."""

    freeze_budget: Annotated[float, Duration(0.1, 60), "Time without writes that one attempt may take."] = 2.0
    attempts: Annotated[int, Whole(1, 100), "How often it is tried, with rests between."] = 3
    max_lag: Annotated[float, Duration(0.1, 3600), "Lag of the candidate above which nothing is frozen yet."] = 5.0
    max_threads_running: Annotated[
        int, Whole(1, 100000), "Busy sessions of the primary above which nothing is frozen yet."
    ] = 200
    long_transactions: Annotated[str, Patience(), "Long transactions: wait, abort, or kill-after T."] = "wait"
    max_load: Annotated[str, Limits(), "Load of the primary above which nothing is frozen yet."] = ""
    critical_load: Annotated[str, Limits(), "Load of the primary above which it is given up."] = ""
    throttle_query: Annotated[str, Query(), "A SELECT; while it says more than 0, nothing is frozen."] = ""
    preheat: Annotated[
        tuple[str, ...],
        Query(),
        "SELECTs for the candidate before anything is frozen: what they read is in its memory.",
    ] = ()

    @property
    def policy(self) -> SwitchoverPolicy:
        """The section as planning and execution need it."""
        return SwitchoverPolicy(
            self.freeze_budget,
            self.attempts,
            self.max_lag,
            self.max_threads_running,
            patience_of(self.long_transactions),
            loads_of(self.max_load),
            loads_of(self.critical_load),
            self.throttle_query,
            self.preheat,
        )
