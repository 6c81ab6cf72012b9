"""Rules about code that a linter's table cannot say: frozen data, pure calls, the agent's diet, honest tests."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import Finding, imports, parsed, python_files, relative

PURE = ("model", "decide", "plan", "verify")
TEST_FOLDERS = ("unit", "scenarios", "properties", "simulation", "contract", "acceptance", "ui", "house")
_MUTABLE = {"list", "dict", "set", "List", "Dict", "Set", "bytearray", "defaultdict", "deque"}
_IMPURE_FUNCTIONS = {"open", "print", "input", "breakpoint"}
_IMPURE_METHODS = {"now", "today", "utcnow", "uuid1", "uuid4", "getenv", "read_text", "write_text"}
# The package itself is packed with the agent, and its version is all there is in it.
_ROOT = ("failoverd.__version__",)
_EXCUSES = {"skip", "skipif", "xfail", "importorskip"}


def loose_dataclasses(root: Path) -> Iterator[Finding]:
    """Dataclasses that hold mutable types or are not frozen with slots (no slots where Python 3.9 must run them)."""
    for path in python_files(root, "failoverd"):
        place = relative(root, path)
        old = place.startswith(("failoverd/agent/", "failoverd/gtid/"))
        for found in ast.walk(parsed(path)):
            if isinstance(found, ast.ClassDef) and (mark := _dataclass_mark(found)) is not None:
                missing = {"frozen"} | (set() if old else {"slots"})
                missing -= _true_keywords(mark)
                if missing:
                    yield Finding(
                        place, found.lineno, f"dataclass {found.name} lacks {' and '.join(sorted(missing))}=True"
                    )
                yield from _mutable_fields(place, found)


def _dataclass_mark(found: ast.ClassDef) -> ast.expr | None:
    for mark in found.decorator_list:
        called = mark.func if isinstance(mark, ast.Call) else mark
        if "dataclass" in (getattr(called, "id", ""), getattr(called, "attr", "")):
            return mark
    return None


def _true_keywords(mark: ast.expr) -> set[str]:
    if not isinstance(mark, ast.Call):
        return set()
    return {
        word.arg or "" for word in mark.keywords if isinstance(word.value, ast.Constant) and word.value.value is True
    }


def _mutable_fields(place: str, found: ast.ClassDef) -> Iterator[Finding]:
    for line in found.body:
        if isinstance(line, ast.AnnAssign):
            for name in sorted(set(_held(line.annotation)) & _MUTABLE):
                yield Finding(
                    place, line.lineno, f"a field of frozen {found.name} is a {name}: use tuple, frozenset or Mapping"
                )


def _held(annotation: ast.AST) -> Iterator[str]:
    """Names of the types a field holds; what a function takes or gives back is not held."""
    if isinstance(annotation, ast.Name):
        yield annotation.id
    of_function = isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", "") == "Callable"
    for part in () if of_function else ast.iter_child_nodes(annotation):
        yield from _held(part)


def impure_calls(root: Path) -> Iterator[Finding]:
    """Calls in pure packages that ask the world something: files, the clock, chance, the environment."""
    for path in python_files(root, *(f"failoverd/{package}" for package in PURE)):
        for found in ast.walk(parsed(path)):
            if isinstance(found, ast.Call):
                function, method = getattr(found.func, "id", ""), getattr(found.func, "attr", "")
                if (name := function or method) in (_IMPURE_FUNCTIONS if function else _IMPURE_METHODS):
                    yield Finding(
                        relative(root, path), found.lineno, f"{name}() in a pure package: let the answer come in"
                    )


def agent_diet(root: Path) -> Iterator[Finding]:
    """What the agent's zipapp could not run: anything but the standard library, gtid and Python 3.9's grammar."""
    for package, allowed in {
        "agent": ("failoverd.agent", "failoverd.gtid", *_ROOT),
        "gtid": ("failoverd.gtid",),
    }.items():
        for path in python_files(root, f"failoverd/{package}"):
            place = relative(root, path)
            for name, line in imports(path):
                if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith(allowed):
                    yield Finding(
                        place, line, f"{package} imports {name}: it travels with gtid and the standard library only"
                    )
            try:
                ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
            except SyntaxError as error:
                yield Finding(place, error.lineno or 1, f"not Python 3.9: {error.msg}")


def mocks_of_pure_code(root: Path) -> Iterator[Finding]:
    """Mocks in tests of pure packages: they need none, and a mock would hide that one has become necessary."""
    for path in python_files(
        root, *(f"tests/unit/{package}" for package in PURE), "tests/scenarios", "tests/properties"
    ):
        for name, line in imports(path):
            if name.startswith(("unittest.mock", "mock.")) or name == "unittest.mock":
                yield Finding(relative(root, path), line, f"{name} in a test of pure code")
        for found in ast.walk(parsed(path)):
            if isinstance(found, ast.arg) and found.arg in {"monkeypatch", "mocker"}:
                yield Finding(relative(root, path), found.lineno, f"{found.arg} in a test of pure code")


def excused_tests(root: Path) -> Iterator[Finding]:
    """Skipped and expected-to-fail tests: a test that may not run proves nothing."""
    for path in python_files(root, "tests"):
        for found in ast.walk(parsed(path)):
            if isinstance(found, ast.Attribute) and found.attr in _EXCUSES and _is_pytest(found.value):
                yield Finding(relative(root, path), found.lineno, f"pytest {found.attr}: a test runs, or it is deleted")


def _is_pytest(value: ast.expr) -> bool:
    if isinstance(value, ast.Attribute):
        return value.attr == "mark" and _is_pytest(value.value)
    return isinstance(value, ast.Name) and value.id == "pytest"


def empty_folders(root: Path) -> Iterator[Finding]:
    """Folders for tests that exist and hold none: a run would pass over them without a word."""
    for folder in sorted(path for path in (root / "tests").glob("*") if path.name in TEST_FOLDERS):
        if not any(path.name.startswith("test_") for path in python_files(root, f"tests/{folder.name}")):
            yield Finding(f"tests/{folder.name}", 1, "the folder exists and holds no test")
