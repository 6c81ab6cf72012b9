"""The data directory that every server of a lab begins with: made once, whole, also when several want it at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from failoverd.lab import template
from failoverd.lab.software import find_mysql


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="failoverd-template-", dir="/dev/shm"))
    folder.chmod(0o755)  # mysqld makes the template as a user of its own
    monkeypatch.setattr(template, "CACHE", folder)
    yield folder
    shutil.rmtree(folder)


def test_it_is_made_once_and_nothing_half_made_is_taken_for_it(cache: Path) -> None:
    (cache / "lab-template-making-killed" / "data").mkdir(parents=True)
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: template.ready_template(find_mysql(), said.append), range(2))
    assert first == second
    assert len(said) == 1
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [first.data.parent.name]
    assert not (first.data / "auto.cnf").exists(), "each copy must get a server_uuid of its own"
    assert not list(first.data.glob("binlog.*")), "copies begin without transactions"
    assert first.data.parent.stat().st_mode & 0o077 == 0
    passwords = first.passwords
    assert len({passwords.manager, passwords.replication, passwords.application}) == 3
