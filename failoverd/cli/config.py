"""`failoverd config`: is the configuration right, what does it come to, and do the managers run with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from failoverd.cli.render import explained_view, show
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.config.difference import Compared, compared
from failoverd.config.explain import explain
from failoverd.model.counted import counted


@click.group()
def config() -> None:
    """Check and explain the configuration."""


@config.command(
    "check",
    epilog=examples("config check", "-c new.yml config check --json", "config check --against-active"),
)
@click.option("--against-active", is_flag=True, help="Also what differs from the settings of the active managers.")
@json_option
@click.pass_obj
def check(session: Session, against_active: bool) -> None:
    """Read the configuration strictly and tell all errors at once (exit code 2). Nothing is contacted.

    With --against-active ZooKeeper is asked what the active managers run with: each key that differs is shown as the
    managers have it and as the file has it, and whether a reload (SIGHUP) is enough. Secrets and paths of this machine
    are never compared. Exit code 1 where anything differs or a cluster has no active manager.
    """
    found = session.loaded
    config = found.config
    servers = sum(len(cluster.servers) for cluster in config.clusters.values())
    document: dict[str, object] = {"file": str(found.path), "clusters": list(config.clusters), "errors": []}
    lines = [f"{found.path}: no errors; clusters {', '.join(config.clusters)}, {counted(servers, 'server')}"]
    code = DONE
    if against_active:
        told = compared({name: config.settings(name) for name in config.clusters}, session.app().in_force())
        document["against_active"] = [as_document(one) for one in told]
        lines += [line for one in told for line in lines_of(one)]
        code = DONE if all(one.same for one in told) else FINDING
    if session.as_json:
        session.document(document)
    else:
        click.echo("\n".join(lines))
    sys.exit(code)


def lines_of(one: Compared) -> Iterator[str]:
    """One cluster for people."""
    if one.active is None:
        yield f"{one.cluster}: no manager is active for it; managers that run already watch it after a restart"
        return
    if not one.listed:
        yield f"{one.cluster}: {one.active.manager} watches it, and the file does not have it: gone after a restart"
        return
    if one.same:
        yield f"{one.cluster}: {one.active.manager} runs with these settings"
        return
    yield f"{one.cluster}: {one.active.manager} runs with other settings"
    if not one.told:
        yield f"  it does not tell which: failoverd {one.active.version or 'of an earlier version'} runs there"
    width = max((len(difference.key) for difference in one.differences), default=0)
    for difference in one.differences:
        change = f"{word_of(difference.active)} -> {word_of(difference.file)}"
        yield f"  {difference.key:{width}}  {change}  (by {difference.needs})"
    if not one.same_digest:
        yield "  refused by config-differs: whoever takes over with these settings waits 60 s before it acts;"
        yield "  give all managers the same file, then reload each: systemctl reload failoverd"


def word_of(value: str | None) -> str:
    """A value for people; nothing where there is no such key."""
    return "(nothing)" if value is None else value or '""'


def as_document(one: Compared) -> dict[str, object]:
    """One cluster as JSON data; `active` and `file` of a difference are null where there is no such key."""
    return {
        "cluster": one.cluster,
        "manager": one.active.manager if one.active else None,
        "version": one.active.version if one.active else None,
        "listed": one.listed,
        "same": one.same,
        "refused": [] if one.same_digest else ["config-differs"],
        "differences": [
            {"key": found.key, "active": found.active, "file": found.file, "needs": str(found.needs)}
            for found in one.differences
        ],
    }


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
