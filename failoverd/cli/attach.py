"""`failoverd ops attach`: talk to the operation that runs on this host, with one line or at its side until it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import CompletionItem

from failoverd.cli.completing import clusters
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option, on_terminal
from failoverd.decide.controlling import WORDS, misspelt
from failoverd.drivers.keyboard import Keyboard
from failoverd.model.documents import Document, word
from failoverd.model.errors import ConfigError, FailoverdError

# Between two looks at how far it has come (seconds).
_GLANCE = 1.0


def completed(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """The words that begin so, for the shell."""
    items = ((f"{row.word}=" if row.value else row.word, row.sentence) for row in WORDS)
    return [CompletionItem(item, help=sentence) for item, sentence in items if item.startswith(begun)]


@click.command(
    "attach",
    epilog=examples(
        "ops attach shop",
        "ops attach shop status --json",
        "ops attach shop hold candidate=db3 freeze-budget-ms=500",
        "ops attach shop abort",
    ),
)
@click.argument("cluster", shell_complete=clusters)
@click.argument("command", nargs=-1, shell_complete=completed)
@json_option
@click.pass_obj
def attach(session: Session, cluster: str, command: tuple[str, ...]) -> None:
    """Talk to the operation of this cluster that runs on this host; a command that waits counts as one.

    The commands are those of its control socket, `?` lists them. Without one, its progress is shown until it ends, and
    each line that is typed is said to it. Exit code 1 where something could not be done.
    """
    servers = tuple(server.name for server in session.config.cluster(cluster).servers)
    for line in command:
        wrong = misspelt(line, servers)
        if wrong:
            raise ConfigError(f"'{line}' cannot be said", wrong, "failoverd ops attach CLUSTER ? lists the words")
    if not command and session.as_json:
        raise ConfigError("nothing is said", "--json is for one answer", "failoverd ops attach CLUSTER status --json")
    last: Document = {}
    for last in said(session, cluster, command) if command else talk(session, cluster):
        if not session.as_json:
            click.echo("\n".join(spoken(last)))
    if session.as_json:
        session.document(last)
    sys.exit(DONE if last.get("ok") else FINDING)


def said(session: Session, cluster: str, lines: Iterable[str]) -> Iterator[Document]:
    """The answers to these lines, up to the first that could not be followed."""
    app = session.app()
    for line in lines:
        answer = app.say(cluster, line)
        yield answer
        if not answer.get("ok"):
            return


def talk(session: Session, cluster: str) -> Iterator[Document]:
    """What is said and answered until the operation has ended or nobody types any more."""
    app = session.app()
    answer = app.say(cluster, "status")
    yield answer
    told = progress_in(answer)
    try:
        lines: Iterable[str | None] = typed(session) if on_terminal() else sys.stdin
        for line in lines:
            if line is not None and line.strip():
                answer = app.say(cluster, line.strip())
                yield answer
                told = progress_in(answer) or told
            elif line is None and (now := progress_in(app.say(cluster, "status"))) != told:
                session.say(now)
                told = now
    except FailoverdError:
        session.say("it has ended: failoverd ops show")


def progress_in(answer: Document) -> str:
    """The progress in an answer that has it."""
    lines = spoken(answer)
    return lines[1] if answer.get("ok") and len(lines) > 1 else ""


def typed(session: Session) -> Iterator[str | None]:
    """Each typed line, and None whenever nobody has typed one for a while."""
    keyboard = Keyboard(sys.stdin.fileno())
    session.say("? lists the words, Ctrl-D leaves it alone")
    while (line := keyboard.line(_GLANCE)) != "":
        yield line


def spoken(answer: Document) -> list[str]:
    """The lines of an answer."""
    lines = answer.get("answer")
    return [str(line) for line in lines] if isinstance(lines, list) else [word(answer, "answer")]
