"""The packages, built once for all tests of a run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.machine import Machine, booted

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "build/packages"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make deb` builds; one process of the run builds, others wait for it.

    FAILOVERD_PACKAGES names a folder with packages that were built already.
    """
    if "FAILOVERD_PACKAGES" in os.environ:
        return Path(os.environ["FAILOVERD_PACKAGES"])
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "popen" in shared.name else shared
    done = shared / "packages-built"
    with (shared / "packages-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            builder = ROOT / "packaging/deb/build.py"
            made = subprocess.run([sys.executable, builder, TARGET], capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr
            done.touch()
    return TARGET


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A booted Debian 12 of this module's own."""
    with booted() as one:
        yield one


def package(folder: Path, name: str) -> Path:
    """The one package of that name."""
    (found,) = folder.glob(f"{name}_*.deb")
    return found
