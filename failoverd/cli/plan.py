"""`failoverd plan`: what would happen if."""

from __future__ import annotations

import sys

import click

from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.model.plans import Plan
from failoverd.model.published import plan_json
from failoverd.plan.render import render_plan


@click.command(epilog=examples("plan shop", "plan shop --kill db1 --kill db3", "plan shop --to db2 --json"))
@click.argument("cluster", shell_complete=clusters)
@click.option(
    "--kill",
    multiple=True,
    metavar="SERVER",
    shell_complete=servers,
    help="Suppose this server dead; without it, the primary.",
)
@click.option(
    "--to", default="", metavar="SERVER", shell_complete=servers, help="Suppose somebody wants this server as primary."
)
@json_option
@click.pass_obj
def plan(session: Session, cluster: str, kill: tuple[str, ...], to: str) -> None:
    """Show what a failover would do now: who would win and why the others lost, the steps, what would be lost.

    Nothing is changed. Exit code 1 means that something refuses it.
    """
    for server in (*kill, *filter(None, [to])):
        session.config.server(cluster, server)
    session.config.cluster(cluster)
    made = session.app().plan(cluster, kill, to)
    show_plan(session, made)
    sys.exit(FINDING if made.refusals else DONE)


def show_plan(session: Session, made: Plan) -> None:
    """The plan as the one document, or for people."""
    if session.as_json:
        session.document(plan_json(made))
    else:
        click.echo(render_plan(made))
