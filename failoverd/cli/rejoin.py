"""`failoverd rejoin`: attach a server that came back."""

from __future__ import annotations

import sys
from typing import Final

import click

from failoverd.cli.failover import exit_code, still_standing
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
from failoverd.decide.refusals import REFUSALS
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Request
from failoverd.plan.render import render_plan

OVERRIDABLE: Final = tuple(row.id for row in REFUSALS if row.overridable and Kind.REJOIN in row.kinds)


@click.command(
    epilog=examples(
        "rejoin shop db1 --dry-run",
        "rejoin shop db1 --reason 'new disk' --yes",
        "rejoin shop db1 --override durability-unproven --reason 'only the process died'",
    )
)
@click.argument("cluster")
@click.argument("server")
@click.option(
    "--override", multiple=True, metavar="REFUSAL", type=click.Choice(OVERRIDABLE), help="Act in spite of this."
)
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def rejoin(session: Session, /, cluster: str, server: str, override: tuple[str, ...], **said: object) -> None:
    """Attach a server that came back, as an old primary or a replica that stands still.

    It is closed first. Where it holds nothing that the primary lacks, it follows again, its options and relay logs
    kept. A server that diverged is never attached: its transactions are named.
    """
    session.config.server(cluster, server)
    by = person(str(said["reason"]))
    request = Request(cluster=cluster, kind=Kind.REJOIN, by=by, to=server, overrides=frozenset(override))
    app = session.app()
    made = app.rejoin_plan(request)
    against = still_standing(made, request)
    if said["dry_run"]:
        show_plan(session, made)
        sys.exit(FINDING if against else DONE)
    session.say(render_plan(made))
    if against:
        raise PlanRefused(f"{server} is not attached", against)
    session.agree(f"Attach {server} of {cluster}?", bool(said["yes"]))
    document = app.failover(request, session.say)
    if session.as_json:
        session.document(document)
    else:
        show(operation_view(document))
    sys.exit(exit_code(document))
