"""`failoverd repair`: mend the relay log of a replica."""

from __future__ import annotations

import sys

import click

from failoverd.cli.failover import exit_code
from failoverd.cli.plan import show_plan
from failoverd.cli.render import operation_view, show
from failoverd.cli.session import (
    DONE,
    FINDING,
    Session,
    dry_run_option,
    examples,
    json_option,
    person,
    reason_option,
    yes_option,
)
from failoverd.model.plans import Kind, Request
from failoverd.plan.render import render_plan


@click.command(epilog=examples("repair shop db2 --dry-run", "repair shop db2 --reason 'disk error' --yes"))
@click.argument("cluster")
@click.argument("server")
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def repair(session: Session, /, cluster: str, server: str, reason: str, yes: bool, dry_run: bool) -> None:
    """Mend a replica whose relay log is damaged.

    Its files are kept, its applier reads what it can, and the rest is fetched anew from a living server that has it,
    else copied from whoever still holds it. No transaction is skipped. What nobody can give back is named, and then the
    relay logs are left as they are: exit code 1.
    """
    session.config.server(cluster, server)
    app = session.app()
    made = app.repair_plan(cluster, server)
    if dry_run:
        show_plan(session, made)
        sys.exit(FINDING if made.refusals else DONE)
    session.say(render_plan(made))
    session.agree(f"Repair {server}?", yes)
    request = Request(cluster=cluster, kind=Kind.REPAIR, by=person(reason), to=server)
    document = app.repair(request, session.say)
    if session.as_json:
        session.document(document)
    else:
        show(operation_view(document))
    sys.exit(exit_code(document))
