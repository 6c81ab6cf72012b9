"""The page's paths: a table, each with what it shows. Everything is read from what is published."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from failoverd.config.web import WebConfig
from failoverd.model.documents import Document
from failoverd.model.errors import FailoverdError
from failoverd.service import logs
from failoverd.service.reading import Reading
from failoverd.web import views
from failoverd.web.actions import ACTIONS, Hand, Wish
from failoverd.web.forms import fields_of
from failoverd.web.guard import REPORT_POLICY, Guard
from failoverd.web.login import login_of
from failoverd.web.press import Press, Sheet

_HERE: Final = Path(__file__).resolve().parent
_SHOWN: Final = 10  # operations on a cluster's page
_LISTED: Final = 200  # operations on their own page
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# However many people look, a page is made this often at most (seconds).
KEEP: Final = 0.5


class Source(Hand, Protocol):
    """What the page reads: the composition root implements it, tests have a stand-in."""

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters there are."""

    def cluster(self, name: str) -> Reading:
        """What is published of a cluster."""

    def operations(self, clusters: tuple[str, ...]) -> tuple[Document, ...]:
        """All operations, newest first, without steps."""

    def operation(self, operation: str) -> Document | None:
        """One operation with its journal."""

    def reports(self) -> tuple[tuple[str, Document], ...]:
        """The reports of drills, newest first, each with its name."""

    def report(self, name: str) -> Path | None:
        """The file of that report, None for a name that is not listed."""

    def answered(self, cluster: str, request: str) -> Document | None:
        """What the active manager answered to that request, None while it has not."""


Maker = Callable[[Request], Sheet]


class Site:
    """The application: every request passes its guard, whatever is wrong with it."""

    def __init__(self, source: Source, config: WebConfig, keep: float = KEEP) -> None:
        """Raises ConfigError where its people cannot be read."""
        self.press = Press(source.clock, config, keep)
        pages = Pages(source, config, self.press)
        routes = Starlette(
            routes=[
                Route("/", pages.showing(pages.front)),
                Route("/clusters/{name}", pages.showing(pages.cluster)),
                Route("/clusters/{name}/requests/{request}", pages.showing(pages.request)),
                Route("/clusters/{name}/{action}", pages.act, methods=["POST"]),
                Route("/operations", pages.showing(pages.operations)),
                Route("/operations/{name}", pages.showing(pages.operation)),
                Route("/drills", pages.showing(pages.drills)),
                Route("/drills/{name}", pages.drill),
                Route("/health/live", live),
                Mount("/static", StaticFiles(directory=_HERE / "static")),
            ],
            exception_handlers={FailoverdError: pages.failed, HTTPException: pages.missing, Exception: broken},
        )
        routes.router.redirect_slashes = False
        self.guard = Guard(routes, config.names, login_of(config))


