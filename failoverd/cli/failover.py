"""`failoverd failover`: the primary is dead, promote the best replica."""

from __future__ import annotations

from typing import Final

import click

from failoverd.cli.carrying import Wish, acting, carry_through, override_option, still_standing
from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import Session, examples, person
from failoverd.decide.refusals import REFUSALS, remedies
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Request

# What is only known when positions can no longer move is foreseen by the plan and decided by the operation itself.
FORESEEN: Final = frozenset(row.id for row in REFUSALS if row.late)


@click.command(
    epilog=examples(
        "failover shop --dry-run",
        "failover shop",
        "failover shop --to db2 --reason 'disk of db1 broken' --yes",
        "failover shop --accept-loss 12 --override cooldown",
    )
)
@click.argument("cluster", shell_complete=clusters)
@click.option("--to", default="", metavar="SERVER", shell_complete=servers, help="Promote this server.")
@click.option("--accept-loss", type=click.IntRange(min=0), help="Known transactions that may be given up.")
@override_option()
@acting
@click.pass_obj
def failover(
    session: Session, /, cluster: str, accept_loss: int | None, override: tuple[str, ...], **said: object
) -> None:
    """Promote the most advanced replica, because the primary is dead.

    The plan is shown first. A living primary is left alone. What nobody can give back is counted beforehand and needs
    --accept-loss beyond what the configuration allows.
    """
    session.config.cluster(cluster)
    to = str(said["to"])
    if to:
        session.config.server(cluster, to)
    request = Request(
        cluster=cluster,
        kind=Kind.FAILOVER,
        by=person(str(said["reason"])),
        to=to,
        accept_loss=accept_loss,
        overrides=frozenset(override),
    )
    app = session.app()
    made = app.foresee(request)
    against = still_standing(made, request)
    firm = tuple(refusal for refusal in against if refusal.id not in FORESEEN)
    wish = Wish(
        plan=made,
        against=against,
        refusal=PlanRefused(f"failover of {cluster} is refused", firm, remedies(firm)) if firm else None,
        question=f"Fail {cluster} over?",
        act=lambda: app.failover(request, session.say),
    )
    carry_through(session, wish, yes=bool(said["yes"]), dry_run=bool(said["dry_run"]))
