"""`failoverd status`: who is primary, who watches, what is wrong."""

from __future__ import annotations

import sys
from typing import Final

import click

from failoverd.cli.completing import clusters
from failoverd.cli.render import show, status_view, watch_status
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option, read_seconds
from failoverd.model.documents import Document, parts, word
from failoverd.model.errors import ConfigError

_BETWEEN_LOOKS: Final = 1.0
_BETWEEN_TRIES: Final = 0.2


@click.command(epilog=examples("status", "status shop --watch", "status shop --wait-ready 30s", "status --json"))
@click.argument("cluster", required=False, shell_complete=clusters)
@click.option("--watch", "watching", is_flag=True, help="Draw it again every second, with what changes.")
@click.option(
    "--wait-ready",
    callback=read_seconds,
    metavar="TIME",
    help="Wait until healthy and watched.",
)
@json_option
@click.pass_obj
def status(session: Session, cluster: str | None, watching: bool, wait_ready: float | None) -> None:
    """Show each cluster's verdict, primary, managers and servers.

    It answers within 5 seconds, from what the active manager publishes; where there is none, from a look of its own
    (exit code 1). Exit code 0 means that every cluster shown is healthy and watched.
    """
    session.cluster(cluster)
    if watching and session.as_json:
        raise ConfigError("--watch and --json do not go together", hint="leave one of them out")
    app = session.app()
    if watching:
        watch_status(
            lambda: app.status(cluster),
            lambda: session.clock.sleep(_BETWEEN_LOOKS),
            lambda: session.clock.wall().astimezone().strftime("%H:%M:%S"),
        )
        sys.exit(DONE)
    document = app.status(cluster)
    deadline = session.clock.now() + (wait_ready or 0.0)
    while not ready(document) and session.clock.now() < deadline:
        session.clock.sleep(_BETWEEN_TRIES)
        document = app.status(cluster)
    if session.as_json:
        session.document(document)
    else:
        show(status_view(document))
    sys.exit(DONE if ready(document) else FINDING)


def ready(document: Document) -> bool:
    """Whether every cluster is healthy and an active manager watches it."""
    clusters = parts(document, "clusters")
    return bool(clusters) and all(word(c, "verdict") == "healthy" and word(c, "active_manager") for c in clusters)
