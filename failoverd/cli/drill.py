"""`failoverd drill`: rehearse, measure, prove."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from click.shell_completion import CompletionItem

from failoverd.bootstrap.drilling import cluster_ground, lab_ground
from failoverd.cli.completing import clusters
from failoverd.cli.drill_told import Told, answer, kept, last_lines, trend_lines
from failoverd.cli.session import (
    Session,
    error_text,
    examples,
    json_option,
    on_terminal,
    person,
    reason_option,
    yes_option,
)
from failoverd.config.complaints import ConfigErrors
from failoverd.drill import catalog, page, preview, report, suggest
from failoverd.drill.run import Drill
from failoverd.drill.trend import distribution
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.model.permit import fits_clusters, objections
from failoverd.model.runbook import LAB, AskStep, Runbook

Document = Mapping[str, Any]
_RUNBOOKS = click.option("--runbooks", type=click.Path(path_type=Path), help="The folder of the runbooks.")
_REPORTS = click.option("--reports", type=click.Path(path_type=Path), help="The folder of the reports.")


def runbook_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The runbooks whose names begin so, for the shell; where one is broken, its name alone."""
    found = catalog.files(ctx.params.get("runbooks"))
    return [CompletionItem(name, help=catalog.title(found[name])) for name in sorted(found) if name.startswith(begun)]


