"""`failoverd replay`: the decisions of this version on a flight recording."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.drivers.flight import read
from failoverd.model.documents import Document, part, parts, word, words
from failoverd.service.replaying import replay as judged_again


@click.command(epilog=examples("replay /var/lib/failoverd/flight/shop/kept/shop-20260314T093012.123Z-7.flight"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def replay(session: Session, file: Path) -> None:
    """Judge a recording of the manager anew and show where this version decides otherwise.

    The manager keeps the last minutes of each cluster in state_dir/flight/CLUSTER and copies them to `kept` under the
    name of each operation. Exit code 1 means that something differs. Nothing is asked of any server.
    """
    told = judged_again(read(file))
    if session.as_json:
        session.document(told)
    else:
        for line in story(told):
            click.echo(line)
    sys.exit(FINDING if told["differences"] else DONE)


def story(told: Document) -> tuple[str, ...]:
    """The recording and the differences, a line each."""
    lines = [f"{word(told, 'moments')} moments"]
    lines += [f"  {word(v, 'at')}  {word(v, 'verdict')}: {word(v, 'sentence')}" for v in parts(told, "verdicts")]
    for one in parts(told, "differences"):
        then, now = part(one, "recorded"), part(one, "now")
        lines.append(f"  {word(one, 'at')}  differs: was {decision(then)}, is {decision(now)}")
    if not parts(told, "differences"):
        lines.append("  this version decides the same")
    return tuple(lines)


def decision(told: Document) -> str:
    """One decision in few words."""
    against = words(told, "refusals")
    refused = f", refused by {', '.join(against)}" if against else ""
    return f"{word(told, 'verdict')} by {word(told, 'rule')} ({word(told, 'advice')}{refused})"
