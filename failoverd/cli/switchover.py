"""`failoverd switchover`: another server becomes the primary, planned and with nothing lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from failoverd.cli.app import App
from failoverd.cli.carrying import Wish, acting, carry_through
from failoverd.cli.completing import clusters, servers
from failoverd.cli.holding import Until, hold, moment
from failoverd.cli.session import ON_INTERRUPT, Session, examples, person
from failoverd.decide.controlling import lines_of
from failoverd.model.documents import Document, word
from failoverd.model.errors import ConfigError, FailoverdError, PlanRefused
from failoverd.model.plans import Kind, Plan, Report, Request, Result, Stamps
from failoverd.model.published import report_json


@click.command(
    epilog=examples(
        "switchover shop --dry-run",
        "switchover shop --to db2 --reason 'new kernel on db1'",
        "switchover shop --at 03:00 --postpone-file /run/not-yet --yes",
        "switchover shop --revert --yes",
    )
)
@click.argument("cluster", shell_complete=clusters)
@click.option("--to", default="", metavar="SERVER", shell_complete=servers, help="The new primary.")
@click.option(
    "--postpone-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Hold with everything checked while this file exists.",
)
@click.option("--at", default="", metavar="TIME", help="Hold until then: 03:00, or a whole time with its zone.")
@click.option("--revert", is_flag=True, help="Back to the primary before the last switchover.")
@click.option(
    "--on-interrupt",
    type=click.Choice(ON_INTERRUPT),
    help="What Ctrl-C means while a manager does it: let it go on, or take it back. On a terminal it is asked.",
)
@acting
@click.pass_obj
def switchover(session: Session, /, cluster: str, to: str, *, revert: bool, **said: object) -> None:
    """Make another server the primary; nothing is lost, and the old one becomes a replica.

    Writes are held up for as long as the candidate needs for its last transactions, at most for
    switchover.freeze_budget. Where that is not enough everything is undone, and tried again: exit code 3 when no
    attempt succeeded.
    """
    session.config.cluster(cluster)
    if to and revert:
        raise ConfigError("--to and --revert exclude each other", "", "name the server, or go back")
    at = moment(str(said["at"]), session.clock.wall()) if said["at"] else None
    app = session.app()
    if revert:
        to = former(app, cluster)
    if to:
        session.config.server(cluster, to)
    request = Request(cluster=cluster, kind=Kind.SWITCHOVER, by=person(str(said["reason"])), to=to)
    made = app.foresee(request)
    agreed = replace(request, to=made.elect)  # what was agreed to, and no other
    file = said["postpone_file"]
    until = Until(at, file if isinstance(file, Path) else None)

    def gives_up() -> bool:
        return session.gives_up(str(said["on_interrupt"]) if said["on_interrupt"] else None)

    def act() -> Document:
        settled = held(session, made, agreed, until)
        return app.failover(settled, session.say, gives_up) if isinstance(settled, Request) else settled

    wish = Wish(made, made.refusals, refused(made), f"Make {made.elect} the primary of {cluster}?", act)
    carry_through(session, wish, yes=bool(said["yes"]), dry_run=bool(said["dry_run"]))


def held(session: Session, made: Plan, agreed: Request, until: Until) -> Request | Document:
    """Hold, then check again: what is asked for, as people want it by then; where it was given up, its account."""
    wishes = hold(session, made, until)
    if wishes is None:
        return agreed
    if wishes.given_up_by:
        return never_begun(session, made, agreed, wishes.given_up_by)
    wanted = replace(agreed, to=wishes.candidate or agreed.to, settings=lines_of(wishes))
    refusal = refused(session.app().foresee(wanted))
    if refusal is not None:
        raise refusal
    return wanted


def never_begun(session: Session, made: Plan, agreed: Request, by: str) -> Document:
    """The account of a switchover that was given up while it was held: nothing had been begun."""
    now = session.clock.wall().timestamp()
    cause, why = "asked for by a person", f"given up while it was held: {by} wants that"
    stamps = Stamps(started=now, ended=now)
    return report_json(
        Report(
            "", made.kind, made.cluster, Result.UNDONE, made.old_primary, "", cause, agreed.by, 0, stamps,
            findings=(why,),
        )
    )  # fmt: skip


def refused(made: Plan) -> PlanRefused | None:
    """What stands against it, as the error that says so."""
    hint = "mend what is named first"
    return PlanRefused(f"switchover of {made.cluster} is refused", made.refusals, hint) if made.refusals else None


def former(app: App, cluster: str) -> str:
    """Who was the primary before the last switchover that was done; FailoverdError where there was none."""
    for one in app.operations(cluster):
        if word(one, "kind") == Kind.SWITCHOVER and word(one, "outcome") == "done":
            return word(one, "old_primary")
    raise FailoverdError(f"{cluster} has seen no switchover", "", "name the new primary with --to")
