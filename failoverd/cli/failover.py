"""`failoverd failover`: the primary is dead, promote the best replica."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import click

from failoverd.cli.documents import Document, part, word
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
from failoverd.decide.refusals import REFUSALS, standing
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Plan, Request
from failoverd.model.published import EXIT_CODES, UNFENCED
from failoverd.model.verdict import Refusal
from failoverd.plan.render import render_plan

OUTCOMES: Final[Mapping[str, int]] = {str(result): code for result, code in EXIT_CODES.items()}
# What is only known when positions can no longer move is foreseen by the plan and decided by the operation itself.
FORESEEN: Final = frozenset(row.id for row in REFUSALS if row.late)
OVERRIDABLE: Final = tuple(row.id for row in REFUSALS if row.overridable)


@click.command(
    epilog=examples(
        "failover shop --dry-run",
        "failover shop",
        "failover shop --to db2 --reason 'disk of db1 broken' --yes",
        "failover shop --accept-loss 12 --override cooldown",
    )
)
@click.argument("cluster")
@click.option("--to", default="", metavar="SERVER", help="Promote this server.")
@click.option("--accept-loss", type=click.IntRange(min=0), help="Known transactions that may be given up.")
@click.option(
    "--override", multiple=True, metavar="REFUSAL", type=click.Choice(OVERRIDABLE), help="Act in spite of this."
)
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def failover(
    session: Session, /, cluster: str, to: str, dry_run: bool, override: tuple[str, ...], **wish: object
) -> None:
    """Promote the most advanced replica, because the primary is dead.

    The plan is shown first. A living primary is left alone. What nobody can give back is counted beforehand and needs
    --accept-loss beyond what the configuration allows.
    """
    session.config.cluster(cluster)
    if to:
        session.config.server(cluster, to)
    request = Request(
        cluster=cluster,
        kind=Kind.FAILOVER,
        by=person(str(wish["reason"])),
        to=to,
        accept_loss=wish["accept_loss"] if isinstance(wish["accept_loss"], int) else None,
        overrides=frozenset(override),
    )
    app = session.app()
    made = app.foresee(request)
    against = still_standing(made, request)
    if dry_run:
        show_plan(session, made)
        sys.exit(FINDING if against else DONE)
    session.say(render_plan(made))
    firm = tuple(refusal for refusal in against if refusal.id not in FORESEEN)
    if firm:
        raise PlanRefused(f"failover of {cluster} is refused", firm)
    session.agree(f"Fail {cluster} over?", bool(wish["yes"]))
    document = app.failover(request, session.say)
    if session.as_json:
        session.document(document)
    else:
        show(operation_view(document))
    sys.exit(exit_code(document))


def still_standing(made: Plan, request: Request) -> tuple[Refusal, ...]:
    """The refusals that neither an override nor the accepted loss takes away."""
    covered = set(request.overrides)
    if request.accept_loss is not None and len(made.missing) <= request.accept_loss:
        covered.add("missing-transactions")
    return standing(made.refusals, frozenset(covered))


def exit_code(operation: Document) -> int:
    """What scripts are told: the outcome, and 1 for a done one with findings or whose fence could not be proven."""
    code = OUTCOMES.get(word(operation, "outcome"), FINDING)
    unfenced = word(part(operation, "fenced"), "how") == UNFENCED
    return FINDING if code == DONE and (unfenced or operation.get("findings")) else code
