"""The page over the production service in memory: what a manager of a fake cluster publishes, read by a browser's
requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.testclient import TestClient

from failoverd.config.web import WebConfig
from failoverd.drill import catalog
from failoverd.model.history import Pause
from failoverd.model.plans import Request
from failoverd.ports import Clock
from failoverd.service import reading
from failoverd.service.reading import Reading, Sources
from failoverd.web.app import Site
from tests.fakes.coordination import FakeCoordination
from tests.fakes.whole import CLUSTER, Whole

Document = Mapping[str, object]
PLACE = "http://127.0.0.1:8009"
PEER = "10.1.2.3"


class Shelf:
    """A source over the fake cluster; `kept` is what its host's manager wrote last, `reports` the folder of drills."""

    def __init__(self, whole: Whole, reports: Path | None = None) -> None:
        self._whole = whole
        self._coordination = FakeCoordination(whole.store, "page")
        self._folder = reports or Path("/nowhere")
        self.kept: dict[str, Document] = {}
        self.replaced: Document | None = None

    @property
    def clock(self) -> Clock:
        return self._whole.clock

    host = "host1"

    @property
    def clusters(self) -> tuple[str, ...]:
        return (CLUSTER,)

    def cluster(self, name: str) -> Reading:
        if self.replaced is not None:
            return Reading(name, self.replaced, 0.0, ())
        return reading.read(Sources(self._coordination, self._whole.clock, self.kept.get), name)

    def operations(self, clusters: tuple[str, ...]) -> tuple[Document, ...]:
        return tuple(one for name in clusters for one in self._coordination.operations(name))

    def operation(self, operation: str) -> Document | None:
        return self._coordination.operation(operation)

    def reports(self) -> tuple[tuple[str, Document], ...]:
        return catalog.shelf(self._folder)

    def servers(self, cluster: str) -> tuple[str, ...]:
        return tuple(self._whole.mysqlds)

    def active(self, cluster: str) -> str | None:
        return self._coordination.holder(cluster)

    def pause(self, cluster: str, pause: Pause) -> None:
        self._coordination.pause(cluster, pause)

    def unpause(self, cluster: str) -> None:
        self._coordination.unpause(cluster, "")

    def ask(self, request: Request) -> str:
        return self._coordination.ask(request)

    def answered(self, cluster: str, request: str) -> Document | None:
        return self._coordination.answered(cluster, request)

    def report(self, name: str) -> Path | None:
        return catalog.page_of(self._folder, name)


class Ground:
    """A cluster, its manager, and a browser before the page."""

    def __init__(
        self,
        web: WebConfig = WebConfig(),  # noqa: B008
        reports: Path | None = None,
        place: str = PLACE,
    ) -> None:
        self.whole = Whole()
        self.manager = self.whole.manager()
        self.shelf = Shelf(self.whole, reports)
        self.site = Site(self.shelf, web, keep=0.0)
        self.browser = TestClient(self.site.guard, place, client=(PEER, 50000), follow_redirects=False)

    def text(self, path: str = "/", status: int = 200) -> str:
        """The page at that path."""
        answer = self.browser.get(path)
        assert answer.status_code == status, answer.text
        return answer.text
