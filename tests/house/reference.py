"""The pages made from the code: `python -m tests.house.reference` writes them, a test compares."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from failoverd.cli.main import main
from failoverd.config.drills import Week, Zone
from failoverd.config.explain import shown
from failoverd.config.kinds import (
    Choice,
    Duration,
    Folder,
    Kind,
    Limits,
    LocalFile,
    Outside,
    Patience,
    Query,
    SecretAt,
    Switch,
    Text,
    Whole,
    spell,
)
from failoverd.config.schema import INHERITED
from failoverd.drill import page
from tests.house.keys import Key, Part, walked

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SAMPLE = DOCS / "samples/drill-report.json"
CONFIGURATION = """\
# Every key of the configuration

For whoever writes failoverd.yml. Made from the schema (`make pages`); a test keeps it so. `*` stands for a name that
you choose, `[]` for each item of a list. The sections mysql, replication, ssh and agent may stand again under a cluster
or a server: what stands there wins. Unknown keys, keys given twice and wrong values are errors, all told at once with
file and line: `failoverd config check`. What is in effect, and where it comes from: `failoverd config explain`.
"""
COMMANDS = """\
# Every command

For whoever works with failoverd by hand or by script. Made from the commands themselves (`make pages`); a test keeps it
so. With `--json` a command prints exactly one document to standard output at its end; progress goes to standard error.
Exit codes: 0 done, healthy; 1 a finding, a refusal, or failed with the cluster in a known state; 2 usage or
configuration, nothing touched; 3 undone, everything is as before; 4 needs a person.
"""


def configuration() -> str:
    """The page of the configuration."""
    lines, all_of_it = [CONFIGURATION], [found for found in walked() if not repeated(found.path)]
    for part in all_of_it:
        if not isinstance(part, Part):
            continue
        about = " ".join((part.shape.__doc__ or "").split())
        lines += [f"## `{part.path}`\n", f"{about}{' May be left out.' if part.optional else ''}\n"]
        mine = [k for k in all_of_it if isinstance(k, Key) and k.path.rpartition(".")[0] == part.path]
        rows = [row(f"`{key.path}`", key.about, takes(key), default(key)) for key in mine]
        lines += [*heads("key", "what", "value", "default"), *rows, ""] if rows else []
    return "\n".join(lines)


def repeated(path: str) -> bool:
    """Whether this key or section is shown at the top already."""
    words = path.split(".")
    return words[0] == "clusters" and any(word in INHERITED for word in words[2:])


def takes(key: Key) -> str:
    """What may stand at a key."""
    said = of_kind(key.kind)
    nothing = " or null" if getattr(key.kind, "null", False) else ""
    return f"a list, each {said}{nothing}" if key.listed else f"{said}{nothing}"


def of_kind(kind: Kind) -> str:
    """What a kind accepts, in words."""
    match kind:
        case Duration():
            return f"a time from {spell(kind.least)} to {spell(kind.most)}{', whole seconds' if kind.whole else ''}"
        case Whole():
            return f"{kind.least} to {kind.most}{f' or `{kind.word}`' if kind.word else ''}"
        case Choice():
            return " \\| ".join(f"`{word}`" for word in kind.words)
        case Text():
            return kind.says
        case LocalFile():
            return "a file that only its owner may read" if kind.private else "a file"
        case _:
            return OTHERS[type(kind).__name__]


OTHERS = {
    Folder.__name__: "a folder",
    Limits.__name__: "status variables with limits, as `Threads_running=80,Threads_connected=500`",
    "Network": "an address, or a network like 10.0.0.0/24",
    Patience.__name__: "`wait`, `abort` or `kill-after` with a time",
    Query.__name__: "one SELECT that only reads",
    SecretAt.__name__: "a file that only its owner may read, `${env:NAME}` or `${credential:NAME}`",
    Switch.__name__: "true or false",
    Week.__name__: "days and times, as `Sun 02:00-04:00`, `Mon-Fri 22:00-02:00` or `daily 03:00-04:00`",
    Zone.__name__: "a time zone of the machine's list, as `Europe/Berlin`",
    "HookFolder": "a folder, or null",
}


def default(key: Key) -> str:
    """What holds where a key is left out."""
    if key.path == "manager.name":
        return "this host's name"
    if key.field.default is not dataclasses.MISSING:
        return f"`{shown(key.field.default)}`" if key.field.default != "" else "nothing"
    if isinstance(key.kind, Outside) and key.kind.default:
        return f"`{key.kind.default}`"
    return "must be given"


def commands() -> str:
    """The page of the commands."""
    return "\n".join([COMMANDS, *described(main, "failoverd")]) + "\n"


def described(command: click.Command, path: str) -> Iterator[str]:
    """One command with its options, and those below it."""
    context = click.Context(command, info_name=path)
    below = getattr(command, "commands", {})
    yield f"\n## {path}\n"
    yield f"`{' '.join([path, *command.collect_usage_pieces(context)])}`\n"
    yield " ".join((command.help or "").split())
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        yield "\n" + "\n".join(heads("option", "what"))
        yield "\n".join(row(f"`{spelled(option)}`", option.help or "") for option in options)
    if command.epilog and not below:
        examples = [line.strip() for line in command.epilog.splitlines() if line.strip().startswith("failoverd")]
        yield "\n" + "\n".join(f"    {line}" for line in examples)
    for name in sorted(below):
        yield from described(below[name], f"{path} {name}")


def spelled(option: click.Option) -> str:
    """An option as it is written, with what it takes."""
    names = ", ".join(option.opts + option.secondary_opts)
    if option.is_flag:
        return names
    return f"{names} {option.make_metavar(click.Context(click.Command('any')))}"


def heads(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*names), "|" + "---|" * len(names)]


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def sample() -> str:
    """The page of the drill whose document lies beside it; `python -m tests.house.reference REPORT` takes another."""
    return page.html(json.loads(_SAMPLE.read_text(encoding="utf-8")))


def take(report: Path) -> None:
    """Keep that report.json as the sample, with no folder of this machine in it."""
    text = report.read_text(encoding="utf-8").replace(f"{DOCS.parent}/", "")
    _SAMPLE.write_text(text, encoding="utf-8")


PAGES = {
    "reference-configuration.md": configuration,
    "reference-commands.md": commands,
    "samples/drill-report.html": sample,
}


def write(pages: Iterable[str] = tuple(PAGES)) -> None:
    """Bring the pages up to date."""
    for name in pages:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")


if __name__ == "__main__":
    for given in sys.argv[1:]:
        take(Path(given))
    write()
