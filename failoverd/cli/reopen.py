"""`failoverd reopen`: open the recorded primary again, found read-only after a restart of everything."""

from __future__ import annotations

import click

from failoverd.cli.carrying import Wish, acting, carry_through, override_option, still_standing
from failoverd.cli.completing import clusters
from failoverd.cli.session import Session, examples, person
from failoverd.decide.refusals import remedies
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Request


@click.command(
    epilog=examples(
        "reopen shop --dry-run",
        "reopen shop --reason 'power cut' --yes",
        "reopen shop --override reopen-unknown --reason 'db3 is broken for good'",
    )
)
@click.argument("cluster", shell_complete=clusters)
@override_option(Kind.REOPEN)
@acting
@click.pass_obj
def reopen(session: Session, /, cluster: str, override: tuple[str, ...], reason: str, **how: bool) -> None:
    """Open the recorded primary that is read-only, as after a restart of everything.

    It is never opened where another server takes writes, or where a server that answers holds what it lacks: that is
    what `failover` is for. The manager does this by itself where it saw every server and is allowed to act.
    """
    session.config.cluster(cluster)
    request = Request(cluster=cluster, kind=Kind.REOPEN, by=person(reason), overrides=frozenset(override))
    app = session.app()
    made = app.foresee(request)
    against = still_standing(made, request)
    wish = Wish(
        plan=made,
        against=against,
        refusal=PlanRefused(f"reopening of {cluster} is refused", against, remedies(against)) if against else None,
        question=f"Open {made.elect} of {cluster} for writes?",
        act=lambda: app.failover(request, session.say),
    )
    carry_through(session, wish, **how)
