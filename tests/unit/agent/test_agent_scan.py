"""Scanning and extracting: heads first, exact slices, streams that fit together again."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from pathlib import Path

import pytest

from failoverd.agent.binlog import events, walks
from failoverd.agent.binlog.delta import DeltaReader, DeltaWriter
from failoverd.agent.binlog.extract import Wanted, extract
from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.binlog.scan import Contents, Scanner
from failoverd.agent.faults import Fault
from failoverd.gtid import GtidSet
from tests.unit.agent.corpus import LOGS, SAID, gtids_said


def nothing() -> None:
    """Never ends a scan."""


def place(kind: str, folder: Path = LOGS) -> LogPlace:
    basename = folder / ("binlog" if kind == "binary" else "relay")
    return LogPlace(str(basename), f"{basename}.index", str(folder))


def scan(kind: str, folder: Path = LOGS, verify: bool = False) -> list[Contents]:
    return Scanner().scan(place(kind, folder).files(), verify, nothing)


def union(contents: list[Contents]) -> GtidSet:
    found = GtidSet()
    for one in contents:
        found |= one.holds
    return found


def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    shutil.copytree(LOGS, folder, ignore=shutil.ignore_patterns("*.py", "*.json"))
    return folder


def delta(contents: list[Contents], wanted: GtidSet, largest: int = 1 << 20, limit: int = 0) -> tuple[bytes, GtidSet]:
    sent: list[bytes] = []
    writer = DeltaWriter(sent.append, largest)
    got, _ = extract(contents, wanted, writer, limit, nothing)
    return b"".join(sent), got


def unpack(stream: bytes, step: int = 1000) -> list[bytes]:
    reader, files = DeltaReader(), list[bytes]()
    for at in range(0, len(stream), step):
        for new, data in reader.feed(stream[at : at + step]):
            if new:
                files.append(b"")
            else:
                files[-1] += data
    reader.finish()
    return files


@pytest.mark.parametrize("verify", [False, True])
def test_binary_logs_hold_what_the_server_executed(verify: bool) -> None:
    found = scan("binary", verify=verify)
    assert str(union(found)) == SAID["executed"]
    # a file between heads that do not differ is read itself
    assert [one.exact for one in found] == [verify, verify, verify, True, verify, True]


@pytest.mark.parametrize("verify", [False, True])
def test_relay_logs_hold_what_the_server_retrieved(verify: bool) -> None:
    assert str(union(scan("relay", verify=verify))) == SAID["retrieved"]


def test_each_file_holds_what_was_executed_while_it_was_written() -> None:
    before = GtidSet()
    for one in scan("binary")[:-1]:
        after = GtidSet.parse(SAID["executed_after"][os.path.basename(one.path)])
        assert one.holds == after - before
        before = after


def test_only_the_last_file_is_walked(tmp_path: Path) -> None:
    """Damage inside an older file does not show in a quick scan, and does in a verifying one."""
    folder = copied(tmp_path)
    path = folder / "binlog.000001"
    data = bytearray(path.read_bytes())
    start = gtids_said(path.name)[3][0]
    data[start + 100] ^= 1
    path.write_bytes(data)
    assert str(union(scan("binary", folder))) == SAID["executed"]
    found = scan("binary", folder, verify=True)
    (fault,) = [fault for one in found for fault in one.faults]
    assert (fault.code, "binlog.000001 is damaged at offset" in fault.what) == ("DAMAGED", True)
    assert union(found) == GtidSet.parse(SAID["executed"]) - GtidSet.parse(gtids_said(path.name)[3][1])


def test_a_second_scan_reads_only_what_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied(tmp_path)
    path = folder / "binlog.000006"
    data = path.read_bytes()
    cut = gtids_said(path.name)[4][0]
    path.write_bytes(data[:cut])
    scanner = Scanner()
    first = scanner.scan(place("binary", folder).files(), False, nothing)
    with path.open("ab") as stream:
        stream.write(data[cut:])
    reads: list[int] = []
    real = LogFile.read

    def watched(self: LogFile, start: int, length: int) -> bytes:
        reads.append(start)
        return real(self, start, length)

    monkeypatch.setattr(LogFile, "read", watched)
    second = scanner.scan(place("binary", folder).files(), False, nothing)
    assert union(first) < union(second)
    assert str(union(second)) == SAID["executed"]
    # the first look and the landmark tell that it is the same file
    landmark = gtids_said(path.name)[3][0]
    assert {at for at in reads if at < cut} == {0, 4 + events.FLAGS_AT, landmark}


def test_a_new_file_under_an_old_name_is_read_anew(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    scanner = Scanner()
    scanner.scan(place("binary", folder).files(), False, nothing)
    other = folder / "other"
    other.write_bytes((folder / "binlog.000001").read_bytes())
    other.replace(folder / "binlog.000006")
    last = scanner.scan(place("binary", folder).files(), False, nothing)[-1]
    assert str(last.holds) == SAID["executed_after"]["binlog.000001"]


def test_sets_that_do_not_grow_make_the_file_be_walked(tmp_path: Path) -> None:
    """After a restart a relay log may begin with an empty PREVIOUS_GTIDS: the file before it is read itself."""
    folder = copied(tmp_path)
    for path in folder.glob("relay.00001*"):
        path.unlink()
    shutil.copy(LOGS / "relay.000001", folder / "relay.000010")
    found = scan("relay", folder)
    assert found[-2].exact
    expected = GtidSet.parse(",".join(gtid for name in sorted(SAID["relay"])[:9] for _, gtid in gtids_said(name)))
    assert union(found) == expected


def test_a_log_that_begins_anew_hides_nothing(tmp_path: Path) -> None:
    """After relay_log_recovery the next file begins with an empty set, as did the one before it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    shutil.copy(LOGS / "relay.000002", folder / "relay.000001")
    shutil.copy(LOGS / "relay.000001", folder / "relay.000002")
    with contextlib.closing(LogFile(str(folder / "relay.000001"))) as file:
        assert file.head().previous == GtidSet()
    assert union(scan("relay", folder)) == GtidSet.parse(",".join(gtid for _, gtid in gtids_said("relay.000002")))


