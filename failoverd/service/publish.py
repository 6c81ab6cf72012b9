"""What everybody may know of a cluster: published by the active manager, and kept on its own host by every manager."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from failoverd.model.errors import CoordinationError
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.status import Management, status_json
from failoverd.ports import Lease
from failoverd.service.shown import operation_shown
from failoverd.service.traffic import traffic_shown
from failoverd.service.world import Memory, World

Document = Mapping[str, object]
# A status that says nothing new is published again this often, so that its age shows that somebody is there.
AGAIN_AFTER = 5.0
# What no two looks have in common, and is no news.
_NO_NEWS = frozenset({"seen", "answered_in"})


class Published:
    """The last published status of one cluster; `keep` writes it where this host's commands find it."""

    def __init__(self, keep: Callable[[str, str], None]) -> None:
        self._keep = keep
        self._last = ""
        self._trouble = ""
        self._at = float("-inf")

    def put(self, world: World, memory: Memory, snapshot: TopologySnapshot, lease: Lease | None) -> None:
        """Publish the status if it says something new or is old. Raises CoordinationError."""
        if memory.verdict is None:
            return
        document = describe(world, memory, snapshot, active=lease is not None)
        if lease is None and document["active_manager"] == world.manager:
            document = {**document, "active_manager": None}  # the lock is ours, and we cannot act all the same
        said = json.dumps({key: value for key, value in document.items() if key not in _NO_NEWS}, sort_keys=True)
        now = world.eyes.clock.now()
        if said == self._last and now - self._at < AGAIN_AFTER:
            return
        self._keep_here(world, json.dumps(document))
        if lease is not None:
            world.coordination.publish_status(lease, world.cluster, document)
        self._last, self._at = said, now

    def _keep_here(self, world: World, document: str) -> None:
        """A disk that is full takes nothing from what others are told; it is said once for each reason."""
        try:
            self._keep(world.cluster, document)
        except CoordinationError as error:
            if str(error) != self._trouble:
                world.log.warning("status not kept on this host", why=str(error))
            self._trouble = str(error)
        else:
            self._trouble = ""


def describe(world: World, memory: Memory, snapshot: TopologySnapshot, *, active: bool) -> Document:
    """The status document of one cluster as this manager sees it."""
    if memory.verdict is None:
        return {}
    told = replace(snapshot, hosts=snapshot.hosts or memory.hosts)
    management = Management(
        epoch=memory.epoch,
        active_manager=world.manager if active else holder(world),
        standby_managers=contenders(world),
        coordination=world.coordination.state(),
        paused=memory.history.paused,
        paused_servers=memory.history.paused_servers,
        operation=operation_shown(memory),
        traffic=traffic_shown(world, memory),
        paces=memory.paces,
        last=tuple(memory.last_reports.values()),
    )
    return status_json(told, memory.verdict, world.policy, management, world.eyes.clock.wall().timestamp())


def holder(world: World) -> str | None:
    """Who is active, as far as coordination can be asked."""
    try:
        return world.coordination.holder(world.cluster)
    except CoordinationError:
        return None


def contenders(world: World) -> tuple[str, ...]:
    """Who stands by, as far as coordination can be asked."""
    try:
        return world.coordination.contenders(world.cluster)
    except CoordinationError:
        return ()
