"""`failoverd check`: is everything there that a failover will need."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

import click

from failoverd import __version__
from failoverd.cli.completing import clusters
from failoverd.cli.render import findings_view, show
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.config.schema import ClusterConfig
from failoverd.decide.grants import ABOUT_GRANTS, rows_for, statements
from failoverd.decide.uncovered import uncovered
from failoverd.model.counted import counted
from failoverd.model.finding import Finding, Severity
from failoverd.model.published import time_text


@click.command(epilog=examples("check", "check shop", "check shop --grants", "check --json"))
@click.argument("cluster", required=False, shell_complete=clusters)
@click.option(
    "--grants", is_flag=True, help="Print the statements that grant what failoverd needs, and who lacks what."
)
@json_option
@click.pass_obj
def check(session: Session, cluster: str | None, grants: bool) -> None:
    """Try everything that a failover will need, without changing anything.

    Exit code 1 means that there is a finding; each says what to do about it.
    """
    session.cluster(cluster)
    began = session.clock.wall()
    found = session.app().check(cluster)
    wanted = {name: statements_for(session.config.cluster(name)) for name in chosen(session, cluster)}
    if grants:
        found = tuple(finding for finding in found if finding.id in ABOUT_GRANTS)
    if session.as_json:
        extra = {"grants": wanted} if grants else {"report": report(session, cluster, began)}
        session.document({"findings": [finding_document(finding) for finding in found], **extra})
    else:
        for name, lines in wanted.items() if grants else ():
            click.echo("\n".join((f"-- the manager's account in cluster {name}", *lines, "")))
        if not grants:
            click.echo("\n".join((*head(session, cluster, began), "")))
        tell(found, "no server could be asked" if grants else "nothing was checked")
        if not grants:
            click.echo("\n".join(("", numbers_of(found), *foot(session, cluster))))
    sys.exit(worst(found))


def report(session: Session, cluster: str | None, began: datetime) -> dict[str, object]:
    """Who looked, when, by which program and settings, and what was not looked at: findings alone are no evidence."""
    policies = [session.config.policy(name) for name in chosen(session, cluster)]
    return {
        "version": __version__,
        "host": socket.gethostname(),
        "began": time_text(began.timestamp()),
        "ended": time_text(session.clock.wall().timestamp()),
        "configuration": str(session.loaded.path),
        "clusters": [
            {
                "name": policy.name,
                "settings": policy.digest,
                "not_covered": [{"id": row.id, "sentence": row.sentence} for row in uncovered(policy)],
            }
            for policy in policies
        ],
    }


def head(session: Session, cluster: str | None, began: datetime) -> Iterator[str]:
    """The same at the top of what people read."""
    until = session.clock.wall().timestamp()
    yield f"failoverd {__version__} on {socket.gethostname()}, {time_text(began.timestamp())} to {time_text(until)}"
    for name in chosen(session, cluster):
        yield f"cluster {name} by {session.loaded.path}, settings {session.config.policy(name).digest[:16]}"


def foot(session: Session, cluster: str | None) -> Iterator[str]:
    """What no finding speaks of."""
    for name in chosen(session, cluster):
        yield f"not covered by this check of {name}:"
        yield from (f"  {row.id}: {row.sentence}" for row in uncovered(session.config.policy(name)))


def numbers_of(findings: tuple[Finding, ...]) -> str:
    """How many findings of each kind, in a line."""
    numbers = Counter(finding.severity for finding in findings)
    return ", ".join(counted(numbers[one], one, "ok" if one is Severity.OK else "") for one in Severity)


def statements_for(cluster: ClusterConfig) -> tuple[str, ...]:
    """The statements for one cluster; cloning needs more rights, and is asked for by configuration."""
    return statements(cluster.mysql.user, rows_for(cluster.rejoin == "clone"))


def chosen(session: Session, cluster: str | None) -> tuple[str, ...]:
    """The cluster, or all of them."""
    return (cluster,) if cluster else tuple(session.config.clusters)


def tell(findings: tuple[Finding, ...], nothing: str) -> None:
    """The findings for people, or the sentence that there are none."""
    if findings:
        show(findings_view(findings))
    else:
        click.echo(nothing)


def worst(findings: Iterable[Finding]) -> int:
    """The exit code that findings lead to."""
    return DONE if all(finding.severity is Severity.OK for finding in findings) else FINDING


def finding_document(finding: Finding) -> dict[str, object]:
    """A finding as published."""
    return {
        "id": finding.id,
        "cluster": finding.cluster,
        "server": finding.server or None,
        "severity": str(finding.severity),
        "sentence": finding.sentence,
        "hint": finding.hint,
    }
