"""Log files under any damage: a located error or a whole answer, in bounded work and memory, never anything else."""

from __future__ import annotations

import contextlib
import re
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from failoverd.agent.binlog import events
from failoverd.agent.binlog.delta import DeltaReader, DeltaWriter
from failoverd.agent.binlog.extract import extract
from failoverd.agent.binlog.logfile import LogFile
from failoverd.agent.binlog.places import LogPlace
from failoverd.agent.binlog.scan import Scanner
from failoverd.agent.binlog.verifying import verify
from failoverd.agent.faults import Fault
from failoverd.gtid import GtidSet
from tests.unit.agent.corpus import FILES, LOGS

CONTENT = {name: (LOGS / name).read_bytes() for name in FILES}
PLACED = re.compile(r"log file \S+ is (damaged at offset \d+|encrypted)")

Mutation = tuple[str, int, int]
mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "zeros", "ones", "cut", "drop", "repeat", "size", "kind", "body"]),
        st.integers(0, 2**16),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=6,
)


def flip(out: bytearray, at: int, amount: int) -> None:
    out[at] ^= 1 << amount % 8


def zeros(out: bytearray, at: int, amount: int) -> None:
    width = len(out[at : at + 1 + amount % 64])
    out[at : at + width] = bytes(width)


def ones(out: bytearray, at: int, amount: int) -> None:
    width = len(out[at : at + 1 + amount % 64])
    out[at : at + width] = b"\xff" * width


def cut(out: bytearray, at: int, _amount: int) -> None:
    del out[at:]


def drop(out: bytearray, at: int, amount: int) -> None:
    del out[at : at + 1 + amount % 64]


def repeat(out: bytearray, at: int, amount: int) -> None:
    out[at:at] = out[at : at + 1 + amount % 512]


def size(out: bytearray, at: int, amount: int) -> None:
    start = beginning(out, at)
    out[start + 9 : start + 13] = amount.to_bytes(4, "little")


def kind(out: bytearray, at: int, amount: int) -> None:
    start = beginning(out, at)
    out[start + 4 : start + 5] = bytes([amount % 256])


def body(out: bytearray, at: int, amount: int) -> None:
    start = beginning(out, at)
    out[start + 19 : start + 60] = amount.to_bytes(4, "little") * 10 + b"\0"


ACTS = {act.__name__: act for act in (flip, zeros, ones, cut, drop, repeat, size, kind, body)}


def mutated(data: bytes, changes: list[Mutation]) -> bytes:
    out = bytearray(data)
    for what, place, amount in changes:
        if out:
            ACTS[what](out, place % len(out), amount)
    return bytes(out)


def beginning(data: bytearray, place: int) -> int:
    """Where one of the events begins, as far as they can still be told."""
    starts, at = [4], 4
    while at + events.HEADER_SIZE < len(data) and events.header(data[at : at + 19]).size >= 19 and len(starts) < 500:
        at += events.header(data[at : at + 19]).size
        starts.append(at)
    return starts[place % len(starts)]


@contextlib.contextmanager
def laid(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "relay.000001"
        path.write_bytes(data)
        (path.parent / "relay.index").write_text("./relay.000001\n")
        yield path


def bounded() -> Callable[[], None]:
    """A check that fails a reader which goes round in circles: it is asked every 500 looks, and files are small."""
    calls = [0]

    def check() -> None:
        calls[0] += 1
        assert calls[0] < 60, "it does not end"

    return check


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(FILES), mutations, st.booleans())
def test_any_damage_is_a_placed_fault_or_nothing(name: str, changes: list[Mutation], verified: bool) -> None:
    data = mutated(CONTENT[name], changes)
    with laid(data) as path:
        (found,) = Scanner().scan([str(path)], verified, bounded())
        assert all(PLACED.match(fault.what) for fault in found.faults)
        for place in re.findall(r"offset (\d+)", " ".join(fault.what for fault in found.faults)):
            assert int(place) <= len(data)
        place = LogPlace(str(path.parent / "relay"), str(path.parent / "relay.index"), str(path.parent))
        told = verify(place, "relay.000001", 0, bounded())
        assert all(PLACED.match(fault.what) for fault in told.faults)
        if verified:
            assert told.sound <= found.holds


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), mutations)
def test_what_is_taken_out_is_sound(name: str, changes: list[Mutation]) -> None:
    """Extraction from damaged files gives whole log files, with exactly what it says, or names what it refuses."""
    with laid(mutated(CONTENT[name], changes)) as path:
        found = Scanner().scan([str(path)], False, bounded())
        sent: list[bytes] = []
        got, refused = extract(found, found[0].holds, DeltaWriter(sent.append), 0, bounded())
        left = found[0].holds - got
        named = GtidSet()
        for one in refused:
            assert one.fault.code == "DAMAGED"
            named |= one.gtids
        assert left <= named
        reader, files = DeltaReader(), list[bytes]()
        for new, data in reader.feed(b"".join(sent)):
            files += [b""] if new else []
            files[-1] += data
        reader.finish()
        held = GtidSet()
        for number, data in enumerate(files):
            again = path.parent / f"delta.{number:06d}"
            again.write_bytes(data)
            (whole,) = Scanner().scan([str(again)], True, lambda: None)
            assert whole.faults == ()
            held |= whole.holds
        assert held == got


def test_a_lying_size_costs_no_memory(tmp_path: Path) -> None:
    """A head event that claims a great deal of a large file is refused before it is loaded."""
    path = tmp_path / "relay.000001"
    data = bytearray(CONTENT["relay.000012"])
    start = 4 + events.header(data[4:]).size
    for kind in (events.PREVIOUS_GTIDS, events.FORMAT_DESCRIPTION, events.GTID):
        data[start + 4] = kind
        data[start + 9 : start + 13] = (60 << 20).to_bytes(4, "little")
        with path.open("wb") as stream:
            stream.write(data)
            stream.truncate(200 << 20)
        tracemalloc.start()
        try:
            with contextlib.closing(LogFile(str(path))) as file, contextlib.suppress(Fault):
                for verified in (False, True):
                    list(file.transactions(file.head(), verified))
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()
