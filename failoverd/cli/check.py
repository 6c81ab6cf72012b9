"""`failoverd check`: is everything there that a failover will need."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from failoverd.cli.render import findings_view, show
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.decide.grants import ABOUT_GRANTS, statements
from failoverd.model.finding import Finding, Severity


@click.command(epilog=examples("check", "check shop", "check shop --grants", "check --json"))
@click.argument("cluster", required=False)
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
    found = session.app().check(cluster)
    wanted = {name: statements(session.config.cluster(name).mysql.user) for name in chosen(session, cluster)}
    if grants:
        found = tuple(finding for finding in found if finding.id in ABOUT_GRANTS)
    if session.as_json:
        extra: dict[str, object] = {"grants": wanted} if grants else {}
        session.document({"findings": [finding_document(finding) for finding in found], **extra})
    else:
        for name, lines in wanted.items() if grants else ():
            click.echo("\n".join((f"-- the manager's account in cluster {name}", *lines, "")))
        tell(found, "no server could be asked" if grants else "nothing was checked")
    sys.exit(worst(found))


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
