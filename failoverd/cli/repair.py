"""`failoverd repair`: mend the relay log of a replica."""

from __future__ import annotations

import click

from failoverd.cli.carrying import Wish, acting, carry_through
from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import Session, examples, person
from failoverd.model.plans import Kind, Request


@click.command(epilog=examples("repair shop db2 --dry-run", "repair shop db2 --reason 'disk error' --yes"))
@click.argument("cluster", shell_complete=clusters)
@click.argument("server", shell_complete=servers)
@acting
@click.pass_obj
def repair(session: Session, /, cluster: str, server: str, reason: str, **how: bool) -> None:
    """Mend a replica whose relay log is damaged.

    Its files are kept, its applier reads what it can, and the rest is fetched anew from a living server that has it,
    else copied from whoever still holds it. No transaction is skipped. What nobody can give back is named, and then the
    relay logs are left as they are: exit code 1.
    """
    session.config.server(cluster, server)
    app = session.app()
    made = app.repair_plan(cluster, server)
    request = Request(cluster=cluster, kind=Kind.REPAIR, by=person(reason), to=server)
    wish = Wish(
        plan=made,
        against=made.refusals,
        refusal=None,  # what nobody can give back is only known when its files are read
        question=f"Repair {server}?",
        act=lambda: app.repair(request, session.say),
    )
    carry_through(session, wish, **how)
