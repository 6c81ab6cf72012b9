"""`failoverd pause` and `failoverd resume`: no act by itself meanwhile; the manager still watches and says what it
would do.
"""

from __future__ import annotations

import click

from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import (
    Session,
    dry_run_option,
    examples,
    json_option,
    noted_reason_option,
    person,
    read_seconds,
    reason_option,
    yes_option,
)
from failoverd.model.documents import Document, part, word, words
from failoverd.model.errors import ConfigError
from failoverd.model.history import Pause


@click.command(
    epilog=examples("pause shop --reason 'moving racks' --for 2h", "pause shop --server db3 --reason 'new disk' --yes")
)
@click.argument("cluster", shell_complete=clusters)
@click.option(
    "--server",
    default="",
    metavar="SERVER",
    shell_complete=servers,
    help="Only this server: it is neither promoted nor attached.",
)
@click.option("--for", "lasting", callback=read_seconds, metavar="TIME", help="It ends by itself after this.")
@reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def pause(session: Session, /, cluster: str, server: str, lasting: float | None, **said: object) -> None:
    """Keep the managers from acting by themselves.

    They go on watching, and `status` shows what they would do. What a person asks for is still done. An operation that
    is going on is brought to its end.
    """
    reason = str(said["reason"]).strip()
    named(session, cluster, server)
    if not reason:
        raise ConfigError("a pause needs a reason", f"pause {cluster}", "--reason 'what is being worked on'")
    by = person(reason)
    until = None if lasting is None else session.clock.wall().timestamp() + lasting
    if not said["dry_run"]:
        session.agree(f"Pause {place(cluster, server)}?", bool(said["yes"]))
    wish = Pause(f"{by.user}@{by.host}", reason, until, server)
    answer(session, session.app().pause(cluster, wish, bool(said["dry_run"])), bool(said["dry_run"]))


@click.command(epilog=examples("resume shop --yes --reason 'racks are moved'", "resume shop --server db3"))
@click.argument("cluster", shell_complete=clusters)
@click.option("--server", default="", metavar="SERVER", shell_complete=servers, help="End the pause of this server.")
@noted_reason_option
@yes_option
@dry_run_option
@json_option
@click.pass_obj
def resume(session: Session, /, cluster: str, server: str, reason: str, yes: bool, dry_run: bool) -> None:
    """End a pause: from now on the managers act by themselves again, at once where there is a reason.

    Servers that were paused one by one stay so.
    """
    named(session, cluster, server)
    if not dry_run:
        session.agree(f"Let the managers act on {place(cluster, server)} again?", yes)
    told = session.app().unpause(cluster, server, dry_run)
    if not dry_run:
        session.note(f"ended the pause of {place(cluster, server)}", reason)
    answer(session, told, dry_run)


def named(session: Session, cluster: str, server: str) -> None:
    """ConfigError where the configuration knows no such cluster or server."""
    session.config.cluster(cluster)
    if server:
        session.config.server(cluster, server)


def place(cluster: str, server: str) -> str:
    """What a pause is about, in words."""
    return f"{server} of {cluster}" if server else cluster


def answer(session: Session, told: Document, dry_run: bool) -> None:
    """What is in force now, or would be."""
    if session.as_json:
        session.document(told)
        return
    where, now, before = place(word(told, "cluster"), word(told, "server")), part(told, "paused"), part(told, "before")
    is_, was = ("would be", "is") if dry_run else ("is", "was")
    if now:
        click.echo(f"{where} {is_} paused {end_of(now)}, by {word(now, 'by')}: {word(now, 'reason')}")
    else:
        click.echo(f"{where} {is_} not paused")
    if before:
        click.echo(f"  it {was} paused {end_of(before)}, by {word(before, 'by')}: {word(before, 'reason')}")
    for server in words(told, "still_paused"):
        click.echo(f"  {server} stays paused: failoverd resume {word(told, 'cluster')} --server {server}")


def end_of(pause: Document) -> str:
    """How long a pause lasts, in words."""
    return f"until {word(pause, 'until')}" if word(pause, "until") else "until somebody resumes it"
