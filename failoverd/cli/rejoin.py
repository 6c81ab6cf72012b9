"""`failoverd rejoin`: attach a server that came back."""

from __future__ import annotations

import click

from failoverd.cli.carrying import Wish, acting, carry_through, override_option, still_standing
from failoverd.cli.session import Session, examples, person
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Request


@click.command(
    epilog=examples(
        "rejoin shop db1 --dry-run",
        "rejoin shop db1 --reason 'new disk' --yes",
        "rejoin shop db1 --override durability-unproven --reason 'only the process died'",
    )
)
@click.argument("cluster")
@click.argument("server")
@override_option(Kind.REJOIN)
@acting
@click.pass_obj
def rejoin(session: Session, /, cluster: str, server: str, override: tuple[str, ...], reason: str, **how: bool) -> None:
    """Attach a server that came back, as an old primary or a replica that stands still.

    It is closed first. Where it holds nothing that the primary lacks, it follows again, its options and relay logs
    kept. A server that diverged is never attached: its transactions are named.
    """
    session.config.server(cluster, server)
    request = Request(cluster=cluster, kind=Kind.REJOIN, by=person(reason), to=server, overrides=frozenset(override))
    app = session.app()
    made = app.rejoin_plan(request)
    against = still_standing(made, request)
    wish = Wish(
        plan=made,
        against=against,
        refusal=PlanRefused(f"{server} is not attached", against) if against else None,
        question=f"Attach {server} of {cluster}?",
        act=lambda: app.failover(request, session.say),
    )
    carry_through(session, wish, **how)
