"""Who a manager is where no ensemble knows them all: a configuration copied to another host makes another manager."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers import identity
from failoverd.drivers.identity import Identity

STATE = Path("/var/lib/failoverd")


def test_the_same_host_and_folder_are_the_same_manager_after_a_restart() -> None:
    one = Identity.mine("m1")
    assert replace(one, pid=one.pid + 1).on_all_hosts(STATE) == one.on_all_hosts(STATE)


def test_another_host_another_machine_or_another_folder_is_another_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Identity.mine("m1")
    told = {one.on_all_hosts(STATE), replace(one, host="other").on_all_hosts(STATE), one.on_all_hosts(tmp_path)}
    (tmp_path / "machine-id").write_text("another machine with this host name\n")
    monkeypatch.setattr(identity, "MACHINE_ID", tmp_path / "machine-id")
    told.add(one.on_all_hosts(STATE))
    monkeypatch.setattr(identity, "MACHINE_ID", tmp_path / "none")
    told.add(one.on_all_hosts(STATE))
    assert len(told) == 5
