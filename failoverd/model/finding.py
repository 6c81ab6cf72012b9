"""What `check` finds: one sentence about one server or about the cluster, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: an error can forbid a failover or cost data, a warning costs time or comfort."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of the readiness table that fired; `server` is empty where it is about the cluster as a whole."""

    id: str
    cluster: str
    server: str
    sentence: str
    hint: str = ""
    severity: Severity = Severity.ERROR
