"""One log file: its head, and its transactions one by one, with constant memory whatever the file's size."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from failoverd.agent.binlog import events
from failoverd.agent.faults import DAMAGED, ENCRYPTED, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failoverd.gtid import GtidSet

START = 4
_GTID_ROOM = 256
"""More than any GTID event has; one read gives header and body of the next transaction's beginning."""

_PIECE = 1024 * 1024
_LARGEST_HEAD = 64 * 1024 * 1024


class Transaction(NamedTuple):
    """One whole transaction: bytes [start, end) of its file; uuid is "" and number 0 for an anonymous one."""

    uuid: str
    tag: str
    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Torn:
    """Where a file stops making whole transactions: the offset from which on bytes are left over, and how many."""

    file: str
    offset: int
    bytes: int

    def as_json(self) -> dict[str, object]:
        """For replies."""
        return {"file": self.file, "offset": self.offset, "bytes": self.bytes}


class State:
    """How far a walk has come: everything before `position` is read, and a later walk can go on from there.

    `description` is the format description that governs what follows, `previous` the set of PREVIOUS_GTIDS (None until
    one was read), `halves` the offsets of transactions that never end.
    """

    def __init__(self) -> None:
        self.position = START
        self.checksums = False
        self.description = b""
        self.previous: GtidSet | None = None
        self.anonymous = 0
        self.halves: list[int] = []


class _Torn(Exception):
    """The file ends inside an event; not an error by itself."""


class _Half(Exception):
    """A transaction is followed by something that cannot stand inside it; carries where that something is."""

    def __init__(self, resume: int) -> None:
        super().__init__(resume)
        self.resume = resume


