"""Root goes on as the account that owns the manager's folder; all others stay who they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ME = os.geteuid()
ASKED = """
import os, sys
from pathlib import Path
from failoverd.drivers.account import leave_root_for
leave_root_for(Path(sys.argv[1]))
print(os.getresuid(), os.getresgid(), os.getgroups())
"""


@pytest.mark.parametrize(
    ("owner", "becomes"), [(65534, 65534), (61234, 61234), (0, 0)], ids=["named", "only a number", "root"]
)
def test_whose_account_goes_on(tmp_path: Path, owner: int, becomes: int) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    if ME == 0:
        os.chown(folder, owner, owner)
    then = becomes if ME == 0 else ME
    said = subprocess.run([sys.executable, "-c", ASKED, str(folder)], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"({then}, {then}, {then}) ({then}, {then}, {then}) "), said


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", ASKED, str(tmp_path / "none")], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith(f"({ME}, {ME}, {ME}) ")
