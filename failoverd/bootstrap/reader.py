"""What the page reads: published status, journals, reports of drills; and how a person's wish gets to the managers.
No server is looked at, no lock is contended for.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from failoverd.bootstrap.build import coordination_for, copies_folder
from failoverd.bootstrap.journals import Journals
from failoverd.config.schema import Config
from failoverd.drill import catalog
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.files import kept_in
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.history import Pause
from failoverd.model.plans import Request
from failoverd.service import reading
from failoverd.service.bells import Bells
from failoverd.service.reading import Reading, Sources

Document = Mapping[str, object]
# However many people look, coordination is asked this often at most (seconds).
AGAIN_AFTER = 0.5


class Reader:
    """One process's eyes on what is published. Methods raise FailoverdError where nothing can be read."""

    def __init__(self, config: Config) -> None:
        self.clock = SystemClock()
        self._servers = {name: tuple(s.name for s in found.servers) for name, found in config.clusters.items()}
        self.host = socket.gethostname()
        self._reports = config.manager.state_dir / "drills"
        coordination = coordination_for(config, self.clock, ThreadTasks(), Bells({}))
        self._written = kept_in(config.manager.run_dir)
        self._sources = Sources(coordination, self.clock, self._kept)
        self._journals = Journals(coordination, self.clock, copies_folder(config))
        self._last: dict[str, tuple[float, Reading]] = {}
        self._seen: dict[str, Document] = {}

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters of the configuration, in its order."""
        return tuple(self._servers)

    def cluster(self, name: str) -> Reading:
        """What is published of a cluster, at most half a second old."""
        known, now = self._last.get(name), self.clock.now()
        if known is None or now - known[0] >= AGAIN_AFTER:
            known = self._last[name] = (now, reading.read(self._sources, name))
            if known[1].document is not None:
                self._seen[name] = known[1].document
        return known[1]

    def operations(self, clusters: tuple[str, ...]) -> tuple[Document, ...]:
        """All operations of these clusters, newest first, without steps."""
        return self._journals.operations(clusters)

    def operation(self, operation: str) -> Document | None:
        """One operation with its steps and journal, None where there is none of that id."""
        return self._journals.operation(operation)

    def reports(self) -> tuple[tuple[str, Document], ...]:
        """The reports of drills that this host keeps, newest first, each with the name of its folder."""
        return catalog.shelf(self._reports)

    def report(self, name: str) -> Path | None:
        """The page of the report in that folder, None where there is none: only folders that are listed are known."""
        return catalog.page_of(self._reports, name)

    def servers(self, cluster: str) -> tuple[str, ...]:
        """The servers of a cluster, in the order of the configuration."""
        return self._servers[cluster]

    def active(self, cluster: str) -> str | None:
        """The active manager, None where there is none."""
        return self._sources.coordination.holder(cluster)

    def pause(self, cluster: str, pause: Pause) -> None:
        """Record a pause."""
        self._sources.coordination.pause(cluster, pause)
        self._last.pop(cluster, None)

    def unpause(self, cluster: str) -> None:
        """End the pause of a cluster."""
        self._sources.coordination.unpause(cluster, "")
        self._last.pop(cluster, None)

    def ask(self, request: Request) -> str:
        """Hand a request to the active manager; its id."""
        return self._sources.coordination.ask(request)

    def answered(self, cluster: str, request: str) -> Document | None:
        """What the active manager answered, None while it has not."""
        return self._sources.coordination.answered(cluster, request)

    def _kept(self, name: str) -> Document | None:
        """What this host knows of a cluster by itself: as its manager wrote it, or as we saw it last."""
        known = (found for found in (self._written(name), self._seen.get(name)) if found is not None)
        return max(known, key=lambda one: str(one.get("seen") or ""), default=None)

    def close(self) -> None:
        """End the session with coordination."""
        self._sources.coordination.close()
