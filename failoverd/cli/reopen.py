"""`failoverd reopen`: open the recorded primary again, found read-only after a restart of everything."""

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

OVERRIDABLE: Final = tuple(row.id for row in REFUSALS if row.overridable and Kind.REOPEN in row.kinds)


@click.command(
    epilog=examples(
        "reopen shop --dry-run",
        "reopen shop --reason 'power cut' --yes",
        "reopen shop --override reopen-unknown --reason 'db3 is broken for good'",
    )
)
@click.argument("cluster")
@click.option(
    "--override", multiple=True, metavar="REFUSAL", type=click.Choice(OVERRIDABLE), help="Act in spite of this."
)
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def reopen(session: Session, /, cluster: str, override: tuple[str, ...], reason: str, yes: bool, dry_run: bool) -> None:
    """Open the recorded primary that is read-only, as after a restart of everything.

    It is never opened where another server takes writes, or where a server that answers holds what it lacks: that is
    what `failover` is for. The manager does this by itself where it saw every server and is allowed to act.
    """
    session.config.cluster(cluster)
    request = Request(cluster=cluster, kind=Kind.REOPEN, by=person(reason), overrides=frozenset(override))
    app = session.app()
    made = app.foresee(request)
    against = still_standing(made, request)
    if dry_run:
        show_plan(session, made)
        sys.exit(FINDING if against else DONE)
    session.say(render_plan(made))
    if against:
        raise PlanRefused(f"reopening of {cluster} is refused", against)
    session.agree(f"Open {made.elect} of {cluster} for writes?", yes)
    document = app.failover(request, session.say)
    if session.as_json:
        session.document(document)
    else:
        show(operation_view(document))
    sys.exit(exit_code(document))
