"""The section `detection`: when silence becomes death, and when an answer is not enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from failoverd.config.kinds import Duration, Text, Whole
from failoverd.model.policy import CrashLoop, DetectionPolicy
from failoverd.model.writing import WriteProbe

_GRACE: Final = Duration(0, 3600)
_TABLE: Final = Text(re.compile(r"[A-Za-z0-9_$]{1,64}\.[A-Za-z0-9_$]{1,64}"), "schema.table")


@dataclass(frozen=True, slots=True)
class CrashLoopConfig:
    """A primary that crashes this often is replaced instead of being opened again."""

    restarts: Annotated[int, Whole(1, 1000), "Restarts after a crash that make a loop."] = 3
    within: Annotated[float, Duration(1, 86400), "The time in which they are counted."] = 600.0


@dataclass(frozen=True, slots=True)
class WriteProbeConfig:
    """Write on the primary, to find out whether writes come to their end."""

    table: Annotated[str, _TABLE, "Where; people make the table and grant INSERT and UPDATE on it."]
    every: Annotated[float, Duration(0.1, 60), "How often."] = 1.0


@dataclass(frozen=True, slots=True)
class DetectionConfig:
    """When silence becomes death."""

    interval: Annotated[float, Duration(0.05, 60), "How often the primary is asked."] = 0.5
    timeout: Annotated[float, Duration(0.05, 60), "How long one answer may take."] = 0.5
    misses: Annotated[int, Whole(1, 1000), "Missing answers in a row before soft evidence counts."] = 3
    crash_grace: Annotated[float, _GRACE, "How long a crashed server is given to come back."] = 0.0
    shutdown_grace: Annotated[float, _GRACE, "How long an orderly stop is given to be a restart."] = 15.0
    hung_after: Annotated[float, Duration(1, 3600), "How long no waiting write may come to an end."] = 30.0
    crash_loop: CrashLoopConfig = CrashLoopConfig()
    write_probe: WriteProbeConfig | None = None

    @property
    def policy(self) -> DetectionPolicy:
        """The section as deciding needs it."""
        return DetectionPolicy(
            self.interval,
            self.timeout,
            self.misses,
            self.crash_grace,
            self.shutdown_grace,
            self.hung_after,
            CrashLoop(self.crash_loop.restarts, self.crash_loop.within),
            None if self.write_probe is None else WriteProbe(self.write_probe.table, self.write_probe.every),
        )