def test_a_set_that_grew_by_more_than_the_file_holds_is_not_believed(tmp_path: Path) -> None:
    """Who sets gtid_purged makes the next head claim what no file has."""
    folder = copied(tmp_path)
    claimed = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-100000"
    data = (folder / "binlog.000002").read_bytes()
    position = 4 + events.header(data[4:]).size
    with contextlib.closing(LogFile(str(folder / "binlog.000002"))) as file:
        previous = file.head().previous
    assert previous is not None
    head = events.write_previous_gtids(previous | GtidSet.parse(claimed), 1, position, True)
    after = position + events.header(data[position:]).size
    (folder / "binlog.000002").write_bytes(data[:position] + head + data[after:])
    first = scan("binary", folder)[0]
    assert first.exact
    assert not first.holds & GtidSet.parse(claimed)


def test_a_claim_of_heads_that_the_file_does_not_keep_is_named(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    contents = scan("binary", folder)
    told = contents[0]
    assert not told.exact
    more = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:7")
    lying = Contents(told.path, told.size, told.holds | more, None, exact=False)
    sent, (refused,) = extract([lying], told.holds | more, DeltaWriter(lambda _: None), 0, nothing)
    assert sent == told.holds
    assert refused.gtids == more
    assert "does not hold what its head" in refused.fault.what


def test_a_file_that_is_purged_meanwhile_is_passed_over(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    paths = place("relay", folder).files()
    (folder / "relay.000001").unlink()
    assert len(Scanner().scan(paths, False, nothing)) == len(paths) - 1


def test_what_was_read_before_the_end_of_the_time_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    grow(folder / "binlog.000001", 3000)
    scanner, calls = Scanner(), [0]

    def impatient() -> None:
        calls[0] += 1
        if calls[0] == 4:
            raise TimeoutError

    rounds = 0
    while calls[0] < 100:
        rounds += 1
        calls[0] = 0
        try:
            found = scanner.scan([str(folder / "binlog.000001")], False, impatient)
        except TimeoutError:
            continue
        break
    assert rounds > 2
    assert union(found).count() == 3000


def grow(path: Path, count: int) -> None:
    """A file with `count` transactions, made of one real transaction with other numbers and no checksums."""
    data = (LOGS / "binlog.000005").read_bytes()
    with contextlib.closing(LogFile(str(LOGS / "binlog.000005"))) as file:
        one = next(file.transactions(file.head()))
    assert not events.has_checksums(data[4 : 4 + events.header(data[4:]).size])
    body = bytearray(data[one.start : one.end])
    with path.open("wb") as stream:
        stream.write(data[: one.start])
        for number in range(1, count + 1):
            body[36:44] = number.to_bytes(8, "little")
            stream.write(body)


def test_only_the_stretch_that_holds_the_wanted_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "SEGMENT", 100_000)
    path = tmp_path / "binlog.000001"
    grow(path, 5000)
    contents = Scanner().scan([str(path)], False, nothing)
    assert len(contents[0].segments) > 5
    (uuid,) = contents[0].holds.uuids()
    wanted = GtidSet.parse(f"{uuid}:4990-4995")
    reads: list[int] = []
    real = LogFile.read

    def watched(self: LogFile, start: int, length: int) -> bytes:
        reads.append(start)
        return real(self, start, length)

    monkeypatch.setattr(LogFile, "read", watched)
    stream, got = delta(contents, wanted)
    assert got == wanted
    assert len(unpack(stream)) == 1
    assert min(reads) > path.stat().st_size - 250_000


def test_an_encrypted_file_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "binlog.000007").write_bytes(b"\xfdbin" + bytes(600))
    found = scan("binary", folder)
    assert str(union(found)) == SAID["executed"]
    (fault,) = [fault for one in found for fault in one.faults]
    assert (fault.code, fault.what) == ("ENCRYPTED", "log file binlog.000007 is encrypted")