async def live(_: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("live\n")


async def broken(_: Request, __: Exception) -> Response:
    """A fault of ours: the log tells it, and nobody else."""
    return PlainTextResponse("This page cannot be shown: an error of failoverd, told in its log.\n", 500)


class Pages:
    """Each method answers one path; whatever is published is escaped by the templates, without exception."""

    def __init__(self, source: Source, config: WebConfig, press: Press) -> None:
        self._source = source
        self._actions = config.actions
        self._press = press

    def showing(self, make: Maker) -> Callable[[Request], Awaitable[Response]]:
        """The path's answer: what is read for one who asks is shown to all who ask at that time."""

        async def show(request: Request) -> Response:
            return await self._press.page(request, lambda: make(request))

        return show

    def front(self, request: Request) -> Sheet:
        """All clusters at a glance, what needs people first; the only one there is in full."""
        readings = [self._source.cluster(name) for name in self._source.clusters]
        found = views.glances(readings)
        alone = readings if len(readings) == 1 else []
        return Sheet(
            "front.html.j2",
            {
                "glances": found,
                "worst": f"{found[0].verdict}: {found[0].name}",
                "views": [views.cluster_view(one) for one in alone],
                "history": self._history(tuple(one.cluster for one in alone)),
            },
        )

    def cluster(self, request: Request) -> Sheet:
        """One cluster in full."""
        name = request.path_params["name"]
        if name not in self._source.clusters:
            raise HTTPException(404, f"there is no cluster '{name}'")
        view = views.cluster_view(self._source.cluster(name))
        return Sheet("cluster.html.j2", {"view": view, "history": self._history((name,))})

    async def act(self, request: Request) -> Response:
        """Do what a form asks for, where that is allowed; then back to the cluster, or to where its answer comes."""
        fields = await fields_of(request)
        try:
            return await run_in_threadpool(self._act, request, fields)
        finally:
            self._press.shared.forget()  # who acts is shown what has become of it

    def _act(self, request: Request, fields: Mapping[str, str]) -> Response:
        name, action = request.path_params["name"], request.path_params["action"]
        self._press.forms.check(request, fields, request.state.user)
        if name not in self._source.clusters or action not in ACTIONS:
            raise HTTPException(404, f"there is no {action} of '{name}'")
        if action not in self._actions:
            raise HTTPException(403, f"{action} is not among web.actions")
        asked = ACTIONS[action](self._source, Wish(name, request.state.user, fields))
        logs.logger(cluster=name).info("asked for on the page", action=action, user=request.state.user, request=asked)
        return RedirectResponse(f"/clusters/{name}{f'/requests/{asked}' if asked else ''}", 303)

    def request(self, request: Request) -> Sheet:
        """What has become of a request: it waits, was refused, or was done."""
        name, asked = request.path_params["name"], request.path_params["request"]
        if name not in self._source.clusters or _ID.fullmatch(asked) is None:
            raise HTTPException(404, "there is no such request")
        answer = self._source.answered(name, asked)
        reading = self._source.cluster(name)
        running = views.operation_view(reading.operation) if reading.operation is not None else None
        left = tuple(views.left_behind(answer)) if answer is not None else ()
        values = {"name": name, "asked": asked, "answer": answer, "running": running, "left": left}
        return Sheet("request.html.j2", values)

    def operations(self, request: Request) -> Sheet:
        """What was done, newest first."""
        found = self._source.operations(self._source.clusters)
        copied = any(one.get("copied") for one in found)
        return Sheet("operations.html.j2", {"found": found[:_LISTED], "copied": copied})

    def operation(self, request: Request) -> Sheet:
        """One operation with its line of time."""
        name = request.path_params["name"]
        found = self._source.operation(name) if _ID.fullmatch(name) else None
        if found is None:
            raise HTTPException(404, f"there is no operation '{name}'")
        return Sheet("operation.html.j2", {"view": views.operation_view(found)})

    def drills(self, request: Request) -> Sheet:
        """The reports of drills."""
        return Sheet("drills.html.j2", {"found": self._source.reports()})

    async def drill(self, request: Request) -> Response:
        """One report as it was written."""
        name = request.path_params["name"]
        file = await self._press.read(request.url.path, lambda: self._source.report(name))
        if file is None or not file.is_file():
            raise HTTPException(404, "there is no such report")
        return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    async def failed(self, request: Request, error: Exception) -> Response:
        """Nothing can be read: one clear text."""
        told = error if isinstance(error, FailoverdError) else FailoverdError(str(error))
        values = {"what": told.what, "detail": told.detail, "hint": told.hint}
        return self._press.at_once(request, Sheet("message.html.j2", values, 503))

    async def missing(self, request: Request, error: Exception) -> Response:
        """What was asked for is not there, or not asked for rightly."""
        told = error if isinstance(error, HTTPException) else HTTPException(500)
        values = {"what": told.detail, "live": False}
        return self._press.at_once(request, Sheet("message.html.j2", values, told.status_code, told.headers or {}))

    def _history(self, clusters: tuple[str, ...]) -> Mapping[str, tuple[Document, ...]]:
        """The latest operations; where nobody can be asked, none: the warnings above say why."""
        try:
            return {name: self._source.operations((name,))[:_SHOWN] for name in clusters}
        except FailoverdError:
            return {}
