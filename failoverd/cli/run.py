"""`failoverd run`: be the manager."""

from __future__ import annotations

import click

from failoverd.cli.session import Session, examples


@click.command(epilog=examples("run", "-c /etc/failoverd/failoverd.yml run"))
@click.pass_obj
def run(session: Session) -> None:
    """Be the manager, in the foreground.

    SIGTERM releases the lock and leaves the databases alone. SIGHUP reads the configuration anew: where it is right,
    changed settings, new servers and removed ones count from the next look on; where it is wrong the old one stays.
    """
    click.get_current_context().exit(session.app().run(session.read_again))