def report_names(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The drills of which there are reports, for the shell; without a configuration, those of `--reports`."""
    folder = ctx.params.get("reports") or catalog.default_folder()
    if ctx.obj is not None:
        folder = reports_folder(ctx.obj, ctx.params.get("reports"))
    known = {str(told["drill"]) for told in catalog.kept(folder)}
    return [CompletionItem(name) for name in sorted(known) if name.startswith(begun)]


@click.group("drill")
def drill() -> None:
    """Rehearse a failure from a runbook, measure it, and keep a report."""


@drill.command("list", epilog=examples("drill list"))
@_RUNBOOKS
@json_option
@click.pass_obj
def list_(session: Session, runbooks: Path | None) -> None:
    """The runbooks there are."""
    books = [catalog.find(name, runbooks) for name in sorted(catalog.files(runbooks))]
    found = [
        {"drill": one.name, "title": one.title, "on": one.on, "file": one.file, "fits_clusters": fits_clusters(one)}
        for one in books
    ]
    if session.as_json:
        session.document({"drills": found})
    for one in () if session.as_json else found:
        click.echo(f"{one['drill']:28} {'lab, --on' if one['fits_clusters'] else 'lab':10} {one['title']}")


@drill.command(
    epilog=examples("drill run primary-killed", "drill run primary-frozen --repeat 10", "drill run ./ours.yml --plan")
)
@click.argument("names", nargs=-1, metavar="NAME...", shell_complete=runbook_names)
@click.option("--all", "everything", is_flag=True, help="Every runbook that is for a lab, one after the other.")
@click.option("--lab", "in_lab", is_flag=True, help="Bring a lab up for it; the default.")
@click.option(
    "--on",
    "cluster",
    default="",
    metavar="CLUSTER",
    shell_complete=clusters,
    help="Rehearse on a real cluster that allows drills.",
)
@click.option(
    "--confirm", default="", metavar="CLUSTER", shell_complete=clusters, help="The cluster's name once more, for --on."
)
@click.option("--plan", "only_plan", is_flag=True, help="Show everything and touch nothing.")
@click.option("--step", "by_step", is_flag=True, help="Wait for a person before each step.")
@click.option("--repeat", default=1, type=click.IntRange(1, 1000), show_default=True, help="How often.")
@click.option("--abort-file", type=click.Path(path_type=Path), help="While this file exists, the drill ends at once.")
@_RUNBOOKS
@_REPORTS
@reason_option
@yes_option
@json_option
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Carry runbooks out; exit code 0 where everything came as expected."""
    session: Session = ctx.obj
    books = chosen(options["names"], options["everything"], options["runbooks"])
    places = [place_of(book, options["cluster"], options["in_lab"]) for book in books]
    if options["only_plan"]:
        shown = [preview.preview(book, on) for book, on in zip(books, places, strict=True)]
        many = {"drills": shown} if len(shown) > 1 else shown[0]
        session.document(many) if session.as_json else click.echo("\n\n".join(map(preview.text, shown)))
        return
    for book, on in zip(books, places, strict=True):
        permitted(session, book, on, options["confirm"])
        alone(book, options["by_step"], options["yes"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us gets the cleanup, too
    folder = reports_folder(session, options["reports"])
    told = Told()
    todo = [one for one in zip(books, places, strict=True) for _ in range(options["repeat"])]
    for book, on in todo:
        try:
            told.runs.append(rehearsed(session, options, folder, book, on))
        except FailoverdError as error:
            if len(todo) == 1:
                raise
            session.say(error_text(error))
            told.broken.append(book.name)
        if told.aborted:
            break
    ctx.exit(answer(session, folder, told))


def rehearsed(session: Session, options: Mapping[str, Any], folder: Path, book: Runbook, on: str) -> Document:
    """Carry one runbook out and keep its report; the document. Raises FailoverdError where it was not begun."""
    if on != LAB:
        allowed(session, book, on)  # again: the window may have closed while others were carried out
    began = session.clock.now()
    files = tuple(filter(None, (options["abort_file"], as_path(book.abort_file))))
    voice = Terminal(session, options["yes"], files)
    session.say(f"{book.name}: {book.title}")
    ground = lab_ground(book, voice.say) if on == LAB else cluster_ground(session.path, session.config, on, book)
    one = Drill(book, ground, (session.clock, ThreadTasks()), voice, by_step=options["by_step"])
    finished = one.run(person(options["reason"]))
    whole = round(session.clock.now() - began, 1)
    return kept(session, folder, {**report.document(finished), "on": on, "whole_seconds": whole})


def chosen(names: tuple[str, ...], everything: bool, folder: Path | None) -> list[Runbook]:
    """The runbooks that are meant, all loaded before any is begun. Raises ConfigError."""
    if everything == bool(names):
        raise ConfigError("it is not said which drill", "", "name one, or say --all; failoverd drill list")
    if names:
        return [catalog.find(name, folder) for name in names]
    return [book for name in sorted(catalog.files(folder)) if (book := catalog.find(name, folder)).on == LAB]


def place_of(book: Runbook, cluster: str, in_lab: bool) -> str:
    """Where it runs: as said, else as the runbook says. Raises ConfigError for both at once."""
    if cluster and in_lab:
        raise ConfigError("a drill runs in one place", "--lab and --on", "say one of them")
    return LAB if in_lab else cluster or book.on


def permitted(session: Session, book: Runbook, on: str, confirm: str) -> None:
    """Raises ConfigError where a real cluster does not allow this drill now, or nobody has confirmed it by name."""
    if on == LAB:
        return
    allowed(session, book, on)
    if not confirm and on_terminal():
        confirm = click.prompt(f"this breaks servers of {on}; type its name to go on", err=True)
    if confirm != on:
        said = f"{book.file}:1: {confirm or 'no name'}"
        raise ConfigError(f"a drill on {on} is to be confirmed by that name", said, f"--confirm {on}")


def allowed(session: Session, book: Runbook, on: str) -> None:
    """Raises ConfigError where that cluster does not allow this drill at this moment, with everything against it."""
    section = session.config.cluster(on).drills
    against = objections(book, section.permit, session.clock.wall().astimezone(ZoneInfo(section.timezone)))
    if against:
        raise ConfigError(f"this drill may not be done on {on}", "\n".join(against), "nothing was touched")


def alone(book: Runbook, by_step: bool, yes: bool) -> None:
    """Raises ConfigError where a person will be asked and nobody is there."""
    asks = [step for step in (*book.steps, *book.cleanup) if isinstance(step, AskStep)]
    if (by_step or asks) and not on_terminal() and not yes:
        where = asks[0].place if asks else "--step"
        raise ConfigError("nobody is there to be asked", where, "run it on a terminal, or say --yes")


def as_path(text: str) -> Path | None:
    """A path, None for no text."""
    return Path(text) if text else None


def reports_folder(session: Session, said: Path | None) -> Path:
    """Where reports go: as said, else beside the manager's state, else here."""
    if said is not None:
        return said
    try:
        return session.config.manager.state_dir / "drills"
    except ConfigErrors:
        return catalog.default_folder()


class Terminal:
    """The person before the terminal; with `--yes`, nobody is asked."""

    def __init__(self, session: Session, yes: bool, files: tuple[Path, ...]) -> None:
        self._session = session
        self._yes = yes
        self._files = files

    def say(self, text: str) -> None:
        """A line of progress."""
        self._session.say(f"  {text}")

    def agrees(self, question: str) -> bool:
        """Whether the person says yes."""
        return self._yes or click.confirm(question, err=True)

    def stops(self) -> str:
        """The abort file that is there."""
        return next((f"{file} is there" for file in self._files if file.exists()), "")


@drill.command(
    "report", epilog=examples("drill report primary-killed", "drill report primary-killed --trend --html trend.html")
)
@click.argument("name", shell_complete=report_names)
@click.option("--trend", is_flag=True, help="All runs of it together, oldest first.")
@click.option("--html", "target", type=click.Path(path_type=Path), help="Write the page to this file.")
@_REPORTS
@json_option
@click.pass_obj
def report_(session: Session, name: str, trend: bool, target: Path | None, reports: Path | None) -> None:
    """What the last run of a drill measured, or all of them together."""
    folder = reports_folder(session, reports)
    told = list(catalog.kept(folder, name))
    if not told:
        known = sorted({str(one["drill"]) for one in catalog.kept(folder)})
        raise ConfigError(f"there is no report of '{name}'", str(folder), f"there are {', '.join(known) or 'none'}")
    if trend:
        runs = [report.summary(one) for one in told]
        shown: Document = {**distribution(runs), "results": runs}
        show(session, shown, trend_lines(runs), target, lambda: page.trend_html(shown, runs))
    else:
        show(session, told[-1], last_lines(told[-1]), target, lambda: page.html(told[-1]))


def show(session: Session, told: Document, lines: list[str], target: Path | None, html: Callable[[], str]) -> None:
    """Print it, and write the page where one is wanted."""
    if target is not None:
        try:
            target.write_text(html(), encoding="utf-8")
        except OSError as error:
            raise ConfigError("the page could not be written", str(error)) from error
        session.say(f"written: {target}")
    if session.as_json:
        session.document(told)
    else:
        click.echo("\n".join(lines))


@drill.command("suggest", epilog=examples("drill suggest shop"))
@click.argument("cluster", shell_complete=clusters)
@_RUNBOOKS
@_REPORTS
@json_option
@click.pass_obj
def suggest_(session: Session, cluster: str, runbooks: Path | None, reports: Path | None) -> None:
    """What has not been rehearsed for how long, and how ready the cluster is; the score becomes a metric."""
    session.cluster(cluster)
    folder = reports_folder(session, reports)
    books = [catalog.find(name, runbooks) for name in sorted(catalog.files(runbooks))]
    findings = session.app().check(cluster)
    told = suggest.suggestions(cluster, books, catalog.kept(folder), findings, session.clock.wall())
    catalog.keep_score(folder, cluster, told["score"])
    if session.as_json:
        session.document(told)
    else:
        click.echo("\n".join(suggest.lines(told)))
