"""`failoverd web`: serve the page, or make a line for its list of people."""

from __future__ import annotations

import sys

import click

from failoverd.cli.session import Session, examples, on_terminal


@click.command(epilog=examples("web", "web --password anna >>/etc/failoverd/web.passwords"))
@click.option(
    "--password", "user", metavar="USER", help="Print a line for web.password_file instead; the password is asked for."
)
@click.pass_obj
def web(session: Session, user: str | None) -> None:
    """Serve the status page, in the foreground, at web.listen.

    It is a process of its own that reads what the managers publish: clusters, who follows whom, operations as they run,
    reports of drills. It looks at no server, and whatever becomes of it, the managers do not notice. SIGHUP reads the
    configuration anew: where it is wrong the old one stays.
    """
    if user is not None:
        click.echo(session.page.line_of(user, asked()))
        return
    click.get_current_context().exit(session.page.serve(session.config, session.read_again))


def asked() -> str:
    """A new password: typed twice on a terminal, else the first line of standard input."""
    if on_terminal():
        said: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return said
    return sys.stdin.readline().rstrip("\n")
