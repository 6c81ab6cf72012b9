"""`failoverd drill`: rehearse, measure, prove."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from failoverd.bootstrap.drilling import cluster_ground, lab_ground
from failoverd.cli.session import Session, examples, json_option, on_terminal, person, reason_option, yes_option
from failoverd.config.complaints import ConfigErrors
from failoverd.drill import catalog, junit, page, preview, report, suggest
from failoverd.drill.run import Drill, Finished
from failoverd.drill.trend import distribution
from failoverd.drivers.tasks import ThreadTasks
from failoverd.model.errors import ConfigError
from failoverd.model.permit import objections
from failoverd.model.runbook import LAB, AskStep, Runbook

Document = Mapping[str, Any]
_EXITS: Final = {"passed": 0, "failed": 1, "aborted": 1}
_RUNBOOKS = click.option("--runbooks", type=click.Path(path_type=Path), help="The folder of the runbooks.")
_REPORTS = click.option("--reports", type=click.Path(path_type=Path), help="The folder of the reports.")


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
    found = [{"drill": book.name, "title": book.title, "on": book.on, "file": book.file} for book in books]
    if session.as_json:
        session.document({"drills": found})
    for one in () if session.as_json else found:
        click.echo(f"{one['drill']:28} {one['title']}")


@drill.command(
    epilog=examples("drill run primary-killed", "drill run primary-frozen --repeat 10", "drill run ./ours.yml --plan")
)
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Every runbook that is for a lab, one after the other.")
@click.option("--lab", "in_lab", is_flag=True, help="Bring a lab up for it; the default.")
@click.option("--on", "cluster", default="", metavar="CLUSTER", help="Rehearse on a real cluster that allows drills.")
@click.option("--confirm", default="", metavar="CLUSTER", help="The cluster's name once more, for --on.")
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
        told = [preview.preview(book, on) for book, on in zip(books, places, strict=True)]
        many = {"drills": told} if len(told) > 1 else told[0]
        session.document(many) if session.as_json else click.echo("\n\n".join(map(preview.text, told)))
        return
    for book, on in zip(books, places, strict=True):
        permitted(session, book, on, options["confirm"])
        alone(book, options["by_step"], options["yes"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us gets the cleanup, too
    folder = reports_folder(session, options["reports"])
    runs: list[Document] = []
    for book, on in [one for one in zip(books, places, strict=True) for _ in range(options["repeat"])]:
        files = tuple(filter(None, (options["abort_file"], as_path(book.abort_file))))
        voice = Terminal(session, options["yes"], files)
        session.say(f"{book.name}: {book.title}")
        ground = lab_ground(book, voice.say) if on == LAB else cluster_ground(session.path, session.config, on, book)
        one = Drill(book, ground, (session.clock, ThreadTasks()), voice, by_step=options["by_step"])
        runs.append(kept(session, folder, one.run(person(options["reason"])), on))
        if runs[-1]["result"] == "aborted":
            break
    ctx.exit(answer(session, folder, runs))


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
    section = session.config.cluster(on).drills
    against = objections(book, section.permit, session.clock.wall().astimezone(ZoneInfo(section.timezone)))
    if against:
        raise ConfigError(f"this drill may not be done on {on}", "\n".join(against), "nothing was touched")
    if not confirm and on_terminal():
        confirm = click.prompt(f"this breaks servers of {on}; type its name to go on", err=True)
    if confirm != on:
        raise ConfigError(f"a drill on {on} is to be confirmed by that name", confirm or "no name", f"--confirm {on}")


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


def kept(session: Session, folder: Path, finished: Finished, on: str) -> Document:
    """Write the report and say what came of it; the document."""
    told = {**report.document(finished), "on": on}
    place = catalog.keep(folder, told)
    for one in finished.judged:
        session.say(f"  {one.outcome:8} {one.expectation.title}: {one.measured}")
    if finished.problem:
        session.say(f"  problem: {finished.problem}")
    for rest in finished.left:
        session.say(f"  not cleared away: {rest}")
    session.say(f"{told['drill']}: {told['result']}; {place}/report.html")
    return told


def answer(session: Session, folder: Path, runs: Sequence[Document]) -> int:
    """The document of one run, or the figures of several with the XML of all; the exit code."""
    if len(runs) > 1:
        (folder / "junit.xml").write_bytes(junit.xml(runs))
        summaries = [report.summary(one) for one in runs]
        for drill in dict.fromkeys(one["drill"] for one in summaries):
            for line in distribution_lines([one for one in summaries if one["drill"] == drill]):
                session.say(line)
        if session.as_json:
            session.document({**distribution(summaries), "results": summaries})
    elif session.as_json:
        session.document(runs[0])
    return max(_EXITS[one["result"]] for one in runs)


def distribution_lines(runs: Sequence[Document]) -> list[str]:
    """How often it passed, and how long it took, for people."""
    told = distribution(runs)
    lines = [f"{told['drill']}: {told['passed']} of {told['runs']} passed, {told['lost_rows']} rows lost"]
    return lines + [
        f"  {name}: median {found['median']:.3f} s, {found['least']:.3f} to {found['most']:.3f} s"
        for name, found in told["figures"].items()
    ]


@drill.command(
    "report", epilog=examples("drill report primary-killed", "drill report primary-killed --trend --html trend.html")
)
@click.argument("name")
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


def last_lines(told: Document) -> list[str]:
    """One run for people."""
    outage = page.duration((told["outage"] or {}).get("seconds"))
    lines = [f"{told['drill']} {told['began']} on {told['on']}: {told['result']}; outage {outage}"]
    lines += [f"  {one['outcome']:8} {one['title']}: {one['measured']}" for one in told["expectations"]]
    return lines + [f"  {one['stage']:10} {one['seconds']:.3f} s" for one in told["rto"]["stages"]]


def trend_lines(runs: list[Document]) -> list[str]:
    """All runs for people."""
    return [
        f"{run['began']}  {run['on']:12} {run['result']:8} outage {page.duration(run['outage_seconds']):>9}"
        f"  next write {page.duration(run['rto_seconds']):>9}  rows lost {run['lost_rows']}"
        for run in runs
    ]


@drill.command("suggest", epilog=examples("drill suggest shop"))
@click.argument("cluster")
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
