"""`failoverd switchover`: another server becomes the primary, planned and with nothing lost."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from failoverd.cli.app import App
from failoverd.cli.documents import word
from failoverd.cli.failover import exit_code
from failoverd.cli.holding import hold, moment
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
from failoverd.model.errors import ConfigError, FailoverdError, PlanRefused
from failoverd.model.plans import Kind, Plan, Request
from failoverd.plan.render import render_plan


@click.command(
    epilog=examples(
        "switchover shop --dry-run",
        "switchover shop --to db2 --reason 'new kernel on db1'",
        "switchover shop --at 03:00 --postpone-file /run/not-yet --yes",
        "switchover shop --revert --yes",
    )
)
@click.argument("cluster")
@click.option("--to", default="", metavar="SERVER", help="The new primary.")
@click.option(
    "--postpone-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Hold with everything checked while this file exists.",
)
@click.option("--at", default="", metavar="TIME", help="Hold until then: 03:00, or a whole time with its zone.")
@click.option("--revert", is_flag=True, help="Back to the primary before the last switchover.")
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def switchover(session: Session, /, cluster: str, to: str, *, revert: bool, dry_run: bool, **wish: object) -> None:
    """Make another server the primary; nothing is lost, and the old one becomes a replica.

    Writes are held up for as long as the candidate needs for its last transactions, at most for
    switchover.freeze_budget. Where that is not enough everything is undone, and tried again: exit code 3 when no
    attempt succeeded.
    """
    session.config.cluster(cluster)
    if to and revert:
        raise ConfigError("--to and --revert exclude each other", "", "name the server, or go back")
    at = moment(str(wish["at"]), session.clock.wall()) if wish["at"] else None
    app = session.app()
    if revert:
        to = former(app, cluster)
    if to:
        session.config.server(cluster, to)
    request = Request(cluster=cluster, kind=Kind.SWITCHOVER, by=person(str(wish["reason"])), to=to)
    made = app.foresee(request)
    if dry_run:
        show_plan(session, made)
        sys.exit(FINDING if made.refusals else DONE)
    session.say(render_plan(made))
    unrefused(made)
    session.agree(f"Make {made.elect} the primary of {cluster}?", bool(wish["yes"]))
    request = replace(request, to=made.elect)  # what was agreed to, and no other
    file = wish["postpone_file"]
    if hold(session, at, file if isinstance(file, Path) else None):
        unrefused(app.foresee(request))
    document = app.failover(request, session.say)
    if session.as_json:
        session.document(document)
    else:
        show(operation_view(document))
    sys.exit(exit_code(document))


def unrefused(made: Plan) -> None:
    """Return where nothing stands against it; PlanRefused names what does."""
    if made.refusals:
        raise PlanRefused(f"switchover of {made.cluster} is refused", made.refusals, "mend what is named first")


def former(app: App, cluster: str) -> str:
    """Who was the primary before the last switchover that was done; FailoverdError where there was none."""
    for one in app.operations(cluster):
        if word(one, "kind") == Kind.SWITCHOVER and word(one, "outcome") == "done":
            return word(one, "old_primary")
    raise FailoverdError(f"{cluster} has seen no switchover", "", "name the new primary with --to")