class LogFile:
    """A binary or relay log file, open for reading until `close`.

    Errors: Fault ENCRYPTED for an encrypted file, Fault DAMAGED with file, offset and reason for anything that is
    neither whole nor simply cut off at the end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.size = status.st_size
        self.identity = (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def read(self, start: int, length: int) -> bytes:
        """Read bytes of the file as it was when opened; fewer at its end."""
        return os.pread(self._fd, min(length, self.size - start), start) if start < self.size else b""

    def damaged(self, offset: int, why: str) -> Fault:
        """Make the error that names a place of this file."""
        return Fault(DAMAGED, f"log file {self.name} is damaged at offset {offset}", why)

    def head(self) -> State:
        """Read magic, format description and, where it follows, PREVIOUS_GTIDS; the state stands behind them."""
        state = State()
        magic = self.read(0, len(events.MAGIC))
        if magic == events.ENCRYPTED_MAGIC:
            raise Fault(ENCRYPTED, f"log file {self.name} is encrypted", "it needs the server's keyring to be read")
        if magic != events.MAGIC:
            if events.MAGIC.startswith(magic):
                return state
            raise self.damaged(0, f"it begins with {magic.hex()}, not with {events.MAGIC.hex()}")
        try:
            self._head_event(state, events.FORMAT_DESCRIPTION)
            self._head_event(state, events.PREVIOUS_GTIDS)
        except _Torn:
            return state
        return state

    def _head_event(self, state: State, kind: int) -> None:
        found = self._header(state.position)
        if found.kind == kind:
            self._between(state, found)
        elif kind == events.FORMAT_DESCRIPTION:
            raise self.damaged(state.position, f"no format description but an event of type {found.kind}")

    def transactions(self, state: State, verify: bool = False) -> Iterator[Transaction]:
        """Give the whole transactions from `state` on, and move it; with `verify` every checksum is computed.

        Without `verify` a transaction is left by one jump over its length, if the jump ends where a transaction can
        end; else event by event. The walk ends at the end of the file or where the file is torn (see `torn`).
        """
        try:
            while state.position < self.size:
                found = self._header(state.position)
                if found.kind not in events.BEGINNINGS:
                    self._between(state, found, verify)
                    continue
                try:
                    whole = self._transaction(state, found, verify)
                except _Half as half:
                    state.halves.append(state.position)
                    state.position = half.resume
                    continue
                if whole.uuid:
                    yield whole
                else:
                    state.anonymous += 1
                state.position = whole.end
        except _Torn:
            return

    def torn(self, state: State) -> Torn | None:
        """After a walk: where whole transactions end, if bytes are left over behind them."""
        if state.position >= self.size:
            return None
        return Torn(self.name, state.position, self.size - state.position)

    def verify(self, start: int, end: int, checksums: bool) -> None:
        """Compute the checksums of a transaction's events; Fault DAMAGED names the first that is wrong."""
        if not self._sound(start, end, checksums):
            raise self.damaged(start, "the transaction's events do not fill its length")

    def _sound(self, start: int, end: int, checksums: bool) -> bool:
        """Whether whole events of one transaction fill [start, end) exactly; Fault DAMAGED for a wrong checksum."""
        if end - start > _PIECE:
            return self._sound_in_pieces(start, end, checksums)
        data = memoryview(self.read(start, end - start))
        at, size = 0, len(data)
        while at + events.HEADER_SIZE <= size:
            found = events.header(data[at : at + events.HEADER_SIZE])
            after = at + found.size
            if not events.HEADER_SIZE <= found.size <= size - at or (at and found.kind in events.BETWEEN):
                return False
            if checksums and zlib.crc32(data[at : after - 4]) != int.from_bytes(data[after - 4 : after], "little"):
                raise self.damaged(start + at, f"the checksum of an event of type {found.kind} is wrong")
            at = after
        return at == end - start

    def _sound_in_pieces(self, start: int, end: int, checksums: bool) -> bool:
        """Do the same for a transaction that is too large to be held in memory."""
        position = start
        while position < end:
            found = self._header(position)
            if position > start and found.kind in events.BETWEEN:
                return False
            position = self._checked(position, found, checksums)
        return position == end

    def _header(self, position: int) -> events.Header:
        data = self.read(position, events.HEADER_SIZE)
        if len(data) < events.HEADER_SIZE:
            raise _Torn
        return self._plausible(position, events.header(data))

    def _plausible(self, position: int, found: events.Header) -> events.Header:
        if found.size == 0 and found.kind == 0 and self._zeros_from(position):
            raise _Torn
        if found.size < events.HEADER_SIZE:
            raise self.damaged(position, f"an event of {found.size} bytes")
        if not 0 < found.kind <= events.LAST_KNOWN_TYPE:
            raise self.damaged(position, f"an event of type {found.kind}")
        if position + found.size > self.size:
            raise _Torn
        return found

    def _zeros_from(self, position: int) -> bool:
        """Whether only zeros are left: what a file system shows of bytes that were never written before a crash."""
        while position < self.size:
            piece = self.read(position, _PIECE)
            if not piece or piece.count(0) != len(piece):
                return False
            position += len(piece)
        return True

    def _between(self, state: State, found: events.Header, verify: bool = False) -> None:
        """Pass an event outside of transactions, and take from it what governs the rest."""
        start = state.position
        if found.kind in (events.FORMAT_DESCRIPTION, events.PREVIOUS_GTIDS):
            self._governing(state, found)
        elif verify:
            self._checked(start, found, state.checksums)
        state.position = start + found.size

    def _governing(self, state: State, found: events.Header) -> None:
        start = state.position
        if found.size > _LARGEST_HEAD:
            raise self.damaged(start, f"a head event of {found.size} bytes")
        event = self.read(start, found.size)
        describes = found.kind == events.FORMAT_DESCRIPTION
        # heads are always verified: one wrong byte in them would mislead the reading of everything else
        if (describes or state.checksums) and events.checksum_of(event) != int.from_bytes(event[-4:], "little"):
            raise self.damaged(start, "the checksum of a head event is wrong")
        try:
            if describes:
                state.checksums, state.description = events.has_checksums(event), event
            else:
                stop = -events.CHECKSUM_SIZE if state.checksums else None
                state.previous = events.previous_gtids(event[events.HEADER_SIZE : stop])
        except events.BadEvent as error:
            raise self.damaged(start, str(error)) from error

    def _transaction(self, state: State, found: events.Header, verify: bool) -> Transaction:
        start = state.position
        try:
            gtid = events.gtid_event(self.read(start, min(found.size, _GTID_ROOM)))
        except events.BadEvent as error:
            raise self.damaged(start, str(error)) from error
        end = start + gtid.length
        jumps = gtid.length and self._ends_at(start + found.size, end)
        if not jumps or (verify and not self._sound(start, end, state.checksums)):
            end = self._walk(state, found, verify)
        return Transaction(gtid.uuid, gtid.tag, gtid.number, start, end)

    def _ends_at(self, earliest: int, end: int) -> bool:
        """Whether a transaction can end at `end`: the file does, or something follows that stands between."""
        if end <= earliest or end >= self.size:
            return end == self.size and end > earliest
        data = self.read(end, events.HEADER_SIZE)
        if len(data) < events.HEADER_SIZE:
            return False
        after = events.header(data)
        return after.kind in events.BETWEEN and events.HEADER_SIZE < after.size <= self.size - end

    def _walk(self, state: State, found: events.Header, verify: bool) -> int:
        """Go event by event from a GTID event to the end of its transaction; _Half when it never ends."""
        position, grouped = state.position, False
        while True:
            position = self._checked(position, found, state.checksums) if verify else position + found.size
            if position >= self.size:
                raise _Torn
            found = self._header(position)
            if found.kind in events.BETWEEN:
                raise _Half(position)
            if found.kind == events.QUERY:
                grouped, ended = _query(grouped, self._statement(position, found))
            else:
                ended = found.kind in (events.XID, events.XA_PREPARE, events.TRANSACTION_PAYLOAD)
            if ended:
                return self._checked(position, found, state.checksums) if verify else position + found.size

    def _checked(self, position: int, found: events.Header, checksums: bool) -> int:
        """Verify one event's checksum in pieces, and give its end."""
        end = position + found.size
        if not checksums and found.kind != events.FORMAT_DESCRIPTION:
            return end
        if found.kind == events.FORMAT_DESCRIPTION:
            right = events.checksum_of(self.read(position, found.size))
        else:
            right, at = 0, position
            while at < end - events.CHECKSUM_SIZE:
                piece = self.read(at, min(_PIECE, end - events.CHECKSUM_SIZE - at))
                right, at = zlib.crc32(piece, right), at + len(piece)
        if int.from_bytes(self.read(end - events.CHECKSUM_SIZE, events.CHECKSUM_SIZE), "little") != right:
            raise self.damaged(position, f"the checksum of an event of type {found.kind} is wrong")
        return end

    def _statement(self, position: int, found: events.Header) -> bytes:
        """Read the first words of a query event's statement."""
        # thread 4, time 4, length of the database's name 1, error 2, length of the status variables 2
        fixed = self.read(position + events.HEADER_SIZE, 13)
        if len(fixed) < 13 or found.size < events.HEADER_SIZE + 13:
            raise self.damaged(position, "a query event is cut short")
        skipped = events.HEADER_SIZE + 13 + int.from_bytes(fixed[11:13], "little") + fixed[8] + 1
        return self.read(position + skipped, max(0, min(16, found.size - skipped)))


def _query(grouped: bool, statement: bytes) -> tuple[bool, bool]:
    """Say (are we inside BEGIN, has the transaction ended) after a statement.

    Outside BEGIN every statement is a transaction by itself (DDL, XA COMMIT); inside only COMMIT and ROLLBACK end it.
    """
    words = statement.upper()
    if not grouped:
        opens = words.startswith((b"BEGIN", b"XA START"))
        return opens, not opens
    ends = words.startswith(b"COMMIT") or (words.startswith(b"ROLLBACK") and not words.startswith(b"ROLLBACK TO"))
    return True, ends
