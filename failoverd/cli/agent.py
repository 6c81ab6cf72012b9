"""`failoverd agent`: put the agent on the database hosts, and see whether it may do what it must."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from failoverd.cli.check import finding_document, tell, worst
from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option, noted_reason_option, yes_option
from failoverd.config.install import Install
from failoverd.model.documents import Document, word


@click.group()
def agent() -> None:
    """Install and check the agents on the database hosts."""


@agent.command("install", epilog=examples("agent install shop", "agent install shop db3 --user root --write-key --yes"))
@click.argument("cluster", shell_complete=clusters)
@click.argument("servers", nargs=-1, shell_complete=servers)
@click.option("--user", metavar="LOGIN", help="Log in as this user, who is root or may use sudo.")
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Private key of that user.")
@click.option("--write-key", is_flag=True, help="Also add the forced-command line to the agent user's keys.")
@click.option("--upgrade", is_flag=True, help="Replace an agent of another version; never during an operation.")
@noted_reason_option
@yes_option
@json_option
@click.pass_obj
def install(
    session: Session, /, cluster: str, servers: tuple[str, ...], reason: str, yes: bool, **wish: object
) -> None:
    """Put the agent on the hosts of a cluster and print the key line it needs; safe to repeat."""
    for server in servers:
        session.config.server(cluster, server)
    wanted = Install(cluster, servers, **wish)  # type: ignore[arg-type] # click has made the types that the options say
    names = servers or tuple(server.name for server in session.config.cluster(cluster).servers)
    session.say("\n".join(install_lines(session, cluster, names, wanted)))
    session.agree("Install?", yes)
    found = session.app().agents_install(wanted, session.say)
    failed = [result for result in found if word(result, "outcome") == "failed"]
    if done := [word(result, "server") for result in found if result not in failed]:
        session.note(f"installed agents on {', '.join(done)} of {cluster}", reason)
    if session.as_json:
        session.document({"servers": list(found)})
    else:
        for result in found:
            click.echo("\n".join(result_lines(result)))
    sys.exit(FINDING if failed else DONE)


def install_lines(session: Session, cluster: str, names: tuple[str, ...], wanted: Install) -> list[str]:
    """What is about to be done, host by host."""
    lines = []
    for name in names:
        access = session.config.access(cluster, name)
        user = wanted.user or access.agent.install_user
        lines.append(f"{name}: log in as {user}@{access.endpoint.host}, put the agent into {access.agent.dir}")
        if wanted.write_key:
            lines.append(f"{name}: add the forced-command line to the keys of {access.ssh.user}")
    return lines


def result_lines(result: Document) -> list[str]:
    """What came of one host, with the lines that a person has to put in place."""
    lines = [f"{word(result, 'server')}: {word(result, 'outcome')} {word(result, 'detail')}".rstrip()]
    lines += [f"  {word(result, key)}" for key in ("key_line", "sudoers_line") if word(result, key)]
    return lines


@agent.command("check", epilog=examples("agent check shop", "agent check shop --json"))
@click.argument("cluster", shell_complete=clusters)
@json_option
@click.pass_obj
def check(session: Session, cluster: str) -> None:
    """Ask each agent to prove every right it will need.

    Also whether the unit in mysqld.service runs its mysqld, and whether replication.ca_file is on its host.
    """
    session.config.cluster(cluster)
    found = session.app().agents_check(cluster)
    if session.as_json:
        session.document({"findings": [finding_document(finding) for finding in found]})
    else:
        tell(found, "no agent answered")
    sys.exit(worst(found))
