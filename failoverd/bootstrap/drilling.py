"""The ground of a drill, built: a lab, or a cluster of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from failoverd.bootstrap.access import agent_access
from failoverd.bootstrap.application import Application
from failoverd.config.schema import Config
from failoverd.drill.ground import Ground
from failoverd.drivers.ssh.access import AgentAccess
from failoverd.lab.on_cluster import ClusterGround
from failoverd.lab.rehearsing import LabGround
from failoverd.model.rehearsed import Document
from failoverd.model.runbook import Runbook


def lab_ground(book: Runbook, say: Callable[[str], None]) -> Ground:
    """A lab of the runbook's shape, not yet up."""
    return LabGround(book.lab, book.probe, say)


def cluster_ground(path: Path, config: Config, cluster: str, book: Runbook) -> Ground:
    """The cluster, not yet touched; what its managers know comes by the application that commands ask, too."""
    app = Application(config)

    def status() -> Mapping[str, Any]:
        told: Any = app.status(cluster)
        first: Mapping[str, Any] = told["clusters"][0]
        return first

    def journal() -> tuple[Document, ...]:
        listed = [str(one["operation"]) for one in app.operations(cluster)[:20]]
        return tuple(found for one in listed if (found := app.operation(one)) is not None)

    def agent(server: str) -> AgentAccess:
        return agent_access(config, config.access(cluster, server))

    return ClusterGround((path, config), cluster, book.probe, (status, journal, agent))
