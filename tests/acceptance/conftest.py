"""Labs for acceptance tests: each test brings up its own, and what failed leaves its logs behind."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from failoverd.lab import Lab, Options

LabFactory = Callable[..., Lab]
_FAILURES = Path(__file__).parents[2] / "build" / "failures"
_numbers = count(1)
_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Remember on the test itself whether any of its phases failed, for the fixture that keeps the logs."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(scope="session", autouse=True)
def _no_orphans() -> None:
    """Take down the labs of test runs that were killed: their names hold the number of a process that is gone."""
    Lab.take_down_orphans()


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[LabFactory]:
    """A factory: `lab(replicas=1, settings={...})` brings a lab up; it ends with the test."""
    made: list[Lab] = []

    def bring_up(**options: Any) -> Lab:
        one = Lab.up(Options(name=f"t{os.getpid()}-{next(_numbers)}", **options))
        made.append(one)
        return one

    try:
        yield bring_up
    finally:
        keep = request.node.stash.get(_failed, False)
        for one in made:
            _end(one, _FAILURES / _file_name(request.node.nodeid) / one.name if keep else None)


def _end(one: Lab, keep: Path | None) -> None:
    """Take a lab down, after copying its logs; one that the test took down itself is fine."""
    try:
        if keep is not None and one.folder.exists():
            shutil.rmtree(keep, ignore_errors=True)
            one.keep_logs(keep)
    finally:
        one.down()


def _file_name(test: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", test.rpartition("/")[2])
