"""`failoverd init`: the first epoch, or the next one after the records of coordination were lost."""

from __future__ import annotations

import click

from failoverd.cli.completing import clusters
from failoverd.cli.session import Session, examples, json_option, noted_reason_option, yes_option
from failoverd.model.documents import part, word, words


@click.command(epilog=examples("init shop", "init shop --adopt"))
@click.argument("cluster", shell_complete=clusters)
@click.option("--adopt", is_flag=True, help="ZooKeeper was lost: start above every epoch that agents remember.")
@noted_reason_option
@yes_option
@json_option
@click.pass_obj
def init(session: Session, cluster: str, adopt: bool, reason: str, yes: bool) -> None:
    """Write the first epoch of a cluster.

    The first manager does that by itself. After ZooKeeper was lost nobody acts, because the agents remember a higher
    epoch than it holds: look at the servers, then use --adopt. No database is touched.
    """
    session.cluster(cluster)
    session.agree(f"Write the epoch of {cluster}{', above all that agents remember' if adopt else ''}?", yes)
    told = session.app().initialise(cluster, adopt)
    session.note(f"{'adopted' if adopt else 'initialised'} {cluster}", reason)
    if session.as_json:
        session.document(told)
        return
    click.echo(f"{cluster}: the next manager takes an epoch above {word(told, 'epoch')}")
    for name, epoch in part(told, "agents").items():
        click.echo(f"  the agent of {name} remembers epoch {epoch}")
    for name in words(told, "silent"):
        click.echo(f"  the agent of {name} could not be asked: if it remembers a higher one, it refuses and says so")
