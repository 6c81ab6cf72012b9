"""`failoverd rejoin`: attach a server that came back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from failoverd.cli.carrying import Wish, acting, carry_through, override_option, still_standing
from failoverd.cli.completing import clusters, servers
from failoverd.cli.errant import lines_of_one
from failoverd.cli.session import Session, examples, person
from failoverd.decide.refusals import remedies
from failoverd.gtid import GtidSet, GtidSyntaxError
from failoverd.model.cloning import Overwrite
from failoverd.model.comparing import MOST_TABLES, parted
from failoverd.model.counted import counted
from failoverd.model.divergence import Cure, Resolution
from failoverd.model.errors import ConfigError, PlanRefused
from failoverd.model.plans import Kind, Request
from failoverd.service.errant import Wanted

# So many transactions are looked through for those that were named.
MOST_SHOWN = 1000


def read_gtids(ctx: click.Context, option: click.Parameter, value: str | None) -> GtidSet | None:
    """An option's GTID set; None where it is not given."""
    try:
        return None if value is None else GtidSet.parse(value)
    except GtidSyntaxError as error:
        raise click.BadParameter(str(error), ctx, option) from error


def read_tables(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """An option's tables, each once, in the order in which they are said."""
    names = tuple(dict.fromkeys(name.strip() for text in value for name in text.split(",")))
    try:
        for name in names:
            parted(name)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from error
    if len(names) > MOST_TABLES:
        raise click.BadParameter(f"{len(names)} tables are too many: name up to {MOST_TABLES}", ctx, option)
    return names


@click.command(
    epilog=examples(
        "rejoin shop db1 --dry-run",
        "rejoin shop db1 --reason 'new disk' --yes",
        "rejoin shop db1 --replay 3e11fa47-71ca-11e1-9e33-c80aa9429562:7-9 --dry-run",
        "rejoin shop db1 --clone --discard-errant --reason 'its tail was replayed'",
        "rejoin shop db1 --rebuild --discard-errant --reason 'its disk was replaced'",
        "rejoin shop db1 --checksums app.orders,app.customers",
        "rejoin shop db1 --override durability-unproven --reason 'only the process died'",
    )
)
@click.argument("cluster", shell_complete=clusters)
@click.argument("server", shell_complete=servers)
@override_option(Kind.REJOIN)
@click.option("--replay", callback=read_gtids, metavar="GTIDS", help="Change these rows on the primary, too.")
@click.option("--inject-empty", callback=read_gtids, metavar="GTIDS", help="Count these as executed everywhere.")
@click.option("--clone", is_flag=True, help="Overwrite all its data with that of another server.")
@click.option("--rebuild", is_flag=True, help="The same by your own programs, in hooks_dir, at rebuild.")
@click.option(
    "--discard-errant", is_flag=True, help="With --clone or --rebuild: also what only it has, once that is kept."
)
@click.option(
    "--checksums", callback=read_tables, multiple=True, metavar="TABLES", help="At the end, compare schema.table, ... ."
)
@acting
@click.pass_obj
def rejoin(session: Session, /, cluster: str, server: str, reason: str, **said: Any) -> None:
    """Attach a server that came back, as an old primary or a replica that stands still.

    It is closed first. Where it holds nothing that the primary lacks, it follows again, its options and relay logs
    kept. A server that diverged is never attached: its transactions are named, and kept below state_dir/divergence.

    One that a fence holds is let go, if it is certain to start closed. --inject-empty gives the primary empty
    transactions of the named ones: what they did stays on that server alone. --replay makes their changes on the
    primary, all of them or none; the server is not attached by that. --clone overwrites the server, which then follows;
    so does --rebuild, by programs of your own.

    --checksums compares tables with the primary's once it has caught up. Where one differs it stays attached: exit
    code 1.
    """
    session.config.server(cluster, server)
    overwriting = overwriting_of(said.pop("clone"), said.pop("rebuild"), said.pop("discard_errant"))
    resolution = resolution_of(said.pop("replay"), said.pop("inject_empty"))
    request = Request(
        cluster=cluster,
        kind=Kind.REJOIN,
        by=person(reason),
        to=server,
        overrides=frozenset(said.pop("override")),
        resolution=resolution,
        checksums=said.pop("checksums"),
        clone=overwriting.get("clone"),
        rebuild=overwriting.get("rebuild"),
    )
    if request.checksums and resolution is not None and resolution.cure is Cure.REPLAY:
        raise ConfigError("--checksums goes with attaching it", "a replay does not attach it", "leave one of them out")
    if overwriting and resolution is not None:
        why = f"--{next(iter(overwriting))} leaves nothing to be attached with"
        raise ConfigError(why, "", "replay or inject first, then overwrite it")
    if resolution is not None:
        for line in what_it_does(session, request, resolution):
            session.say(line)
    app = session.app()
    made = app.rejoin_plan(request)
    against = still_standing(made, request)
    wish = Wish(
        plan=made,
        against=against,
        refusal=PlanRefused(f"{server} is not attached", against, remedies(against)) if against else None,
        question=question_about(request),
        act=lambda: app.failover(request, session.say),
    )
    carry_through(session, wish, **said)


def question_about(request: Request) -> str:
    """What a person agrees to, by its own name: a replay attaches nobody, an overwriting leaves nothing."""
    where, wish = f"{request.to} of {request.cluster}", request.resolution
    if wish is None:
        return f"{'Overwrite' if request.overwrites is not None else 'Attach'} {where}?"
    count = counted(len(wish.gtids), "transaction")
    if wish.cure is Cure.REPLAY:
        return f"Replay {count} of {where} on the primary?"
    return f"Count {count} of {where} as executed everywhere, and attach it?"


def resolution_of(replay: GtidSet | None, inject: GtidSet | None) -> Resolution | None:
    """What is wanted about a diverged tail; ConfigError for both at once."""
    if replay and inject:
        raise ConfigError("--replay and --inject-empty are two ways", "", "name one of them")
    if replay:
        return Resolution(Cure.REPLAY, replay)
    return Resolution(Cure.INJECT, inject) if inject else None


def overwriting_of(clone: bool, rebuild: bool, discard: bool) -> dict[str, Overwrite]:
    """Whether the server's data is to be overwritten, by its way; ConfigError for two ways, or a word that stands
    alone.
    """
    if clone and rebuild:
        raise ConfigError("--clone and --rebuild are two ways", "", "name one of them")
    if discard and not (clone or rebuild):
        raise ConfigError("--discard-errant goes with --clone or --rebuild", "", "say both: the server is overwritten")
    return {way: Overwrite(discard) for way, wanted in (("clone", clone), ("rebuild", rebuild)) if wanted}


def what_it_does(session: Session, request: Request, resolution: Resolution) -> Iterator[str]:
    """Each transaction with its statements or rows, and what stands against it on the primary."""
    told = session.app().errant(request.cluster, Wanted(request.to, MOST_SHOWN))
    servers: Any = told["servers"]
    for one in servers:
        for shown in one["shown"]:
            if GtidSet.parse(shown["gtid"]) <= resolution.gtids:
                yield from lines_of_one(shown)
