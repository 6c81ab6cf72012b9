"""`failoverd ops`: what was done, from the journal."""

from __future__ import annotations

import click

from failoverd.cli.documents import word
from failoverd.cli.render import operation_view, operations_view, show
from failoverd.cli.session import Session, examples, json_option
from failoverd.model.errors import FailoverdError


@click.group()
def ops() -> None:
    """Look at operations and their steps."""


@ops.command("list", epilog=examples("ops list", "ops list shop --json"))
@click.argument("cluster", required=False)
@json_option
@click.pass_obj
def list_(session: Session, cluster: str | None) -> None:
    """List operations, newest first."""
    found = session.app().operations(session.cluster(cluster))
    if session.as_json:
        session.document({"operations": list(found)})
    elif found:
        show(operations_view(found))
    else:
        click.echo("no operation was ever begun")


@ops.command("show", epilog=examples("ops show", "ops show 20260314-093012-7f3a --json"))
@click.argument("operation", required=False)
@json_option
@click.pass_obj
def show_(session: Session, operation: str | None) -> None:
    """Show an operation with its steps; without an ID, the newest one."""
    app = session.app()
    if operation is None:
        newest = app.operations(None)
        if not newest:
            raise FailoverdError("there is no operation to show", "none was ever begun")
        operation = word(newest[0], "operation")
    found = app.operation(operation)
    if found is None:
        raise FailoverdError(f"there is no operation '{operation}'", hint="failoverd ops list names them")
    if session.as_json:
        session.document(found)
    else:
        show(operation_view(found))
