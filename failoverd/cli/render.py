"""What people see: tables and colours on a terminal, plain aligned text elsewhere. The only module that knows rich."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from failoverd.cli.watching import Story
from failoverd.config.explain import Explained
from failoverd.model.documents import Document, part, parts, word, words, writes_word
from failoverd.model.finding import Finding, Severity
from failoverd.verify.telling import operation_lines

# Where it is no terminal nothing is folded: scripts read by lines.
_PLAIN_WIDTH: Final = 4000
_COLOURS: Final[Mapping[str, str]] = {
    "healthy": "green",
    "suspect": "yellow",
    "blind": "yellow",
    "done": "green",
    "already": "green",
    "ok": "green",
    "warning": "yellow",
    "skipped": "dim",
}
_COORDINATION: Final[Mapping[str, str]] = {
    "ok": "",
    "local": "local coordination, no standby",
    "lost": "coordination lost: watching, nobody acts",
}


_SERVER_COLUMNS: Final = (
    *("  SERVER", "ADDRESS", "ROLE", "WRITES", "FOLLOWS"),
    *("RECEIVER", "APPLIER", "LAG", "PROMOTE", "AGENT"),
)
# What a narrow terminal goes without, the first ones first.
_DISPENSABLE: Final = ("ADDRESS", "PROMOTE", "LAG", "FOLLOWS")
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a view; where it is too long for the screen, what comes below it is set in further."""

    text: str
    style: str = ""
    before: str = _INDENT

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The sentence in as many lines as it needs."""
        below = " " * len(self.before) + _INDENT
        width = max(options.max_width - len(below), len(below))
        for number, line in enumerate(Text(self.text, self.style).wrap(screen, width)):
            yield Text.assemble(below if number else self.before, line)


@dataclass(frozen=True, slots=True)
class Fitting:
    """The first of some tables that the screen is wide enough for; the last one where it is for none."""

    tables: tuple[Table, ...]

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Table]:
        """That table."""
        unfolded = options.update_width(_PLAIN_WIDTH)
        fits = (one for one in self.tables if screen.measure(one, options=unfolded).maximum <= options.max_width)
        yield next(fits, self.tables[-1])


def console() -> Console:
    """Standard output; wide and without colours where it is no terminal."""
    stream = sys.stdout
    return Console(
        file=stream, width=None if stream.isatty() else _PLAIN_WIDTH, highlight=False, markup=False, emoji=False
    )


def show(*renderables: RenderableType) -> None:
    """Print them one below the other."""
    screen = console()
    if screen.is_terminal:
        screen.print(*renderables, sep="\n")
        return
    with screen.capture() as captured:
        screen.print(*renderables, sep="\n")
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def watch_status(look: Callable[[], Document], rest: Callable[[], None], clock: Callable[[], str]) -> None:
    """Draw the status document and what has changed while somebody watched, again and again, until the user
    interrupts, which is how it ends.
    """
    story = Story()
    with suppress(KeyboardInterrupt), Live(console=console(), auto_refresh=False, screen=False) as live:
        while True:
            document = look()
            story.see(document, clock())
            live.update(watched_view(document, story.lines, clock()), refresh=True)
            rest()


def watched_view(document: Document, changes: Iterable[tuple[str, str]], clock: str) -> RenderableType:
    """The status with the time of day and the latest changes with theirs."""
    told = [Line(line, before=f"  {at}  ") for at, line in changes]
    nothing = [Line("nothing has changed since this was opened", "dim")]
    return Group(status_view(document), Text(f"{clock}, changes, newest first", "bold"), *(told or nothing))


def coloured(text: str) -> Text:
    """A word in the colour of its meaning; what is not known to be good is red."""
    return Text(text, style=_COLOURS.get(text, "red"))


def table(*columns: str) -> Table:
    """An empty table without lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def status_view(document: Document) -> RenderableType:
    """All clusters of a status document."""
    return Group(*(piece for cluster in parts(document, "clusters") for piece in cluster_view(cluster)))


def cluster_view(cluster: Document) -> Iterator[RenderableType]:
    """One cluster: verdict, manager, why nothing is done, servers, what is wrong with them."""
    head = Text.assemble((word(cluster, "name"), "bold"), "  ", coloured(word(cluster, "verdict")))
    head.append(f"  primary {word(cluster, 'primary') or 'unknown'}  epoch {word(cluster, 'epoch') or '-'}")
    yield head
    yield Line("; ".join(piece for piece in manager_words(cluster) if piece))
    if word(cluster, "verdict") != "healthy":
        yield Line(word(cluster, "sentence"))
        for item in parts(cluster, "evidence"):
            yield Line(f"{word(item, 'sentence')} ({word(item, 'route')}, {word(item, 'age_seconds')} s ago)")
    for refusal in parts(cluster, "refusals"):
        yield Line(f"refused by {word(refusal, 'id')}: {word(refusal, 'sentence')}", "yellow")
    yield servers_view(parts(cluster, "servers"))
    for server in parts(cluster, "servers"):
        for problem in parts(server, "problems"):
            yield Line(problem_words(word(server, "name"), problem), "yellow")
    yield Text("")


