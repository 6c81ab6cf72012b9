"""`failoverd errant`: what servers have made for themselves."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from failoverd.cli.completing import clusters, servers
from failoverd.cli.session import DONE, FINDING, Session, examples, json_option
from failoverd.model.counted import counted
from failoverd.service.errant import Wanted


@click.command(
    epilog=examples("errant shop", "errant shop db3 --show 20", "errant shop db1 --export", "errant shop --json")
)
@click.argument("cluster", shell_complete=clusters)
@click.argument("server", required=False, shell_complete=servers)
@click.option(
    "--show", default=5, show_default=True, metavar="N", type=click.IntRange(0, 1000), help="How many of each."
)
@click.option("--export", is_flag=True, help="Keep them below state_dir/divergence: raw log, SQL and JSON.")
@json_option
@click.pass_obj
def errant(session: Session, /, cluster: str, server: str | None, show: int, export: bool) -> None:
    """List the transactions that only one server has, with what made them.

    They are read from that server's own log, also where its mysqld is down. No server is changed. Exit code 1 where
    there are any, or where a server could not be judged.
    """
    if server is not None:
        session.config.server(cluster, server)
    session.config.cluster(cluster)
    told = session.app().errant(cluster, Wanted(server or "", show, export))
    servers: Any = told["servers"]
    if session.as_json:
        session.document(told)
    else:
        for one in servers:
            click.echo("\n".join(lines_of(one)))
    sys.exit(FINDING if any(one["transactions"] or one["problem"] for one in servers) else DONE)


def lines_of(one: Mapping[str, Any]) -> list[str]:
    """One server for people."""
    count = one["transactions"]
    lines = [
        f"{one['name']}: {counted(count, 'errant transaction')}  {one['gtids']}" if count else f"{one['name']}: nothing"
    ]
    for shown in one["shown"]:
        lines += lines_of_one(shown)
    if count > len(one["shown"]):
        lines.append(f"  and {count - len(one['shown'])} more; --show N, --export")
    lines += [f"  kept in {one['export']}"] if one["export"] else []
    lines += [f"  not known: {one['problem']}"] if one["problem"] else []
    return lines


def lines_of_one(shown: Mapping[str, Any]) -> list[str]:
    """One transaction for people."""
    lines = [f"  {shown['gtid']}  {shown['time']}  {shown['acknowledged']}: {shown['evidence']}"]
    lines += [f"    {statement}" for statement in shown["statements"]]
    lines += [f"    {row_line(row)}" for row in shown["rows"]]
    return lines + ([f"    {shown['problem']}"] if shown["problem"] else [])


def row_line(row: Mapping[str, Any]) -> str:
    """One row in a line: what it was, what it became, and what stands against it on the primary."""
    images = [words_of(row[image]) for image in ("before", "after") if row[image]]
    return f"{row['act']} {row['table']} {' -> '.join(images)}  (conflict: {row['conflict']})"


def words_of(image: Mapping[str, Any]) -> str:
    """A row's columns."""
    return ", ".join(f"{name}={value_words(value)}" for name, value in image.items())


def value_words(value: object) -> str:
    """A value, long ones cut."""
    if isinstance(value, dict):
        return f"0x{str(value['hex'])[:64]}"
    text = "NULL" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
