"""`failoverd config`: is the configuration right, and what does it come to."""

from __future__ import annotations

import click

from failoverd.cli.render import explained_view, show
from failoverd.cli.session import Session, examples, json_option
from failoverd.config.explain import explain
from failoverd.model.counted import counted


@click.group()
def config() -> None:
    """Check and explain the configuration."""


@config.command("check", epilog=examples("config check", "-c new.yml config check --json"))
@json_option
@click.pass_obj
def check(session: Session) -> None:
    """Read the configuration strictly and tell all errors at once (exit code 2). Nothing is contacted."""
    found = session.loaded
    servers = sum(len(cluster.servers) for cluster in found.config.clusters.values())
    if session.as_json:
        session.document({"file": str(found.path), "clusters": list(found.config.clusters), "errors": []})
    else:
        click.echo(
            f"{found.path}: no errors; clusters {', '.join(found.config.clusters)}, {counted(servers, 'server')}"
        )


@config.command("explain", epilog=examples("config explain", "config explain --json"))
@json_option
@click.pass_obj
def explain_(session: Session) -> None:
    """Show every value in effect and where it comes from; secrets stay hidden.

    A cluster's and a server's mysql, replication, ssh and agent are those above it, unless they are shown.
    """
    values = explain(session.loaded)
    if session.as_json:
        rows = [{"path": v.path, "value": v.value, "from": v.origin} for v in values]
        session.document({"file": str(session.loaded.path), "values": rows})
    else:
        show(explained_view(v for v in values if not v.inherited))
