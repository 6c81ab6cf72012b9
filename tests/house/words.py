"""Words with one meaning each, and the ones that may not appear; traces of this machine and of its registries."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.house.tree import Finding, python_files, relative, text_files

BANNED = ("master", "slave", "node", "helper", "utils", "misc")

# Where a banned word may stand, and why.
ALLOWED_PATHS = {
    "CONTRIBUTING.md": "names the words in order to ban them",
    "tests/house/words.py": "names the words in order to ban them",
    "failoverd/drivers/mysql/dialects.py": "MySQL's own old statements and columns",
    "failoverd/drivers/mysql/rows.py": "MySQL's own old statements and columns",
    "failoverd/config/mha.py": "MHA's own names of its parameters",
    "failoverd/config/mha_parameters.py": "MHA's own names of its parameters",
    "failoverd/cli/import_mha.py": "the name of MHA's common file",
    "tests/unit/config/test_mha.py": "MHA's own names of its parameters",
    "docs/from-mha.md": "MHA's own names of its parameters and programs",
    "failoverd/web/static/page.js": "the browser's own names of the parts of a page",
    "tests/ui/browser.py": "the browser's own names of the parts of a page",
    "docs/from-orchestrator.md": "orchestrator's own names of its commands and settings",
    "failoverd/agent/": "log files and accounts in MySQL's own old words",
}
ALLOWED_PHRASES = (
    "REPLICATION SLAVE",  # MySQL's name of a privilege
    "REPLICATION_SLAVE_ADMIN",  # MySQL's name of a privilege
    "request.node",  # pytest's name of the running test
    "apt-helper",  # the name of apt's own downloader
    "ast.iter_child_nodes",  # Python's name of a function
    "type: ignore[misc]",  # mypy's name of an error
    "link set {host.link} master",  # iproute2's keyword for the bridge that a link joins
    '"show", "master"',  # iproute2's keyword for the bridge that a link joins
)

# Three spellings: alone or in snake_case, inside CamelCase, and in CAPITALS (where NODELAY is another word).
_PATTERN = re.compile(
    "|".join(
        rf"(?<![A-Za-z])(?:{word}|{word.capitalize()})s?(?![a-z])"
        rf"|(?<=[a-z]){word.capitalize()}s?(?![a-z])"
        rf"|(?<![A-Za-z]){word.upper()}S?(?![A-Za-z])"
        for word in BANNED
    )
)

_TICKETS = re.compile(
    r"(?<![\w&])#\d{1,6}\b|\bissues?\s+#?\d+\b|\b(?!SHA|UTF|ISO|CVE|RFC|AES|TLS|SP|CRC)[A-Z]{2,10}-\d{2,}\b"
)
_OPEN_ENDS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HACK)\b")


def banned_words(root: Path) -> Iterator[Finding]:
    """Banned words in names, comments, texts and file names."""
    for path in text_files(root):
        place = relative(root, path)
        if any(place == allowed or (allowed.endswith("/") and place.startswith(allowed)) for allowed in ALLOWED_PATHS):
            continue
        for number, line in enumerate([place, *path.read_text(encoding="utf-8").splitlines()]):
            for phrase in ALLOWED_PHRASES:
                line = line.replace(phrase, "")  # noqa: PLW2901 - what is allowed is taken away before looking
            for match in _PATTERN.finditer(line):
                yield Finding(place, number, f"the word '{match.group()}' is banned")


_PLURALS = re.compile(
    r" (?:[a-zA-Z]+ )?(?:transactions|servers|rows|replicas|sessions|clusters|managers|files|looks|times)\b"
)


def plurals_by_hand(root: Path) -> Iterator[Finding]:
    """A number before a plural in a text that is put together: `1 transactions` is what people would read."""
    for path in python_files(root, "failoverd"):
        if relative(root, path) == "failoverd/gtid/text.py":  # a set that is cut has many
            continue
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(text, ast.JoinedStr):
                for before, after in pairwise(text.values):
                    told = isinstance(after, ast.Constant) and _PLURALS.match(str(after.value))
                    if told and isinstance(before, ast.FormattedValue) and before.format_spec is None:
                        yield Finding(relative(root, path), after.lineno, f"'{told[0].strip()}' may be one: counted()")


def ticket_numbers(root: Path) -> Iterator[Finding]:
    """Ticket numbers and open ends in comments and docstrings: a comment says why, open ends stand elsewhere."""
    for path in python_files(root, "failoverd", "tests", "packaging"):
        if relative(root, path) == "tests/house/words.py":
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            docstring = token.type == tokenize.STRING and token.string.lstrip("rR").startswith('"""')
            if token.type == tokenize.COMMENT or docstring:
                for match in (*_TICKETS.finditer(token.string), *_OPEN_ENDS.finditer(token.string)):
                    yield Finding(
                        relative(root, path), token.start[0], f"'{match.group()}' does not belong into a comment"
                    )


# Written in halves, so that this file itself is clean.
_HOSTS = (
    "debian" + ".org",
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "golang" + ".org",
    "crates" + ".io",
)
_PATHS = (r"(?<![\w.])/wor" + r"k/", "/tmp/bri" + "ef", r"/opt/whe" + "els", r"/opt/py" + "pi")
_TRACES = re.compile("|".join([*(re.escape(host) for host in _HOSTS), *_PATHS]))


def traces_of_this_machine(root: Path) -> Iterator[Finding]:
    """Hosts of package registries and paths of the machine somebody built on."""
    for path in text_files(root):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for match in _TRACES.finditer(line):
                yield Finding(relative(root, path), number, f"'{match.group()}' names a machine or a registry")
