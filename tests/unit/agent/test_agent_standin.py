"""How a mysqld that ended by itself is started again: as the account it ran as, and with no right beyond it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
# Becomes the program, as the process does that stands in: its arguments are where output goes and the account.
SCRIPT = """
import os, sys
from failoverd.agent.standin import Started, start
output, account, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
words = ("mysqld", "-c", 'echo "$(id -u) $(umask) $LEFT $(pwd)" | tee said')
start(Started("/bin/sh", words, {"LEFT": "over", "PATH": os.environ["PATH"]}, folder, account, account, (account,),
              output, "", 0o27, (256, 256)))
"""


@pytest.fixture
def account(tmp_path: Path) -> int:
    """Somebody else, where we may become somebody else; a folder that belongs to them is `tmp_path`/data."""
    found = NOBODY if os.geteuid() == 0 else os.geteuid()
    data = tmp_path / "data"
    data.mkdir()
    if found == NOBODY:
        os.chown(data, found, found)
        for folder in (tmp_path, *tmp_path.parents):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    return found


def started(output: Path, account: int, folder: Path) -> str:
    command = [sys.executable, "-c", SCRIPT, str(output), str(account), str(folder)]
    subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL)
    return (folder / "said").read_text().strip()


def test_it_runs_as_it_ran(tmp_path: Path, account: int) -> None:
    folder = tmp_path / "data"
    output = folder / "error.log"
    said = started(output, account, folder)
    assert said == f"{account} 0027 over {folder}"
    assert output.read_text().strip() == said


def test_a_file_that_its_account_may_not_write_is_not_written_for_it(tmp_path: Path, account: int) -> None:
    protected = tmp_path / "shadow"
    protected.write_text("kept\n")
    protected.chmod(0o400)
    said = started(protected, account, tmp_path / "data")
    assert said.startswith(f"{account} ")  # started all the same
    assert protected.read_text() == "kept\n"
