"""Operations as people read them: from the journals, or from this host's copies while ZooKeeper is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failoverd.drivers.journal_copies import read_copies, read_copy
from failoverd.model.errors import CoordinationError
from failoverd.ports import Clock, Coordination

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Journals:
    """The journals of a configuration; what is read from `copies` is marked `copied`."""

    coordination: Coordination
    clock: Clock
    copies: Path

    def operations(self, clusters: tuple[str, ...]) -> tuple[Document, ...]:
        """All operations of these clusters, newest first, without steps."""
        try:
            found = [o for name in clusters for o in self.coordination.operations(name)]
        except CoordinationError as away:
            if self.coordination.state() != "lost":
                raise
            found = list(read_copies(self.copies, self.clock, clusters, away))
        return tuple(sorted(found, key=lambda operation: str(operation["started"]), reverse=True))

    def operation(self, operation: str) -> Document | None:
        """One operation with its steps and journal, None where there is none of that id."""
        try:
            return self.coordination.operation(operation)
        except CoordinationError as away:
            if self.coordination.state() != "lost":
                raise
            return read_copy(self.copies, self.clock, operation, away)
