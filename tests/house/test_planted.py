"""Every rule must be able to fail: a copy of the tree, one planted violation, and the checker that has to name it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.rules import RULES
from tests.house.tree import ROOT

BIN = Path(sys.executable).parent
COPIED = ("failoverd", "tests/house", "docs", "pyproject.toml", "CONTRIBUTING.md", "README.md")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the checkers read, made once; each test copies it again (with hard links, which is instant)."""
    target = tmp_path_factory.mktemp("pristine")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy2(source, target / name)
    return target


@pytest.fixture
def tree(pristine: Path, tmp_path: Path) -> Path:
    """A tree of one's own to damage; planting replaces files, so the linked original stays as it is."""
    shutil.copytree(pristine, tmp_path / "tree", copy_function=lambda source, target: Path(target).hardlink_to(source))
    return tmp_path / "tree"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A tree of hardly anything, for rules that look at each file alone: quick to read through again and again."""
    shutil.copytree(ROOT / "docs", tmp_path / "bare/docs")
    shutil.copy2(ROOT / "pyproject.toml", tmp_path / "bare/pyproject.toml")
    plant(tmp_path / "bare", "failoverd/__init__.py", "")
    return tmp_path / "bare"


def plant(tree: Path, place: str, text: str) -> None:
    """Put a file into the copy, with the packages above it."""
    path = tree / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if place.endswith(".py") and place.startswith("failoverd/"):
        for package in path.relative_to(tree).parents:
            if package.name and not (tree / package / "__init__.py").exists():
                (tree / package / "__init__.py").write_text('"""Planted."""\n')
    path.unlink(missing_ok=True)
    path.write_text(text)


def change(tree: Path, place: str, old: str, new: str) -> None:
    """Replace text in a file of the copy; the old text must be there, or the test would plant nothing."""
    path = tree / place
    text = path.read_text()
    assert old in text
    path.unlink()
    path.write_text(text.replace(old, new, 1))


@dataclass(frozen=True, slots=True)
class Planted:
    """A file with a fault in it, the rule that must find it, and a piece of the finding."""

    rule: str
    place: str
    text: str
    finding: str


WORD = "mas" + "ter"
PLANTED = (
    Planted("a file is short", "failoverd/service/long.py", "\n" * 401, "401 lines, allowed are 400"),
    Planted("a file is short", "tests/unit/test_long.py", "\n" * 601, "601 lines, allowed are 600"),
    Planted("each word has one meaning", "failoverd/service/a.py", f"{WORD}_host = 1\n", f"'{WORD}' is banned"),
    Planted("each word has one meaning", "failoverd/service/a.py", f"class New{WORD.capitalize()}: ...\n", "is banned"),
    Planted("each word has one meaning", "failoverd/service/a.py", f"OLD_{WORD.upper()} = 1\n", "is banned"),
    Planted("each word has one meaning", "failoverd/service/a.py", f"is{WORD.capitalize()} = 1\n", "is banned"),
    Planted("each word has one meaning", "docs/a.md", f"The {WORD}s.\n", f"'{WORD}s' is banned"),
    Planted("each word has one meaning", "failoverd/service/ut" + "ils.py", "", "is banned"),
    Planted("one of them is no plural", "failoverd/service/a.py", 'a = f"{b} open rows"\n', "'open rows' may"),
    Planted("comments hold no tickets", "failoverd/service/a.py", "a = 1  # see #" + "123\n", "'#" + "123'"),
    Planted("comments hold no tickets", "failoverd/service/a.py", '"""For issue ' + '7."""\n', "'issue " + "7'"),
    Planted("comments hold no tickets", "failoverd/service/a.py", "# TO" + "DO later\n", "'TO" + "DO'"),
    Planted("the tree names no machine", "docs/a.md", "see http://deb.deb" + "ian.org/x\n", "names a machine"),
    Planted("the tree names no machine", "failoverd/service/a.py", 'a = "/wo' + 'rk/main"\n', "names a machine"),
    Planted("data is frozen", "failoverd/model/a.py", "@dataclass(frozen=True)\nclass A: ...\n", "A lacks slots=True"),
    Planted("data is frozen", "failoverd/agent/a.py", "@dataclass\nclass A: ...\n", "A lacks frozen=True"),
    Planted(
        "data is frozen",
        "failoverd/model/a.py",
        "@dataclass(frozen=True, slots=True)\nclass A:\n    b: list[int]\n",
        "a field of frozen A is a list",
    ),
    Planted("pure code asks nothing", "failoverd/decide/a.py", "a = open('x')\n", "open() in a pure package"),
    Planted("pure code asks nothing", "failoverd/plan/a.py", "a = datetime.now()\n", "now() in a pure package"),
    Planted("the agent travels light", "failoverd/agent/a.py", "import yaml\n", "agent imports yaml"),
    Planted(
        "the agent travels light",
        "failoverd/agent/a.py",
        "from failoverd.model import x\n",
        "imports failoverd.model.x",
    ),
    Planted("the agent travels light", "failoverd/gtid/a.py", "match a:\n    case 1: ...\n", "not Python 3.9"),
    Planted("pure code needs no mock", "tests/unit/decide/test_a.py", "from unittest import mock\n", "unittest.mock"),
    Planted(
        "pure code needs no mock",
        "tests/unit/plan/test_a.py",
        "def test_a(monkeypatch): ...\n",
        "monkeypatch in a test",
    ),
    *(
        Planted("we make no transaction", "failoverd/drivers/mysql/a.py", f"A = {said!r}\n", "an errant transaction")
        for said in (
            "FLUSH RELAY LOGS",
            "ANALYZE TABLE app.t",
            "INSERT INTO app.t VALUES (1)",
            "SET GTID_NEXT = %s",
            "COMMIT AND CHAIN",
            "SET PERSIST read_only = OFF",
            "SET PERSIST super_read_only = ON, read_only = OFF",
            "SET PERSIST_ONLY super_read_only = OFF",
            "RESET BINARY LOGS AND GTIDS",
            "SET GLOBAL gtid_purged = %s",
            "SET GLOBAL sql_replica_skip_counter = 1",
        )
    ),
    Planted("we make no transaction", "failoverd/drivers/mysql/a.py", "A = f'DROP {b}'\n", "an errant transaction"),
    Planted("every test runs", "tests/unit/test_a.py", "@pytest.mark.skip\ndef test_a(): ...\n", "pytest skip"),
    Planted("every test runs", "tests/unit/test_a.py", "def test_a():\n    pytest.skip('no')\n", "pytest skip"),
    Planted(
        "a test folder holds tests", "tests/contract/clock.py", "", "tests/contract:1: the folder exists and holds no"
    ),
    Planted(
        "the architecture page draws the tree", "failoverd/extra/a.py", "", "failoverd/extra/ exists and is not drawn"
    ),
    Planted(
        "the architecture page draws the tree", "failoverd/extra.py", "", "failoverd/extra.py exists and is not drawn"
    ),
)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.rule}: {planted.place}")
def test_a_planted_file_is_found(bare: Path, planted: Planted) -> None:
    before = {str(finding) for finding in RULES[planted.rule](bare)}
    plant(bare, planted.place, planted.text)
    findings = {str(finding) for finding in RULES[planted.rule](bare)} - before
    assert any(planted.finding in finding and planted.place.split("/")[0] in finding for finding in findings), findings


@dataclass(frozen=True, slots=True)
class Changed:
    """A file changed in one place, the rule that must find it, and a piece of the finding."""

    rule: str
    place: str
    old: str
    new: str
    finding: str


ROW = "| fault 72 | "
CHANGED = (
    Changed(
        "the limits stay where they are",
        "pyproject.toml",
        "max-complexity = 8",
        "max-complexity = 80",
        "max-complexity = 8",
    ),
    Changed("the limits stay where they are", "pyproject.toml", "strict = true", "strict = false", "strict = true"),
    Changed(
        "the architecture page draws the tree",
        "docs/architecture.md",
        "  model/  ",
        "  models/ ",
        "models/ is drawn and does not",
    ),
    Changed(
        "the architecture page draws the tree",
        "docs/architecture.md",
        "  model/  ",
        "  ",
        "model/ exists and is not drawn",
    ),
    Changed(
        "the architecture page draws the tree", "docs/architecture.md", "\nfailoverd/\n", "\n", "holds no tree block"
    ),
    Changed(
        "the architecture page leads to places",
        "docs/architecture.md",
        "`failoverd/model/steps.py`",
        "`failoverd/model/gone.py`",
        "failoverd/model/gone.py does not exist",
    ),
    Changed(
        "the architecture page leads to places",
        "docs/architecture.md",
        "`failoverd/model/steps.py`",
        "`failoverd/model/steps.py` (coming)",
        "take '(coming)' away",
    ),
    Changed(
        "every package has its contract",
        "pyproject.toml",
        '"failoverd.gtid", "failoverd.model"',
        '"failoverd.gtid"',
        "'pure' does not name failoverd.model",
    ),
    Changed("every fault has a row", "docs/faults.md", "| fault 7 |", "| fault 73 |", "there is no row fault 7"),
    Changed("every fault has a row", "docs/faults.md", "| rule 20 |", "| rule 21 |", "row rule 21 is neither"),
    Changed("coverage rows hold", "docs/faults.md", "| fault 8 |", "| fault 7 |", "fault 7 stands here twice"),
    Changed(
        "contract rows have a kind", "docs/contract.md", "| exit 4 |", "| code 4 |", "'code 4' begins with none of"
    ),
)


@pytest.mark.parametrize("changed", CHANGED, ids=lambda changed: f"{changed.rule}: {changed.new.strip()}")
def test_a_planted_change_is_found(tree: Path, changed: Changed) -> None:
    change(tree, changed.place, changed.old, changed.new)
    findings = [str(finding) for finding in RULES[changed.rule](tree)]
    assert any(changed.finding in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("state", "tests", "finding"),
    [
        ("delivered", "", "is delivered and names no test"),
        ("done", "", "state 'done' is neither"),
        (
            "delivered",
            "`tests/house/test_gone.py::test_a`",
            "names tests/house/test_gone.py::test_a, which does not exist",
        ),
        ("delivered", "`tests/house/test_planted.py::test_gone`", "test_gone, which does not exist"),
        ("delivered", "`tests/house/test_planted.py`", "which does not exist"),
        ("delivered", "`tests/house/test_planted.py::plant`", "which does not exist"),
        ("delivered", "`failoverd/ports/__init__.py::test_a`", "which does not exist"),
    ],
)
def test_a_row_without_its_test_is_found(tree: Path, state: str, tests: str, finding: str) -> None:
    plant(
        tree, "docs/faults.md", f"| id | text | state | tests |\n|---|---|---|---|\n{ROW}text | {state} | {tests} |\n"
    )
    findings = [str(found) for found in RULES["coverage rows hold"](tree)]
    assert len([found for found in findings if found.startswith("docs/faults.md") and finding in found]) == 1, findings


def test_a_row_with_its_test_is_good(tree: Path) -> None:
    ours = "`tests/house/test_planted.py::test_a_row_with_its_test_is_good`"
    plant(tree, "docs/faults.md", f"{ROW}text | delivered | {ours}, {ours} |\n")
    assert not [found for found in RULES["coverage rows hold"](tree) if found.path == "docs/faults.md"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A file that ruff, mypy or import-linter must refuse, and what they must say."""

    command: tuple[str, ...]
    place: str
    text: str
    said: str


