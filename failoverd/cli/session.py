"""What one call of the command line holds: the configuration, the application behind it, and how it speaks.

Documents go to standard output, exactly one with `--json`; everything else that is said goes to standard error.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final

import click

from failoverd.cli.app import App, Page
from failoverd.config.complaints import ConfigErrors, Wrong
from failoverd.config.kinds import seconds_of
from failoverd.config.load import DEFAULT_PATH, Loaded, read
from failoverd.config.schema import Config
from failoverd.model.errors import ConfigError, FailoverdError, PlanRefused
from failoverd.model.plans import Requester
from failoverd.model.published import refusal_json
from failoverd.ports import Clock

DONE: Final = 0
FINDING: Final = 1
USAGE: Final = 2
# What Ctrl-C may mean for an operation that goes on elsewhere; the first is what happens where nobody says anything.
ON_INTERRUPT: Final = ("detach", "abort")


class Session:
    """One call: made by the entry point with what it needs from the machine, handed to every command."""

    def __init__(self, open_app: Callable[[Config], App], clock: Clock, open_page: Callable[[], Page]) -> None:
        self._open_app = open_app
        self._open_page = open_page
        self._loaded: Loaded | None = None
        self.clock = clock
        self.path = DEFAULT_PATH
        self.as_json = False

    @property
    def loaded(self) -> Loaded:
        """The configuration with its origins; read once. Raises ConfigErrors."""
        if self._loaded is None:
            self._loaded = read(self.path)
        return self._loaded

    @property
    def config(self) -> Config:
        """The configuration; read once. Raises ConfigErrors."""
        return self.loaded.config

    def read_again(self) -> Config:
        """The configuration as it stands in its files now. Raises ConfigErrors."""
        return read(self.path).config

    def app(self) -> App:
        """The application on this configuration."""
        return self._open_app(self.config)

    @property
    def page(self) -> Page:
        """The page. Raises FailoverdError where its libraries are missing."""
        return self._open_page()

    def cluster(self, name: str | None) -> str | None:
        """The name again if there is such a cluster; ConfigError where there is none."""
        if name is not None:
            self.config.cluster(name)
        return name

    def document(self, document: Mapping[str, object]) -> None:
        """The one document of `--json`."""
        click.echo(json.dumps(document, ensure_ascii=False))

    def say(self, text: str) -> None:
        """A line of progress."""
        click.echo(text, err=True)

    def agree(self, question: str, yes: bool) -> None:
        """Return if it may be done: `--yes`, or a person says so on a terminal. Else an error, nothing changed."""
        if yes:
            return
        if not on_terminal():
            raise ConfigError("nobody is there to be asked", "standard input is no terminal", "add --yes to do it")
        click.confirm(question, abort=True, err=True)

    def note(self, what: str, reason: str) -> None:
        """Keep who did this, and why, in this host's log: what opens no operation stands in no journal."""
        if not self.app().note(what, person(reason)) and reason:
            self.say("the reason is not kept: this host has no system log that takes it")

    def gives_up(self, said: str | None) -> bool:
        """After Ctrl-C: whether what goes on elsewhere is to be taken back. What was said before counts, else a person
        is asked; nobody there, and whoever interrupts the question too, lets it go on.
        """
        if said is None and on_terminal():
            choice = click.Choice(ON_INTERRUPT)
            try:
                question = "Ctrl-C: detach, and it goes on; or abort, and it is taken back?"
                said = click.prompt(question, type=choice, default=ON_INTERRUPT[0], err=True)
            except click.Abort:
                self.say("")
        return said == ON_INTERRUPT[1]

    def fail(self, error: FailoverdError) -> int:
        """Say one clear error; the exit code it leads to."""
        self.say(error_text(error))
        if self.as_json:
            self.document(error_document(error))
        return USAGE if isinstance(error, ConfigError) else FINDING


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def error_text(error: FailoverdError) -> str:
    """What happened, where, and what to do about it: at most three parts, each on lines of its own."""
    lines = [f"failoverd: {error.what}"]
    lines += [f"  {line}" for line in error.detail.splitlines()]
    if error.hint:
        lines.append(f"  hint: {error.hint}")
    return "\n".join(lines)


def error_document(error: FailoverdError) -> dict[str, object]:
    """The same as a document; the refusals or the complaints one by one where there are some."""
    body: dict[str, object] = {"error": {"what": error.what, "detail": error.detail, "hint": error.hint}}
    if isinstance(error, PlanRefused):
        body["outcome"] = "refused"
        body["refusals"] = [refusal_json(refusal) for refusal in error.refusals]
    if isinstance(error, ConfigErrors):
        body["errors"] = [
            {
                "path": c.path,
                "file": str(c.place.file),
                "line": c.place.line,
                "sentence": c.sentence,
                "hint": c.hint,
            }
            for c in error.complaints
        ]
    return body


def person(reason: str) -> Requester:
    """Who sits before this terminal: the account that logged in, also behind sudo."""
    user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    return Requester("person", user, socket.gethostname(), reason)


def read_seconds(ctx: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """An option's duration with its unit, as in the configuration; None where it is not given."""
    try:
        return None if value is None else seconds_of(value)
    except Wrong as wrong:
        raise click.BadParameter(f"{wrong.sentence} ({wrong.hint})", ctx, option) from wrong


def _set_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Session).as_json = value


def examples(*lines: str) -> str:
    """An epilog with examples that keeps its lines."""
    return "\n".join(("\b", "Examples:", *(f"  failoverd {line}" for line in lines)))


json_option = click.option(
    "--json", is_flag=True, expose_value=False, is_eager=True, callback=_set_json, help="Print one JSON document."
)
reason_option = click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
noted_reason_option = click.option("--reason", default="", metavar="TEXT", help="Why, for this host's system log.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask; needed without a terminal.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
