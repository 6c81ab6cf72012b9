"""A simple application for the commands: it answers what a test gave it and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from failoverd.cli.app import App, Document, Page
from failoverd.cli.main import main
from failoverd.cli.session import Session
from failoverd.config.install import Install
from failoverd.config.schema import Config
from failoverd.model.control import Standing, Wishes
from failoverd.model.errors import FailoverdError
from failoverd.model.finding import Finding
from failoverd.model.history import Pause
from failoverd.model.plans import Kind, Plan, Request, Requester
from failoverd.model.settings import InForce
from failoverd.service.errant import Wanted
from tests.fakes.controls import FakeControls, FakeRooms
from tests.unit.config.folder import HEAD, SHOP, prepared

EMPTY_PLAN = Plan("shop", Kind.FAILOVER, "db1", "db2", ())


class StandIn:
    """Implements the commands' App with canned answers; an error in place of an answer is raised."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[tuple[object, ...]] = []
        self.rooms = FakeRooms()
        self.noted: list[tuple[str, str]] = []
        self.has_log = True
        self.gives_up: Callable[[], bool] | None = None

    def answer(self, *asked: object) -> object:
        """The next answer to this question: the last of a list stays."""
        self.asked.append(asked)
        found = self.answers[str(asked[0])]
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, FailoverdError):
            raise found
        return found

    def run(self, read_again: Callable[[], Config]) -> int:
        assert "shop" in read_again().clusters
        return self.answer("run")  # type: ignore[return-value]

    def status(self, cluster: str | None) -> Document:
        return self.answer("status", cluster)  # type: ignore[return-value]

    def check(self, cluster: str | None) -> tuple[Finding, ...]:
        return self.answer("check", cluster)  # type: ignore[return-value]

    def plan(self, cluster: str, kill: tuple[str, ...], to: str) -> Plan:
        return self.answer("plan", cluster, kill, to)  # type: ignore[return-value]

    def foresee(self, request: Request) -> Plan:
        return self.answer("foresee", request)  # type: ignore[return-value]

    def failover(
        self, request: Request, on_progress: Callable[[str], None], gives_up: Callable[[], bool] | None = None
    ) -> Document:
        on_progress("going on")
        self.gives_up = gives_up
        return self.answer("failover", request)  # type: ignore[return-value]

    def rejoin_plan(self, request: Request) -> Plan:
        return self.answer("rejoin_plan", request)  # type: ignore[return-value]

    def errant(self, cluster: str, wanted: Wanted) -> Document:
        return self.answer("errant", cluster, wanted)  # type: ignore[return-value]

    def repair_plan(self, cluster: str, server: str) -> Plan:
        return self.answer("repair_plan", cluster, server)  # type: ignore[return-value]

    def repair(self, request: Request, on_progress: Callable[[str], None]) -> Document:
        on_progress("going on")
        return self.answer("repair", request)  # type: ignore[return-value]

    def pause(self, cluster: str, pause: Pause, dry_run: bool) -> Document:
        return self.answer("pause", cluster, pause, dry_run)  # type: ignore[return-value]

    def unpause(self, cluster: str, server: str, dry_run: bool) -> Document:
        return self.answer("unpause", cluster, server, dry_run)  # type: ignore[return-value]

    def initialise(self, cluster: str, adopt: bool) -> Document:
        return self.answer("initialise", cluster, adopt)  # type: ignore[return-value]

    def in_force(self) -> Mapping[str, InForce]:
        return self.answer("in_force")  # type: ignore[return-value]

    def operations(self, cluster: str | None) -> tuple[Document, ...]:
        return self.answer("operations", cluster)  # type: ignore[return-value]

    def operation(self, operation: str) -> Document | None:
        return self.answer("operation", operation)  # type: ignore[return-value]

    def say(self, cluster: str, line: str) -> Document:
        return self.answer("say", cluster, line)  # type: ignore[return-value]

    def controls(self, standing: Standing) -> FakeControls:
        return self.rooms.open("waiting", standing, Wishes())

    def agents_install(self, install: Install, on_progress: Callable[[str], None]) -> tuple[Document, ...]:
        on_progress("going on")
        return self.answer("agents_install", install)  # type: ignore[return-value]

    def note(self, what: str, by: Requester) -> bool:
        self.noted.append((what, by.reason))
        return self.has_log

    def agents_check(self, cluster: str) -> tuple[Finding, ...]:
        return self.answer("agents_check", cluster)  # type: ignore[return-value]


class StillClock:
    """Time that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def no_page() -> Page:
    """No test of another command opens the page."""
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Terminal:
    """A prepared folder with a configuration, and commands run on it."""

    folder: Path
    clock: StillClock = field(default_factory=StillClock)
    page: Callable[[], Page] = no_page

    def call(self, app: App, *words: str, typed: str | None = None) -> Result:
        """Run `failoverd WORDS` on the application."""

        def opened(config: Config) -> App:
            assert "shop" in config.clusters
            return app

        path = self.folder / "failoverd.yml"
        session = Session(opened, self.clock, self.page)
        return CliRunner().invoke(main, ["-c", str(path), *words], input=typed, obj=session, prog_name="failoverd")


def terminal(folder: Path, text: str = HEAD + SHOP) -> Terminal:
    """A terminal before a folder with that configuration."""
    prepared(folder).put("failoverd.yml", text, 0o644)
    return Terminal(folder)


def document(result: Result) -> dict[str, object]:
    """The one document on standard output; an error where there is anything else."""
    assert result.stdout.count("\n") == 1
    loaded = json.loads(result.stdout)
    assert isinstance(loaded, dict)
    return loaded