RUFF = ("ruff", "check", "--no-cache", "--output-format=concise")
ARROWS = ("lint-imports", "--no-logo", "--no-cache")
MANY = "".join(f"    a = {number}\n" for number in range(31))
DEEP = "".join(f"    if a == {number}:\n        return {number}\n" for number in range(9))
TOOLS = (
    Tool(RUFF, "failoverd/service/a.py", f"def f(a):\n{MANY}    return a\n", "PLR0915"),
    Tool(RUFF, "failoverd/service/a.py", f"def f(a):\n{DEEP}    return a\n", "C901"),
    Tool(RUFF, "failoverd/service/a.py", "def f(a, b, c, d, e, f, g):\n    return a\n", "PLR0913"),
    Tool(
        RUFF,
        "failoverd/service/a.py",
        "def f():\n    try:\n        g()\n    except Exception:\n        pass\n",
        "BLE001",
    ),
    Tool(RUFF, "failoverd/agent/a.py", "match 1:\n    case 1:\n        a = 1\n", "match` statement on Python 3.9"),
    Tool(RUFF, "failoverd/service/a.py", "# a = call(b)\n", "ERA001"),
    Tool(RUFF, "failoverd/service/a.py", "def f():\n    return 1\n", "D103"),
    Tool(
        ("mypy", "--no-incremental", "failoverd/typed.py"),
        "failoverd/typed.py",
        "def f(a):\n    return a\n",
        "no-untyped-def",
    ),
    Tool(ARROWS, "failoverd/service/a.py", "import time\n", "failoverd.service.a -> time"),
    Tool(ARROWS, "failoverd/observe/a.py", "from threading import Thread\n", "failoverd.observe.a -> threading"),
    Tool(ARROWS, "failoverd/cli/a.py", "import concurrent.futures\n", "failoverd.cli.a -> concurrent"),
    Tool(ARROWS, "failoverd/model/a.py", "import socket\n", "failoverd.model.a -> socket"),
    Tool(ARROWS, "failoverd/cli/a.py", "import yaml\n", "failoverd.cli.a -> yaml"),
    Tool(ARROWS, "failoverd/service/a.py", "import pymysql\n", "failoverd.service.a -> pymysql"),
    Tool(ARROWS, "failoverd/lab/a.py", "import kazoo.client\n", "failoverd.lab.a -> kazoo"),
    Tool(ARROWS, "failoverd/service/a.py", "import failoverd.agent.a\n", "failoverd.service.a -> failoverd.agent"),
    Tool(
        ARROWS, "failoverd/drivers/ssh/agent_client.py", "import failoverd.agent\n", "agent_client -> failoverd.agent"
    ),
    Tool(ARROWS, "failoverd/lab/a.py", "import failoverd.agent.wire\n", "failoverd.lab.a -> failoverd.agent.wire"),
    Tool(ARROWS, "failoverd/agent/a.py", "import failoverd.model\n", "failoverd.agent is not allowed to import"),
    Tool(ARROWS, "failoverd/service/a.py", "import failoverd.drivers\n", "failoverd.service is not allowed to import"),
    Tool(ARROWS, "failoverd/execute/a.py", "import failoverd.observe\n", "failoverd.execute is not allowed to import"),
    Tool(ARROWS, "failoverd/extra/a.py", "", "- failoverd.extra"),
)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: f"{tool.command[0]}: {tool.said}")
def test_a_tool_refuses(tree: Path, tool: Tool) -> None:
    plant(tree, tool.place, tool.text)
    code, said = ask(tree, tool.command)
    assert code != 0
    assert tool.said in said, said


