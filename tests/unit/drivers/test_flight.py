"""The flight recorder on real files: what was seen comes back whole, the ring stays small, no disk disturbs anybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failoverd.decide.judge import judge
from failoverd.drivers import flight
from failoverd.drivers.flight import FlightRecorder, read
from failoverd.model.errors import FailoverdError
from failoverd.model.flight import Moment
from failoverd.model.verdict import VerdictName
from failoverd.service.replaying import replay
from tests.scenarios.world import NOW, WALL, build


def moment(*lines: str, at: float = 0.0) -> Moment:
    world = build([*lines])
    verdict = judge(world.snapshot, world.history, world.policy, NOW, WALL)
    return Moment(world.snapshot, world.history, world.policy, NOW, WALL + at, verdict)


HEALTHY = moment("db1 up", "db2 replica", "db3 replica", "cluster lossless", at=0.0)
DEAD = moment(
    "db1 down",
    "db2 replica receiver=connecting",
    "agent db1 dead",
    "standby m2 refused",
    "history misses=3 down=2",
    at=1.0,
)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "_SHARE", 0.0)


def recorded(folder: Path, *items: Moment | tuple[str, str]) -> FlightRecorder:
    one = FlightRecorder(folder)
    for item in items:
        one.write(item)
    return one


def test_what_was_seen_and_judged_comes_back_whole(tmp_path: Path) -> None:
    recorded(tmp_path, HEALTHY, DEAD)
    (ring,) = (tmp_path / "shop").glob("*.flight")
    assert list(read(ring)) == [HEALTHY, DEAD]
    assert DEAD.verdict.name is VerdictName.PRIMARY_DEAD


def test_a_recording_is_kept_aside_with_what_went_before(tmp_path: Path) -> None:
    recorded(tmp_path, HEALTHY)
    recorded(tmp_path, DEAD, ("shop", "shop-op-7"), HEALTHY)  # another process began another file
    assert list(read(tmp_path / "shop/kept/shop-op-7.flight")) == [HEALTHY, DEAD]


def test_the_ring_stays_small_and_begins_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "FILE_BYTES", 2000)
    recorded(tmp_path, *(replace(HEALTHY, wall=WALL + number) for number in range(400)), ("shop", "all"))
    files = list((tmp_path / "shop").glob("*.flight"))
    assert len(files) == flight.FILES
    assert sum(path.stat().st_size for path in files) < 2 * flight.FILES * 2000
    walls = [one.wall - WALL for one in read(tmp_path / "shop/kept/all.flight")]
    assert walls == list(range(int(walls[0]), 400))
    assert walls[0] > 0


def test_only_the_newest_recordings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "KEPT", 2)
    recorded(tmp_path, HEALTHY, ("shop", "a"), ("shop", "b"), ("shop", "c"))
    assert len(list((tmp_path / "shop/kept").glob("*.flight"))) == 2


def test_a_torn_end_is_left_out(tmp_path: Path) -> None:
    recorded(tmp_path, HEALTHY, DEAD)
    (ring,) = (tmp_path / "shop").glob("*.flight")
    ring.write_bytes(ring.read_bytes()[:-40])
    assert list(read(ring)) == [HEALTHY]


def test_a_disk_that_takes_nothing_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file where the folder should be")
    one = recorded(tmp_path, HEALTHY, ("shop", "op"))
    (tmp_path / "shop").unlink()
    one.write(DEAD)
    (ring,) = (tmp_path / "shop").glob("*.flight")
    assert list(read(ring)) == [DEAD], "it goes on when there is room again"


def test_who_hands_moments_over_never_waits(tmp_path: Path) -> None:
    one = FlightRecorder(tmp_path)
    for _ in range(2000):  # nobody writes them
        one.note(HEALTHY)
    one.keep("shop", "op")


@pytest.mark.parametrize("text", [b"", b"no recording", b"\x78\x01"], ids=["empty", "another file", "a beginning only"])
def test_another_file_is_an_error_or_empty(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.flight"
    path.write_bytes(text)
    if text == b"no recording":
        with pytest.raises(FailoverdError):
            list(read(path))
    else:
        assert list(read(path)) == []


def test_this_version_decides_the_same_and_differences_are_shown() -> None:
    same = replay([HEALTHY, HEALTHY, DEAD])
    assert (same["moments"], same["differences"]) == (3, [])
    assert [v["verdict"] for v in same["verdicts"]] == ["healthy", "primary-dead"]  # type: ignore[attr-defined]
    other = replace(DEAD, verdict=replace(DEAD.verdict, rule="silent", refusals=()))
    found: list[Any] = replay([HEALTHY, other])["differences"]  # type: ignore[assignment]
    assert [(one["recorded"]["rule"], one["now"]["rule"]) for one in found] == [("silent", "gone")]
