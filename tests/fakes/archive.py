"""An archive in memory: what was kept, by server; `lacks` is what no log gives."""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.gtid import GtidSet
from failoverd.model.divergence import Act, Change, Exported, ExportOrder
from failoverd.model.errors import AgentError


class FakeArchive:
    """Implements `ports.Archive`; with an `error` nothing can be fetched."""

    def __init__(self) -> None:
        self.orders: list[ExportOrder] = []
        self.lacks = GtidSet()
        self.error: AgentError | None = None

    def keep(self, order: ExportOrder) -> Exported:
        if self.error is not None:
            raise self.error
        self.orders.append(order)
        found = order.gtids - self.lacks
        return Exported(f"/kept/{order.operation}", found, len(found), order.gtids & self.lacks)

    def kept(self, cluster: str, server: str, gtids: GtidSet) -> str:
        for order in reversed(self.orders):
            if (order.cluster, order.server) == (cluster, server) and gtids <= order.gtids - self.lacks:
                return f"/kept/{order.operation}"
        return ""

    def changes(self, cluster: str, server: str, gtids: GtidSet) -> tuple[Change, ...]:
        return tuple(Change(Act.DELETE, "app", "t") for _ in range(len(gtids)))

    def show(self, order: ExportOrder, most: int) -> tuple[Mapping[str, object], ...]:
        if self.error is not None:
            raise self.error
        return ({"gtid": str(order.gtids)},)[:most]
