"""`failoverd web`: serve the page."""

from __future__ import annotations

import click

from failoverd.cli.session import Session, examples


@click.command(epilog=examples("web", "-c /etc/failoverd/failoverd.yml web"))
@click.pass_obj
def web(session: Session) -> None:
    """Serve the status page, in the foreground, at web.listen.

    It is a process of its own that reads what the managers publish: clusters, who follows whom, operations as they run,
    reports of drills. It looks at no server, and whatever becomes of it, the managers do not notice.
    """
    click.get_current_context().exit(session.serve_page(session.config))
