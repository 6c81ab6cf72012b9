"""What one server says about semi-sync: whether its commits wait for acknowledgements, and whether it gives them."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.counted import counted

# The largest time-out that the server takes (milliseconds): any shorter one lets an isolated primary acknowledge by
# itself in the end.
INFINITE = 18446744073709551615


@dataclass(frozen=True, slots=True)
class SemiSync:
    """Both sides of semi-sync on one server; the defaults are a server that has neither.

    `timeout` is milliseconds. `clients` counts the replicas that are registered as acknowledging, `waiting` the
    sessions whose commit waits for one. `replicas` are the server_uuids of all that are connected as replicas.
    """

    source_plugin: bool = False
    replica_plugin: bool = False
    source_on: bool = False
    source_active: bool = False
    clients: int = 0
    waiting: int = 0
    timeout: int = 0
    after_sync: bool = True
    waits_alone: bool = False
    wait_count: int = 1
    replica_on: bool = False
    acknowledges: bool = False
    replicas: tuple[str, ...] = ()

    def lacks(self, wait_count: int) -> str:
        """What the source side lacks to keep every acknowledged commit, whoever acknowledges; empty where nothing."""
        if not self.source_plugin:
            return "the plugin rpl_semi_sync_source is not loaded"
        if not self.source_on:
            return "commits wait for nobody"
        if self.timeout != INFINITE:
            return f"a commit waits only {self.timeout / 1000:g} s"
        if not self.after_sync:
            return "commits are seen by others before they are acknowledged"
        if not self.waits_alone:
            return "commits wait for nobody once too few replicas are left"
        if self.wait_count < wait_count:
            return f"a commit waits for {counted(self.wait_count, 'replica')}, not for {wait_count}"
        return ""

    def ready(self, wait_count: int) -> bool:
        """Whether commits wait, and enough replicas are registered to end the wait."""
        return not self.lacks(wait_count) and self.source_active and self.clients >= wait_count
