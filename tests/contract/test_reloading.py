"""A reload on a host where other settings cannot be told: nothing of it counts, and the next one does."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.bootstrap.build import build
from failoverd.drivers.wakeups import Bell
from failoverd.model.errors import CoordinationError
from failoverd.service.publish import Published
from failoverd.service.watch import Watch
from tests.contract.coordination_worlds import active
from tests.unit.config.folder import HEAD, SHOP, prepared


def test_settings_that_cannot_be_told_do_not_count(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    head = f"manager: {{state_dir: {tmp_path / 'state'}, run_dir: {tmp_path / 'run'}}}\n" + HEAD
    built = build(folder.load(head + SHOP).config)
    try:
        watch = Watch(built.world("shop"), Bell(), Published(lambda _, __: None))
        active(built.coordination)
        before = watch.world.policy, built.coordination.in_force()
        told = tmp_path / "state" / "shop.config"
        aside = told.rename(told.with_suffix(".aside"))
        told.mkdir()  # in the place of a file that cannot be written, whoever runs this
        other = folder.load(head + SHOP + "    failover: {cooldown: 2h}\n").config
        with pytest.raises(CoordinationError):
            built.apply(other, [watch])
        told.rmdir()
        aside.rename(told)
        assert (watch.world.policy, built.coordination.in_force()) == before
        assert built.apply(other, [watch]) == ()
        assert watch.world.policy.failover.cooldown == 7200.0
        assert built.coordination.in_force()["shop"].settings == other.settings("shop")
    finally:
        built.close()
