"""`failoverd ops`: what was done, from the journal, and what becomes of an operation that has no end."""

from __future__ import annotations

from collections.abc import Sequence

import click

from failoverd.cli.app import App
from failoverd.cli.attach import attach
from failoverd.cli.carrying import end_with
from failoverd.cli.completing import clusters
from failoverd.cli.render import operations_view, show
from failoverd.cli.session import Session, examples, json_option, person, reason_option, yes_option
from failoverd.model.documents import Document, word
from failoverd.model.errors import FailoverdError
from failoverd.model.plans import Kind, Request, Verb
from failoverd.verify.telling import operation_lines, timeline


@click.group()
def ops() -> None:
    """Look at operations and their steps; go on with one that has no end, take it back, or end it."""


ops.add_command(attach)


@ops.command("list", epilog=examples("ops list", "ops list shop --json"))
@click.argument("cluster", required=False, shell_complete=clusters)
@json_option
@click.pass_obj
def list_(session: Session, cluster: str | None) -> None:
    """List operations, newest first."""
    found = session.app().operations(session.cluster(cluster))
    say_copied(session, found)
    if session.as_json:
        session.document({"operations": list(found)})
    elif found:
        show(operations_view(found))
    else:
        click.echo("no operation was ever begun")


@ops.command("show", epilog=examples("ops show", "ops show shop-20260314T093012.123Z-7 --json"))
@click.argument("operation", required=False)
@json_option
@click.pass_obj
def show_(session: Session, operation: str | None) -> None:
    """Tell an operation from its beginning, line by line; without an ID, the newest one."""
    app = session.app()
    if operation is None:
        newest = app.operations(None)
        if not newest:
            raise FailoverdError("there is no operation to show", "none was ever begun", "failoverd status")
        operation = word(newest[0], "operation")
    found = app.operation(operation)
    if found is None:
        raise FailoverdError(f"there is no operation '{operation}'", hint="failoverd ops list names them")
    say_copied(session, (found,))
    if session.as_json:
        session.document(found)
    else:
        for line in (*operation_lines(found), *timeline(found)):
            click.echo(line)


@ops.command(epilog=examples("ops resume", "ops resume shop-20260314T093012.123Z-7 --yes"))
@click.argument("operation", required=False)
@reason_option
@yes_option
@json_option
@click.pass_obj
def resume(session: Session, operation: str | None, reason: str, yes: bool) -> None:
    """Go on now with the operation that has no end, as the manager would by itself.

    Before its point of no return it is planned anew or taken back; after it there is only forward.
    """
    about_open(session, Verb.RESUME, operation, reason, yes)


@ops.command(epilog=examples("ops undo", "ops undo shop-20260314T093012.123Z-7 --yes"))
@click.argument("operation", required=False)
@reason_option
@yes_option
@json_option
@click.pass_obj
def undo(session: Session, operation: str | None, reason: str, yes: bool) -> None:
    """Take back what the operation without an end has changed.

    Refused where a new primary may have taken writes.
    """
    about_open(session, Verb.UNDO, operation, reason, yes)


@ops.command(epilog=examples("ops abort --reason 'settled by hand'", "ops abort --yes"))
@click.argument("operation", required=False)
@reason_option
@yes_option
@json_option
@click.pass_obj
def abort(session: Session, operation: str | None, reason: str, yes: bool) -> None:
    """End the operation as it stands: no server is touched, what was changed is named.

    For when a person has settled it by hand. The manager acts by itself again afterwards.
    """
    about_open(session, Verb.ABORT, operation, reason, yes)


def say_copied(session: Session, found: Sequence[Document]) -> None:
    """Say that this is not the journal itself, where it is not."""
    if any(one.get("copied") for one in found):
        session.say("ZooKeeper cannot be reached: this is what this host holds copies of, and may not be all")


def about_open(session: Session, verb: Verb, operation: str | None, reason: str, yes: bool) -> None:
    """Show the open operation, ask, and have it done here or by the active manager."""
    app = session.app()
    found = open_one(app, operation)
    for line in (*operation_lines(found), *timeline(found)):
        session.say(line)
    name, cluster = word(found, "operation"), word(found, "cluster")
    session.agree(f"{verb.capitalize()} operation {name}?", yes)
    request = Request(cluster, Kind(word(found, "kind")), person(reason), verb=verb, operation=name)
    end_with(session, app.failover(request, session.say))


def open_one(app: App, operation: str | None) -> Document:
    """The operation of that id, or the only one without an end; FailoverdError where it has ended."""
    if operation is None:
        unended = [one for one in app.operations(None) if word(one, "outcome") in {"", "needs-person"}]
        if not unended:
            raise FailoverdError("every operation has ended", "there is nothing to deal with", "failoverd ops list")
        if len(unended) > 1:
            names = ", ".join(word(one, "operation") for one in unended)
            raise FailoverdError(f"{len(unended)} operations have no end", names, "name one of them after the command")
        operation = word(unended[0], "operation")
    found = app.operation(operation)
    if found is None:
        raise FailoverdError(f"there is no operation '{operation}'", hint="failoverd ops list names them")
    if found.get("copied"):
        hint = "failoverd status says when it is back; until then nobody acts"
        raise FailoverdError(f"operation {operation} cannot be dealt with now", "ZooKeeper cannot be reached", hint)
    if word(found, "ended"):
        raise FailoverdError(f"operation {operation} has ended", word(found, "outcome"), "failoverd ops show")
    return found