def problem_words(server: str, problem: Document) -> str:
    """What is wrong with a server and what to do, with its name where the sentence lacks it."""
    sentence, hint = word(problem, "sentence"), word(problem, "hint")
    named = sentence if server in sentence.split() else f"{server}: {sentence}"
    return f"{named} ({hint})" if hint else named


def manager_words(cluster: Document) -> Iterator[str]:
    """Who watches this cluster, and what keeps it from acting or is going on."""
    active = word(cluster, "active_manager")
    yield f"manager {active}" if active else "NO ACTIVE MANAGER: this is a look of its own"
    standby = words(cluster, "standby_managers")
    yield f"standby {', '.join(standby)}" if standby else ""
    yield _COORDINATION.get(word(cluster, "coordination"), word(cluster, "coordination"))
    paused = part(cluster, "paused")
    until = f" until {word(paused, 'until')}" if word(paused, "until") else ""
    yield f"paused{until} by {word(paused, 'by')}: {word(paused, 'reason')}" if paused else ""
    for server in parts(cluster, "servers"):
        found = part(server, "paused")
        yield f"{word(server, 'name')} paused by {word(found, 'by')}: {word(found, 'reason')}" if found else ""
    operation = part(cluster, "operation")
    yield f"{word(operation, 'kind')} {word(operation, 'id')} at {word(operation, 'stage')}" if operation else ""
    yield word(operation, "progress")
    problem = word(operation, "problem")
    yield f"{problem} (failoverd ops show)" if problem else ""


def servers_view(servers: Iterable[Document]) -> RenderableType:
    """One line for each server; a narrow screen shows less of each."""
    rows = [dict(zip(_SERVER_COLUMNS, server_cells(server), strict=True)) for server in servers]
    tables = []
    for left_out in range(len(_DISPENSABLE) + 1):
        made = table(*(column for column in _SERVER_COLUMNS if column not in _DISPENSABLE[:left_out]))
        for row in rows:
            made.add_row(*(row[str(column.header)] for column in made.columns))
        tables.append(made)
    return Fitting(tuple(tables))


def server_cells(server: Document) -> tuple[str, ...]:
    """What is told of one server, column by column."""
    lag = word(server, "lag_seconds")
    return (
        f"  {word(server, 'name')}",
        f"{word(server, 'host')}:{word(server, 'port')}",
        word(server, "role"),
        writes_word(server),
        word(server, "source") or "-",
        word(server, "receiver") or "-",
        word(server, "applier") or "-",
        f"{lag} s" if lag else "-",
        word(server, "promote"),
        word(server, "agent"),
    )


def findings_view(findings: Iterable[Finding]) -> RenderableType:
    """Findings by cluster and server; what is fine in one word, what is not with its hint."""
    made = table("", "WHERE", "WHAT", "FINDING")
    for finding in findings:
        where = f"{finding.cluster}/{finding.server}" if finding.server else finding.cluster
        sentence = Text(finding.sentence)
        if finding.hint and finding.severity is not Severity.OK:
            sentence.append(f"\n{finding.hint}", style="dim")
        made.add_row(coloured(str(finding.severity)), where, finding.id, sentence)
    return made


def operations_view(operations: Iterable[Document]) -> Table:
    """Operations, one line each."""
    made = table("OPERATION", "KIND", "CLUSTER", "OUTCOME", "STARTED", "OLD", "NEW", "OUTAGE", "LOST")
    for operation in operations:
        outage = word(operation, "outage_seconds")
        made.add_row(
            word(operation, "operation"),
            word(operation, "kind"),
            word(operation, "cluster"),
            coloured(word(operation, "outcome") or "open"),
            word(operation, "started"),
            word(operation, "old_primary") or "-",
            word(operation, "new_primary") or "-",
            f"{outage} s" if outage else "-",
            word(part(operation, "lost"), "transactions") or "-",
        )
    return made


def operation_view(operation: Document) -> RenderableType:
    """One operation: what came of it, then its steps in their order."""
    return Group(*(Text(line) for line in operation_lines(operation)), steps_view(parts(operation, "steps")))


def steps_view(steps: Iterable[Document]) -> Table:
    """The steps of an operation."""
    made = table("  STAGE", "STEP", "OUTCOME", "SECONDS", "DETAIL")
    for step in steps:
        made.add_row(
            f"  {word(step, 'stage')}",
            word(step, "title"),
            coloured(word(step, "outcome")),
            word(step, "seconds"),
            word(step, "detail"),
        )
    return made


def explained_view(values: Iterable[Explained]) -> Table:
    """Every key with its value and where that comes from."""
    made = table("KEY", "VALUE", "FROM")
    for value in values:
        made.add_row(value.path, Text(value.value), value.origin)
    return made
