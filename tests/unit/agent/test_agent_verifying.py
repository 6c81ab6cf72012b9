"""What an applier will be able to execute: logs read as the server reads them, every damage found and placed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.binlog.verifying import Verified, verify
from failoverd.gtid import GtidSet
from tests.unit.agent.corpus import LOGS, SAID, gtids_said

NAMES = sorted(SAID["relay"])
MIDDLE = "relay.000004"


def nothing() -> None:
    """Never ends a reading."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    shutil.copytree(LOGS, made, ignore=shutil.ignore_patterns("*.py", "*.json"))
    return made


def read(folder: Path, first: str = NAMES[0], position: int = 4) -> Verified:
    return verify(LogPlace(str(folder / "relay"), str(folder / "relay.index"), str(folder)), first, position, nothing)


def held(*names: str) -> GtidSet:
    return GtidSet.parse(",".join(gtid for name in names for _, gtid in gtids_said(name)))


def test_a_sound_log_is_sound_to_its_end(folder: Path) -> None:
    found = read(folder)
    assert str(found.sound) == SAID["retrieved"]
    assert (found.behind, found.faults, found.torn, found.files) == (GtidSet(), (), None, len(NAMES))


def test_only_what_the_applier_has_before_it_is_read(folder: Path) -> None:
    said = gtids_said(MIDDLE)
    position = said[1][0]
    found = read(folder, MIDDLE, position)
    assert found.sound == held(*NAMES[3:]) - GtidSet.parse(said[0][1])
    assert found.files == len(NAMES) - 3
    # damage behind the applier's back is none of its business any more
    flip(folder / MIDDLE, said[0][0] + 60)
    flip(folder / NAMES[1], 300)
    assert read(folder, MIDDLE, position) == found


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)


def zeros(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 64] = bytes(64)
    path.write_bytes(data)


def torn(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes()[:at])


def bad_magic(path: Path, _at: int) -> None:
    path.write_bytes(b"none" + path.read_bytes()[4:])


def encrypted(path: Path, _at: int) -> None:
    path.write_bytes(b"\xfdbin" + path.read_bytes()[4:])


def gone(path: Path, _at: int) -> None:
    path.unlink()


def emptied_index(path: Path, _at: int) -> None:
    (path.parent / "relay.index").write_bytes(b"")


def lost_index(path: Path, _at: int) -> None:
    (path.parent / "relay.index").unlink()


DAMAGES = {
    "a byte flipped": (flip, rf"{MIDDLE} is damaged at offset \d+: "),
    "zeros": (zeros, rf"{MIDDLE} is damaged at offset \d+"),
    "torn": (torn, rf"{MIDDLE} is damaged at offset \d+: \d+ bytes are no whole transaction"),
    "bad magic": (bad_magic, rf"{MIDDLE} is damaged at offset 0: it begins with"),
    "encrypted": (encrypted, rf"{MIDDLE} is encrypted"),
    "missing file": (gone, rf"{MIDDLE} is gone: the index names it"),
    "emptied index": (emptied_index, "relay.index names no file"),
    "index lost": (lost_index, "relay.index names no file"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_each_damage_is_found_and_placed(case: str, folder: Path) -> None:
    act, sentence = DAMAGES[case]
    said = gtids_said(MIDDLE)
    assert len(said) > 3
    act(folder / MIDDLE, said[2][0] + 90)
    found = read(folder, NAMES[2])
    assert re.search(sentence, str(found.faults[0])), found.faults
    assert found.sound <= held(*NAMES[:4])
    everything = held(*NAMES[2:])
    assert found.sound | found.behind <= everything
    # what is lost is in the damaged file alone; with a bad index nothing is
    assert everything - found.sound - found.behind <= held(MIDDLE)
    if "index" in case:
        assert found.sound | found.behind == everything
        assert not found.sound


@pytest.mark.parametrize("act", [flip, zeros])
def test_one_damaged_transaction_costs_no_other(act: Callable[[Path, int], None], folder: Path) -> None:
    """Its beginning is sound: who it is and where it ends is known."""
    said = gtids_said(MIDDLE)
    act(folder / MIDDLE, said[2][0] + 120)
    found = read(folder, MIDDLE)
    assert found.sound == GtidSet.parse(f"{said[0][1]},{said[1][1]}")
    assert found.sound | found.behind == held(*NAMES[3:]) - GtidSet.parse(said[2][1])


def test_the_end_of_the_last_file_may_still_be_written(folder: Path) -> None:
    last = folder / NAMES[-1]
    torn(last, last.stat().st_size - 5)
    found = read(folder, NAMES[-1])
    assert found.faults == ()
    assert found.torn is not None
    assert found.torn.file == NAMES[-1]


def test_a_file_that_was_executed_and_purged_meanwhile_is_no_damage(folder: Path) -> None:
    (folder / NAMES[0]).unlink()
    (folder / "relay.index").write_text("".join(f"./{name}\n" for name in NAMES[1:]))
    found = read(folder, NAMES[0], 150)
    assert found.faults == ()
    assert found.sound == held(*NAMES[1:])


def test_a_file_the_index_should_name_is_damage(folder: Path) -> None:
    (folder / "relay.index").write_text("".join(f"./{name}\n" for name in NAMES if name != MIDDLE))
    found = read(folder, MIDDLE)
    assert "does not name relay.000004, where the applier stands" in str(found.faults[0])
    assert found.behind == held(*NAMES[3:])


def test_a_file_shorter_than_what_was_read_of_it_is_damage(folder: Path) -> None:
    found = read(folder, NAMES[-1], 1_000_000)
    assert "the file ends before offset 1000000" in str(found.faults[0])


def test_every_flipped_bit_before_the_applier_is_found(folder: Path) -> None:
    """But the mark of an open file, which no checksum covers."""
    path = folder / MIDDLE
    data = path.read_bytes()
    silent = []
    for at in range(0, len(data), 5):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        found = read(folder, MIDDLE)
        assert found.sound <= held(*NAMES[3:])
        if not found.faults and found.sound == held(*NAMES[3:]):
            silent.append(at)
    assert len(silent) <= 1


def test_the_check_may_end_it(folder: Path) -> None:
    def over() -> None:
        raise TimeoutError

    with contextlib.suppress(TimeoutError):
        verify(LogPlace(str(folder / "relay"), str(folder / "relay.index"), str(folder)), NAMES[0], 4, over)
        raise AssertionError