def test_a_circle_is_refused(tree: Path) -> None:
    plant(tree, "failoverd/lab/one.py", "import failoverd.lab.two\n")
    plant(tree, "failoverd/lab/two.py", "import failoverd.lab.one\n")
    code, said = ask(tree, (*ARROWS, "--contract", "acyclic"))
    assert code != 0
    assert "No cycles are allowed in failoverd.lab" in said, said


def test_the_unharmed_copy_keeps_its_arrows(tree: Path) -> None:
    code, said = ask(tree, ARROWS)
    assert code == 0, said


def ask(tree: Path, command: tuple[str, ...]) -> tuple[int, str]:
    """Run one of the tools inside the copy; its exit code and all it said, on one line."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=tree, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_words_that_only_begin_like_banned_ones_are_good(bare: Path) -> None:
    text = "socket.TCP_NODELAY, mastery, znode, slavery, miscount, nodelay\n"
    plant(bare, "failoverd/service/a.py", text)
    assert not [found for found in RULES["each word has one meaning"](bare) if found.path == "failoverd/service/a.py"]


def test_what_a_function_takes_is_not_held(bare: Path) -> None:
    text = "@dataclass(frozen=True, slots=True)\nclass A:\n    b: tuple[Callable[[dict[str, int]], list[int]], ...]\n"
    plant(bare, "failoverd/model/a.py", text)
    assert not [found for found in RULES["data is frozen"](bare) if found.path == "failoverd/model/a.py"]