def test_files_are_found_with_a_missing_or_lying_index(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    names = [f"relay.{number:06d}" for number in range(1, 17)]
    assert [os.path.basename(path) for path in place("relay", folder).files()] == names
    (folder / "relay.index").write_text("")
    assert [os.path.basename(path) for path in place("relay", folder).files()] == names
    (folder / "relay.index").unlink()
    (folder / "relay-fo_recover.000001").write_bytes(b"x")
    (folder / "relay.000017x").write_bytes(b"x")
    assert [os.path.basename(path) for path in place("relay", folder).files()] == names


def test_an_index_may_name_files_elsewhere_or_gone(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "binlog.000001").replace(elsewhere / "binlog.000001")
    lines = [f"{elsewhere}/binlog.000001", "./binlog.000000", *(f"./binlog.{number:06d}" for number in range(2, 7))]
    (folder / "binlog.index").write_text("\n".join(lines) + "\n")
    found = place("binary", folder).files()
    assert found[0] == f"{elsewhere}/binlog.000001"
    assert len(found) == 6


def test_numbers_sort_as_numbers(tmp_path: Path) -> None:
    for name in ("binlog.999999", "binlog.1000000", "binlog.000002"):
        (tmp_path / name).write_bytes(b"")
    names = [os.path.basename(path) for path in place("binary", tmp_path).files()]
    assert names == ["binlog.000002", "binlog.999999", "binlog.1000000"]


@pytest.mark.parametrize("kind", ["binary", "relay"])
@pytest.mark.parametrize("largest", [1, 900, 1 << 20])
def test_extracted_files_are_log_files_with_the_same_bytes(kind: str, largest: int, tmp_path: Path) -> None:
    contents = scan(kind)
    everything = union(contents)
    stream, got = delta(contents, everything, largest)
    assert got == everything
    files = unpack(stream)
    folder = tmp_path / "out"
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"binlog.{number + 1:06d}").write_bytes(data)
    found = Scanner().scan(place("binary", folder).files(), True, nothing)
    assert union(found) == everything
    before = GtidSet()
    for one in found:
        with contextlib.closing(LogFile(one.path)) as file:
            assert file.head().previous == before
            assert not events.header(file.read(4, 19)).flags & events.IN_USE
        before |= one.holds
    assert transactions(folder, "binlog") == transactions(LOGS, "binlog" if kind == "binary" else "relay")


def transactions(folder: Path, basename: str) -> dict[tuple[str, str, int], bytes]:
    found = {}
    for path in sorted(folder.glob(f"{basename}.[0-9]*")):
        with contextlib.closing(LogFile(str(path))) as file:
            for one in file.transactions(file.head(), verify=True):
                found[one.uuid, one.tag, one.number] = file.read(one.start, one.end - one.start)
    return found


