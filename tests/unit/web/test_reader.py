"""What the page's process knows by itself while coordination is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.bootstrap import reader as reading_process
from failoverd.bootstrap.reader import AGAIN_AFTER, Reader
from failoverd.config.load import load
from tests.fakes.coordination import FakeCoordination
from tests.fakes.whole import CLUSTER, Whole
from tests.unit.config.folder import HEAD, SHOP, prepared


def test_what_was_read_last_is_kept_and_its_age_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole()
    whole.manager().turns(4)
    file = prepared(tmp_path).put("failoverd.yml", f"manager: {{state_dir: state, run_dir: run}}\n{HEAD}{SHOP}", 0o644)
    monkeypatch.setattr(reading_process, "SystemClock", lambda: whole.clock)
    monkeypatch.setattr(reading_process, "coordination_for", lambda *_: FakeCoordination(whole.store, "page"))
    reader = Reader(load(file))
    assert reader.cluster(CLUSTER).fresh
    whole.store.away = True
    whole.clock.sleep(AGAIN_AFTER + 40)
    told = reader.cluster(CLUSTER)
    assert told.document is not None
    assert told.document["verdict"] == "healthy"
    assert told.age == pytest.approx(40, abs=5)
    assert told.warnings[0] == "coordination is away: what is shown is what this host saw last"
    assert told.warnings[1].startswith("Old news: it was seen 4")


def test_where_nothing_can_be_read_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Whole()
    whole.store.away = True
    file = prepared(tmp_path).put("failoverd.yml", f"manager: {{state_dir: state, run_dir: run}}\n{HEAD}{SHOP}", 0o644)
    monkeypatch.setattr(reading_process, "coordination_for", lambda *_: FakeCoordination(whole.store, "page"))
    told = Reader(load(file)).cluster(CLUSTER)
    assert (told.document, told.fresh) == (None, False)
    assert told.warnings[1] == "Nothing is known here", "that nobody has published anything would be a guess"
