"""What a failed test leaves behind: the logs of its lab, without data and without secrets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAILS = """
def test_{name}(lab):
    one = lab(replicas=0, zookeepers=0)
    (one.folder / "secrets").write_text("\\n".join(one.password(user) for user in ("failoverd", "repl", "app")))
    {end}
"""


def leave(folder: Path, name: str, end: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run one test with the labs' fixtures in a pytest of its own; the folder that it may leave."""
    file = folder / f"test_{name}.py"
    file.write_text(FAILS.format(name=name, end=end), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.acceptance.conftest"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
    return ROOT / "build/failures" / f"test_{name}.py_test_{name}", done


def test_a_failed_test_leaves_logs_but_no_secrets(tmp_path: Path) -> None:
    name = f"fails{os.getpid()}"
    kept, done = leave(tmp_path, name, "assert False")
    try:
        assert "1 failed" in done.stdout
        files = [path for path in kept.rglob("*") if path.is_file()]
        assert {"error.log", "keeper.log", "sshd.log", "my.cnf", "failoverd.yml"} <= {path.name for path in files}
        (canary,) = [path for path in files if path.name == "secrets"]
        passwords = canary.read_bytes().split()
        assert len(passwords) == 3
        for path in set(files) - {canary}:
            content = path.read_bytes()
            assert not [path for password in passwords if password in content]
            assert b"PRIVATE KEY" not in content
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def test_a_test_that_passed_leaves_nothing(tmp_path: Path) -> None:
    kept, done = leave(tmp_path, f"passes{os.getpid()}", "assert True")
    assert "1 passed" in done.stdout
    assert not kept.exists()
