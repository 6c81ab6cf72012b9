"""`failoverd import-mha`: MHA's configuration as ours."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click

from failoverd.cli.session import Session, examples, json_option
from failoverd.config.mha import Imported, import_mha
from failoverd.config.mha_parameters import Fate


@click.command(
    "import-mha", epilog=examples("import-mha app1.cnf > failoverd.yml", "import-mha app1.cnf common.cnf --json")
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("common", required=False, type=click.Path(path_type=Path))
@click.option("--cluster", default="", metavar="NAME", help="Name of the cluster; without it, the file's name.")
@json_option
@click.pass_obj
def import_mha_(session: Session, file: Path, common: Path | None, cluster: str) -> None:
    """Print the configuration that does what an MHA application's file asks for, and account for every parameter.

    FILE is the application's file, COMMON the one for all applications (masterha_default.cnf). The configuration goes
    to standard output, the account to standard error. Passwords are not copied. Nothing is contacted or changed.
    """
    made = import_mha(file, common, cluster)
    if session.as_json:
        session.document({"config": made.config, "parameters": account(made)})
        return
    click.echo(made.text(), nl=False)
    for fate in (Fate.MAPPED, Fate.BY_HAND, Fate.NOT_NEEDED):
        rows = [row for row in account(made) if row["fate"] == fate]
        session.say(f"{fate}: {len(rows) or 'nothing'}")
        for name, same in groupby(sorted(rows, key=lambda row: row["name"]), key=lambda row: row["name"]):
            one = next(same)
            session.say(f"  {name}{' -> ' + one['key'] if one['key'] else ''}: {one['sentence']}")


def account(made: Imported) -> list[dict[str, str]]:
    """Every parameter that stood in the files, in their order."""
    return [
        {
            "section": s.section,
            "name": s.key,
            "value": s.shown,
            "fate": str(s.parameter.fate),
            "key": s.parameter.key,
            "sentence": s.parameter.sentence,
        }
        for s in made.settings
    ]
