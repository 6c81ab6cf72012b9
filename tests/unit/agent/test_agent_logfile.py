"""Reading log files: what a real server wrote, and what damage does to it."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.agent.binlog import events
from failoverd.agent.binlog.found import State, Torn, Transaction
from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.faults import Fault
from failoverd.gtid import GtidSet
from tests.unit.agent.corpus import FILES, LOGS, SAID, gtids_said


class Walking(LogFile):
    """Never jumps."""

    def _ends_at(self, earliest: int, end: int) -> bool:
        return False


@contextlib.contextmanager
def opened(path: Path, kind: type[LogFile] = LogFile) -> Iterator[tuple[LogFile, State]]:
    file = kind(str(path))
    try:
        yield file, file.head()
    finally:
        file.close()


def read(path: Path, verify: bool = False, kind: type[LogFile] = LogFile) -> tuple[list[Transaction], Torn | None]:
    with opened(path, kind) as (file, state):
        found = list(file.transactions(state, verify))
        return found, file.torn(state)


def text(one: Transaction) -> str:
    return f"{one.uuid}:{one.tag}:{one.number}" if one.tag else f"{one.uuid}:{one.number}"


def test_the_corpus_has_every_kind() -> None:
    kinds = {event[1] for said in (SAID["binary"], SAID["relay"]) for file in said.values() for event in file}
    assert {"Gtid", "Gtid_tagged_log_event", "Transaction_payload", "XA_prepare", "Rotate", "Stop"} - {"Stop"} <= kinds
    assert len(FILES) > 20


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", ["jump", "walk", "verify"])
def test_transactions_are_what_the_server_shows(name: str, way: str) -> None:
    kind = Walking if way == "walk" else LogFile
    found, torn = read(LOGS / name, way == "verify", kind)
    assert [(one.start, text(one)) for one in found] == gtids_said(name)
    assert torn is None
    assert all(one.start < one.end for one in found)


@pytest.mark.parametrize("name", FILES)
def test_heads_say_what_came_before(name: str) -> None:
    said = SAID["binary"].get(name) or SAID["relay"][name]
    previous = next(event[3] for event in said if event[1] == "Previous_gtids")
    with opened(LOGS / name) as (_, state):
        assert state.previous == GtidSet.parse(previous)


@pytest.mark.parametrize("name", ["binlog.000001", "binlog.000002", "binlog.000003", "relay.000012"])
def test_every_cut_ends_at_the_last_whole_transaction(name: str, tmp_path: Path) -> None:
    data = (LOGS / name).read_bytes()
    whole = read(LOGS / name)[0]
    for length in [*range(0, len(data), 23), *(one.end for one in whole), *(one.end - 1 for one in whole)]:
        cut = tmp_path / "cut"
        cut.write_bytes(data[:length])
        for kind in (LogFile, Walking):
            found, torn = read(cut, kind=kind)
            assert found == [one for one in whole if one.end <= length]
            assert torn is None or torn.offset + torn.bytes == length


def test_zeros_behind_the_end_are_a_torn_tail(tmp_path: Path) -> None:
    data = (LOGS / "binlog.000006").read_bytes()
    whole = read(LOGS / "binlog.000006")[0]
    path = tmp_path / "zeros"
    path.write_bytes(data + bytes(5000))
    found, torn = read(path)
    assert found == whole
    assert torn == Torn("zeros", len(data), 5000)


@pytest.mark.parametrize("name", ["binlog.000001", "binlog.000003", "relay.000013"])
def test_a_flipped_bit_is_found_by_verification(name: str, tmp_path: Path) -> None:
    """Each byte in turn: a whole transaction that is still given is unchanged, and nothing else than Fault comes."""
    data = (LOGS / name).read_bytes()
    good = {data[one.start : one.end] for one in read(LOGS / name)[0]}
    path = tmp_path / "flipped"
    missed, told = 0, set()
    for at in range(0, len(data), 3):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        mutated = path.read_bytes()
        try:
            found, torn = read(path, verify=True)
        except Fault as fault:
            told.add((fault.code, "flipped" in fault.what))
            continue
        assert {mutated[one.start : one.end] for one in found} <= good
        missed += torn is None and len(found) == len(good)
    # the mark of an open file is the one bit outside of any checksum
    assert missed <= 1
    assert told <= {("DAMAGED", True), ("ENCRYPTED", True)}


@pytest.mark.parametrize("width", [1, 8, 512])
def test_zeroed_places_never_give_wrong_transactions(width: int, tmp_path: Path) -> None:
    data = (LOGS / "binlog.000003").read_bytes()
    good = {data[one.start : one.end] for one in read(LOGS / "binlog.000003")[0]}
    path = tmp_path / "zeroed"
    for at in range(0, len(data), 11):
        mutated = data[:at] + bytes(min(width, len(data) - at)) + data[at + width :]
        path.write_bytes(mutated)
        with contextlib.suppress(Fault):
            found, _ = read(path, verify=True)
            assert {mutated[one.start : one.end] for one in found} <= good


def test_damage_is_told_with_file_offset_and_reason(tmp_path: Path) -> None:
    data = bytearray((LOGS / "binlog.000001").read_bytes())
    start = gtids_said("binlog.000001")[2][0]
    data[start + 4] = 200
    path = tmp_path / "binlog.000042"
    path.write_bytes(data)
    with pytest.raises(Fault) as caught:
        read(path, kind=Walking)
    assert caught.value.code == "DAMAGED"
    assert caught.value.what == f"log file binlog.000042 is damaged at offset {start}"
    assert "type 200" in caught.value.detail


@pytest.mark.parametrize("head", [b"\xfdbin" + bytes(600), b"nope", b"\xfebiN" + bytes(100)])
def test_other_files_are_refused(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(head)
    with pytest.raises(Fault) as caught:
        read(path)
    assert caught.value.code == ("ENCRYPTED" if head[0] == 0xFD else "DAMAGED")


def test_an_empty_file_is_torn_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    for content in (b"", b"\xfe", b"\xfebin", b"\xfebin" + bytes(3)):
        path.write_bytes(content)
        assert read(path)[0] == []


def half_then_whole(name: str, index: int, keep: int) -> bytes:
    """A relay log after a broken connection: a transaction begins, the next head follows, the whole one comes again."""
    data = (LOGS / name).read_bytes()
    whole = read(LOGS / name)[0]
    one = whole[index]
    cut, events_kept = one.start, 0
    while events_kept < keep:
        cut += events.header(data[cut:]).size
        events_kept += 1
    head = data[4 : 4 + events.header(data[4:]).size]
    return data[:cut] + head + data[one.start :]


@pytest.mark.parametrize("index", [0, 2, 5])
@pytest.mark.parametrize("keep", [1, 2, 3])
def test_a_half_received_transaction_counts_once(index: int, keep: int, tmp_path: Path) -> None:
    path = tmp_path / "half"
    path.write_bytes(half_then_whole("binlog.000001", index, keep))
    for kind in (LogFile, Walking):
        with opened(path, kind) as (file, state):
            found = [text(one) for one in file.transactions(state)]
            events_in_one = 2 if index == 0 else 5
            assert found == [gtid for _, gtid in gtids_said("binlog.000001")] or keep >= events_in_one
            if keep < events_in_one:
                assert len(state.halves) == 1
            assert file.torn(state) is None


def test_a_walk_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    data = (LOGS / "binlog.000001").read_bytes()
    path = tmp_path / "growing"
    path.write_bytes(data[:1000])
    with opened(path) as (file, state):
        first = list(file.transactions(state))
    path.write_bytes(data)
    file = LogFile(str(path))
    rest = list(file.transactions(state))
    file.close()
    assert first
    assert [*first, *rest] == read(LOGS / "binlog.000001")[0]


def test_anonymous_transactions_are_counted_and_not_given(tmp_path: Path) -> None:
    data = bytearray((LOGS / "binlog.000005").read_bytes())
    start = gtids_said("binlog.000005")[0][0]
    data[start + 4] = events.ANONYMOUS_GTID
    data[start + 20 : start + 44] = bytes(24)
    path = tmp_path / "anonymous"
    path.write_bytes(data)
    with opened(path) as (file, state):
        assert len(list(file.transactions(state))) == len(gtids_said("binlog.000005")) - 1
        assert state.anonymous == 1


HEARTBEAT, IGNORABLE_EVENT, ROWS_QUERY, HEARTBEAT_V2 = 27, 28, 29, 41


@pytest.mark.parametrize("kind", [HEARTBEAT, IGNORABLE_EVENT, ROWS_QUERY, HEARTBEAT_V2, 55, 200])
@pytest.mark.parametrize("inside", [False, True])
def test_events_that_do_not_matter_are_passed_over(kind: int, inside: bool, tmp_path: Path) -> None:
    """Types of later versions included, if they are marked as such; inside of a transaction the jump misses, too."""
    data = (LOGS / "binlog.000005").read_bytes()
    start = gtids_said("binlog.000005")[0][0]
    at = start + events.header(data[start:]).size if inside else start
    other = struct.pack("<IBIIIH", 0, kind, 1, 19 + 8, 0, events.IGNORABLE) + bytes(8)
    path = tmp_path / "unknown"
    path.write_bytes(data[:at] + other + data[at:])
    for way in (LogFile, Walking):
        assert [text(one) for one in read(path, kind=way)[0]] == [gtid for _, gtid in gtids_said("binlog.000005")]


def test_an_unknown_event_that_may_not_be_ignored_is_damage(tmp_path: Path) -> None:
    data = (LOGS / "binlog.000005").read_bytes()
    start = gtids_said("binlog.000005")[0][0]
    path = tmp_path / "unknown"
    path.write_bytes(data[:start] + struct.pack("<IBIIIH", 0, 200, 1, 19 + 8, 0, 0) + bytes(8) + data[start:])
    with pytest.raises(Fault, match="an event of type 200"):
        read(path)


def test_previous_gtids_round_trip_as_the_server_writes_them() -> None:
    for name in SAID["binary"]:
        data = (LOGS / name).read_bytes()
        position = events.header(data[4:]).size + 4
        event = data[position : position + events.header(data[position:]).size]
        with opened(LOGS / name) as (_, state):
            assert state.previous is not None
            ours = events.write_previous_gtids(state.previous, 1, position, state.checksums)
        stop = -4 if state.checksums else None
        assert ours[4:stop] == event[4:stop]


@pytest.mark.parametrize("junk", [b"", b"\0" * 8, b"\1" * 8, b"\xff" * 40, b"\1\2\0\0\0\0\0\1" + bytes(30)])
def test_bad_previous_gtids_are_bad_events(junk: bytes) -> None:
    if junk == b"\0" * 8:
        assert events.previous_gtids(junk) == GtidSet()
        return
    with pytest.raises(events.BadEvent):
        events.previous_gtids(junk)


@pytest.mark.parametrize("name", ["binlog.000002", "binlog.000003", "relay.000012"])
def test_a_quick_walk_over_damage_ends_and_raises_nothing_else(name: str, tmp_path: Path) -> None:
    data = (LOGS / name).read_bytes()
    path = tmp_path / "mutated"
    chance = random.Random(name)
    for _ in range(400):
        mutated = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        start = chance.randrange(len(mutated))
        del mutated[start : start + chance.choice([0, 0, 1, 19, 300])]
        path.write_bytes(mutated)
        for kind in (LogFile, Walking):
            with contextlib.suppress(Fault):
                found, _ = read(path, kind=kind)
                assert all(4 <= one.start < one.end <= len(mutated) for one in found)
