"""The page's paths: a table, each with what it shows. Everything is read from what is published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from jinja2 import ChainableUndefined, Environment, PackageLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from failoverd import __version__
from failoverd.config.web import WebConfig
from failoverd.model.counted import counted
from failoverd.model.documents import Document, writes_word
from failoverd.model.errors import FailoverdError
from failoverd.service import logs
from failoverd.service.reading import Reading
from failoverd.web import views, words
from failoverd.web.actions import ACTIONS, Hand, Wish
from failoverd.web.forms import COOKIE, Forms, fields_of
from failoverd.web.guard import REPORT_POLICY, Guard
from failoverd.web.login import login_of

_HERE: Final = Path(__file__).resolve().parent
_SHOWN: Final = 10  # operations on a cluster's page
_REQUEST: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LISTED: Final = 200  # operations on their own page


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


def make_app(source: Source, config: WebConfig) -> Starlette:
    """The application on that source. Raises ConfigError where its people cannot be read."""
    pages = Pages(source, config)
    app = Starlette(
        routes=[
            Route("/", pages.front),
            Route("/clusters/{name}", pages.cluster),
            Route("/clusters/{name}/requests/{request}", pages.request),
            Route("/clusters/{name}/{action}", pages.act, methods=["POST"]),
            Route("/operations", pages.operations),
            Route("/operations/{name}", pages.operation),
            Route("/drills", pages.drills),
            Route("/drills/{name}", pages.drill),
            Route("/health/live", lambda _: PlainTextResponse("live\n")),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=[Middleware(Guard, names=config.names, login=login_of(config))],
        exception_handlers={FailoverdError: pages.failed, HTTPException: pages.missing},
    )
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class Said:
    """What a page says when it cannot show what was asked for."""

    what: str
    detail: str = ""
    hint: str = ""


class Pages:
    """Each method answers one path; whatever is published is escaped by the templates, without exception."""

    def __init__(self, source: Source, config: WebConfig) -> None:
        self._source = source
        self._actions = config.actions
        self._forms = Forms(secure=config.tls is not None)
        self._templates = templates()

    def front(self, request: Request) -> Response:
        """All clusters at a glance, what needs people first; the only one there is in full."""
        readings = [self._source.cluster(name) for name in self._source.clusters]
        found = views.glances(readings)
        alone = readings if len(readings) == 1 else []
        return self._page(
            request,
            "front.html.j2",
            glances=found,
            worst=f"{found[0].verdict}: {found[0].name}",
            views=[views.cluster_view(one) for one in alone],
            history=self._history(tuple(one.cluster for one in alone)),
        )

    def cluster(self, request: Request) -> Response:
        """One cluster in full."""
        name = request.path_params["name"]
        if name not in self._source.clusters:
            raise HTTPException(404, f"there is no cluster '{name}'")
        view = views.cluster_view(self._source.cluster(name))
        return self._page(request, "cluster.html.j2", view=view, history=self._history((name,)))

    async def act(self, request: Request) -> Response:
        """Do what a form asks for, where that is allowed; then back to the cluster, or to where its answer comes."""
        fields = await fields_of(request)
        return await run_in_threadpool(self._act, request, fields)

    def _act(self, request: Request, fields: Mapping[str, str]) -> Response:
        name, action = request.path_params["name"], request.path_params["action"]
        self._forms.check(request, fields, request.state.user)
        if name not in self._source.clusters or action not in ACTIONS:
            raise HTTPException(404, f"there is no {action} of '{name}'")
        if action not in self._actions:
            raise HTTPException(403, f"{action} is not among web.actions")
        asked = ACTIONS[action](self._source, Wish(name, request.state.user, fields))
        logs.logger(cluster=name).info("asked for on the page", action=action, user=request.state.user, request=asked)
        return RedirectResponse(f"/clusters/{name}{f'/requests/{asked}' if asked else ''}", 303)

    def request(self, request: Request) -> Response:
        """What has become of a request: it waits, was refused, or was done."""
        name, asked = request.path_params["name"], request.path_params["request"]
        if name not in self._source.clusters or _REQUEST.fullmatch(asked) is None:
            raise HTTPException(404, "there is no such request")
        answer = self._source.answered(name, asked)
        reading = self._source.cluster(name)
        running = views.operation_view(reading.operation) if reading.operation is not None else None
        left = tuple(views.left_behind(answer)) if answer is not None else ()
        return self._page(request, "request.html.j2", name=name, asked=asked, answer=answer, running=running, left=left)

    def operations(self, request: Request) -> Response:
        """What was done, newest first."""
        found = self._source.operations(self._source.clusters)
        copied = any(one.get("copied") for one in found)
        return self._page(request, "operations.html.j2", found=found[:_LISTED], copied=copied)

    def operation(self, request: Request) -> Response:
        """One operation with its line of time."""
        name = request.path_params["name"]
        found = self._source.operation(name)
        if found is None:
            raise HTTPException(404, f"there is no operation '{name}'")
        return self._page(request, "operation.html.j2", view=views.operation_view(found))

    def drills(self, request: Request) -> Response:
        """The reports of drills."""
        return self._page(request, "drills.html.j2", found=self._source.reports())

    def drill(self, request: Request) -> Response:
        """One report as it was written."""
        file = self._source.report(request.path_params["name"])
        if file is None or not file.is_file():
            raise HTTPException(404, "there is no such report")
        return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})

    def failed(self, request: Request, error: Exception) -> Response:
        """Nothing can be read: one clear text."""
        told = error if isinstance(error, FailoverdError) else FailoverdError(str(error))
        return self._message(request, Said(told.what, told.detail, told.hint), 503)

    def missing(self, request: Request, error: Exception) -> Response:
        """What was asked for is not there, or not asked for rightly."""
        told = error if isinstance(error, HTTPException) else HTTPException(500)
        return self._message(request, Said(told.detail), told.status_code, told.headers)

    def _message(
        self, request: Request, said: Said, status: int, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        made = self._page(
            request, "message.html.j2", what=said.what, detail=said.detail, hint=said.hint, live=status == 503
        )
        made.status_code = status
        made.headers.update(headers or {})
        return made

    def _history(self, clusters: tuple[str, ...]) -> Mapping[str, tuple[Document, ...]]:
        """The latest operations; where nobody can be asked, none: the warnings above say why."""
        try:
            return {name: self._source.operations((name,))[:_SHOWN] for name in clusters}
        except FailoverdError:
            return {}

    def _page(self, request: Request, template: str, **values: Any) -> HTMLResponse:
        browser = self._forms.browser(request) if self._actions else ""
        user = getattr(request.state, "user", "")
        said = {
            "actions": self._actions,
            "token": self._forms.token(browser, user) if browser else "",
            "version": __version__,
            "here": f"/{request.url.path.split('/')[1]}",
            "live": True,
            "now": f"{datetime.fromtimestamp(self._source.clock.wall().timestamp()).astimezone():%H:%M:%S}",
            "who": user,
            **values,
        }
        made = HTMLResponse(self._templates.get_template(template).render(said))
        if browser and request.cookies.get(COOKIE) != browser:
            self._forms.mark(made, browser)
        return made


def templates() -> Environment:
    """The pages, with what they need to spell values; an absent field is empty, as documents of other versions have
    it.
    """
    made = Environment(
        loader=PackageLoader("failoverd.web", "pages"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short=words.short,
        moment=words.moment,
        counted=counted,
        outcome_mark=words.outcome_mark,
        writes=writes_word,
    )
    return made