def test_exactly_the_wanted_ones_are_sent() -> None:
    contents = scan("binary")
    everything = list(transactions(LOGS, "binlog"))
    chance = random.Random(7)
    for _ in range(30):
        chosen = chance.sample(everything, chance.randint(1, len(everything)))
        wanted = GtidSet()
        for uuid, tag, number in chosen:
            wanted |= GtidSet.single(uuid, tag, number)
        stream, got = delta(contents, wanted, chance.choice([500, 2000, 1 << 20]))
        assert got == wanted
        assert unpack(stream, chance.randint(1, 500))


def test_nothing_wanted_is_an_empty_stream() -> None:
    stream, got = delta(scan("binary"), GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"))
    assert got == GtidSet()
    assert unpack(stream) == []


def test_a_limit_ends_after_the_transaction_that_passes_it() -> None:
    contents = scan("binary")
    _, got = delta(contents, union(contents), limit=1)
    assert got.count() == 1


def test_a_transaction_in_both_logs_travels_once() -> None:
    both = [*scan("binary"), *scan("relay")]
    sent: list[bytes] = []
    writer = DeltaWriter(sent.append)
    extract(both, union(both), writer, 0, nothing)
    assert writer.transactions == union(both).count()


def test_a_damaged_wanted_transaction_is_never_sent(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    path = folder / "binlog.000001"
    start, gtid = gtids_said(path.name)[3]
    data = bytearray(path.read_bytes())
    data[start + 100] ^= 1
    path.write_bytes(data)
    scanner = Scanner()
    contents = scanner.scan(place("binary", folder).files(), False, nothing)
    others = union(contents) - GtidSet.parse(gtid)
    sent, refused = extract(contents, union(contents), DeltaWriter(lambda _: None), 0, nothing)
    assert sent == others
    (one,) = refused
    assert (str(one.gtids), one.path) == (gtid, str(path))
    assert one.fault.what == f"log file binlog.000001 is damaged at offset {damaged_event(path, start)}"
    # from then on no scan says that the file has it
    scanner.distrust(one.path, one.gtids, one.fault)
    again = scanner.scan(place("binary", folder).files(), False, nothing)
    assert union(again) == others
    assert again[0].faults == (one.fault,)


def damaged_event(path: Path, start: int) -> int:
    """Where the event stands that holds the byte 100 behind the beginning of a transaction."""
    data, at = path.read_bytes(), start
    while at + events.header(data[at:]).size <= start + 100:
        at += events.header(data[at:]).size
    return at


def test_a_damaged_transaction_is_taken_from_the_next_file_that_has_it(tmp_path: Path) -> None:
    """The source's binary log is damaged there; the relay log of the same host is not."""
    folder = copied(tmp_path)
    path = folder / "binlog.000001"
    start, gtid = gtids_said(path.name)[3]
    data = bytearray(path.read_bytes())
    data[start + 100] ^= 1
    path.write_bytes(data)
    contents = [*scan("binary", folder), *scan("relay", folder)]
    sent, refused = extract(contents, GtidSet.parse(gtid), DeltaWriter(lambda _: None), 0, nothing)
    assert str(sent) == gtid
    assert len(refused) == 1


@pytest.mark.parametrize("bad", [b"junk", b"", b"F", b"FD", b"DZ", b"FZZ", b"FD\xff\xff\xff\xff"])
def test_other_streams_are_refused(bad: bytes) -> None:
    import zlib

    for stream in (bad, zlib.compress(bad)):
        with pytest.raises(Fault) as caught:
            unpack(stream)
        assert caught.value.code == "BAD_REQUEST"


def test_a_bomb_is_taken_in_small_bites() -> None:
    import zlib

    bomb = zlib.compress(b"F" + b"".join(b"D\x00\x10\x00\x00" + bytes(1 << 20) for _ in range(64)) + b"Z")
    assert len(bomb) < 100_000
    reader = DeltaReader()
    largest = max(len(data) for _, data in reader.feed(bomb))
    reader.finish()
    assert largest == 1 << 20


def test_wanted_answers_like_the_set() -> None:
    uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    wanted = Wanted(GtidSet.parse(f"{uuid}:3-5:9:tag:2"))
    assert [number for number in range(1, 12) if wanted.has(uuid, "", number)] == [3, 4, 5, 9]
    assert wanted.has(uuid, "tag", 2)
    assert not wanted.has(uuid, "tag", 3)
    assert not wanted.has("", "", 3)
