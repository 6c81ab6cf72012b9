"""One log file: its head, and its transactions one by one, with constant memory whatever the file's size."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

from failoverd.agent.binlog import events
from failoverd.agent.binlog.found import START, Damage, State, Torn, Transaction
from failoverd.agent.faults import DAMAGED, ENCRYPTED, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GTID_ROOM = 256
"""More than any GTID event has; one read gives header and body of the next transaction's beginning."""

_PIECE = 1024 * 1024
_GLANCE = 512
"""What one look at a place of a file reads: most transactions' beginnings, and the beginning of what follows."""

_LARGEST_DESCRIPTION = 64 * 1024
_LARGEST_PREVIOUS = 64 * 1024 * 1024
_LARGEST_UNCHECKED = 16 * 1024 * 1024
"""A set whose event has no checksum may be anything; three quarters of a million intervals are enough then."""

_CHECK_EVERY = 500
_MOST_DAMAGED = 1000

_KIND_AND_SIZE = struct.Struct("<4xB4xI")
_U32 = struct.Struct("<I")


class _Torn(Exception):
    """The file ends inside an event; not an error by itself."""


class _Half(Exception):
    """A transaction is followed by something that cannot stand inside it; carries where that something is."""

    def __init__(self, resume: int) -> None:
        super().__init__(resume)
        self.resume = resume


class _Unsound(Exception):
    """A transaction with a sound beginning and a known end has a wrong checksum."""

    def __init__(self, damage: Damage, end: int) -> None:
        super().__init__(damage, end)
        self.damage = damage
        self.end = end


def _no_check() -> None:
    """Never ends a reading."""


class LogFile:
    """A binary or relay log file, open for reading until `close`; `check` is called often and may raise to end it.

    With `whole` most of it will be read, not only the transactions' beginnings, and it is read in large pieces.

    Errors: Fault ENCRYPTED for an encrypted file, Fault DAMAGED with file, offset and reason for anything that is
    neither whole nor simply cut off at the end.
    """

    def __init__(self, path: str, check: Callable[[], None] = _no_check, whole: bool = False) -> None:
        self.path = path
        self._check = check
        self._looks = 0
        self.name = os.path.basename(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.size = status.st_size
        self._window = b""
        self._window_at = 0
        self._ahead = _PIECE if whole else _GLANCE

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def read(self, start: int, length: int) -> bytes:
        """Read bytes of the file as it was when opened; fewer at its end."""
        at = start - self._window_at
        if at >= 0 and at + length <= len(self._window):
            return self._window[at : at + length]
        if start >= self.size:
            return b""
        if length > self._ahead:
            return os.pread(self._fd, min(length, self.size - start), start)
        self._window_at, self._window = start, os.pread(self._fd, min(self._ahead, self.size - start), start)
        return self._window[:length]

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

    def standing_at(self, position: int) -> State:
        """A state at a place where a transaction begins or ends, under the format description that the file begins
        with; for a reader who was told the place. Fault DAMAGED when the file does not reach so far.
        """
        state = self.head()
        if position > self.size:
            raise self.damaged(self.size, f"the file ends before offset {position}, to which it was read before")
        try:
            while state.position < position:
                found = self._header(state.position)
                if found.kind in events.BEGINNINGS or found.kind not in events.BETWEEN:
                    break
                self._between(state, found)
        except _Torn:
            pass
        state.position = max(state.position, position)
        return state

    def _head_event(self, state: State, kind: int) -> None:
        found = self._header(state.position)
        if found.kind == kind:
            self._between(state, found)
        elif kind == events.FORMAT_DESCRIPTION:
            raise self.damaged(state.position, f"no format description but an event of type {found.kind}")

    def transactions(self, state: State, verify: bool = False) -> Iterator[Transaction]:
        """Give the whole transactions from `state` on, and move it; with `verify` every checksum is computed.

        A verifying walk leaves damaged transactions out and names them in the state's `damage`, as long as their own
        beginning can be trusted to say who they are and where they end; all other damage ends the walk with Fault.

        Without `verify` a transaction is left by one jump over its length, if the jump ends where a transaction can
        end; else event by event. The walk ends at the end of the file or where the file is torn (see `torn`).
        """
        self._ahead = _PIECE if verify else self._ahead
        try:
            while state.position < self.size:
                quick = self._quick(state, verify)
                if quick is not None:
                    state.position = quick.end
                    yield quick
                    continue
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
                except _Unsound as unsound:
                    state.damage.append(unsound.damage)
                    state.position = unsound.end
                    continue
                # before it is given: who stops listening here can go on later
                state.position = whole.end
                if whole.uuid:
                    yield whole
                else:
                    state.anonymous += 1
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
        data = self.read(start, end - start)
        view, at, size = memoryview(data), 0, len(data)
        shortest = events.HEADER_SIZE + (events.CHECKSUM_SIZE if checksums else 0)
        while at + shortest <= size:
            kind, length = _KIND_AND_SIZE.unpack_from(data, at)
            after = at + length
            if length < shortest or after > size or (at and kind in events.BETWEEN):
                return False
            if checksums and zlib.crc32(view[at : after - 4]) != _U32.unpack_from(data, after - 4)[0]:
                raise self.damaged(start + at, f"the checksum of an event of type {kind} is wrong")
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

    def _quick(self, state: State, verify: bool) -> Transaction | None:
        """The commonest case with the least work: a plain GTID event whose length leads to where a transaction ends.

        None for everything else, damage included: the thorough way tells what it is.
        """
        self._look()
        start = state.position
        data = self.read(start, _GTID_ROOM)
        if len(data) < _GTID_ROOM:
            return None
        size, uuid, number, length = events.quick_gtid(data)
        end = start + length
        if not length or not self._ends_at(start + size, end):
            return None
        try:
            if verify and not self._sound(start, end, state.checksums):
                return None
        except (Fault, _Torn):
            return None
        return Transaction(uuid, "", number, start, end)

    def _look(self) -> None:
        self._looks += 1
        if self._looks % _CHECK_EVERY == 0:
            self._check()

    def _header(self, position: int) -> events.Header:
        self._look()
        data = self.read(position, events.HEADER_SIZE)
        if len(data) < events.HEADER_SIZE:
            raise _Torn
        return self._plausible(position, events.header(data))

    def _plausible(self, position: int, found: events.Header) -> events.Header:
        if found.size == 0 and found.kind == 0 and self._zeros_from(position):
            raise _Torn
        if found.size < events.HEADER_SIZE:
            raise self.damaged(position, f"an event of {found.size} bytes")
        if not (0 < found.kind <= events.LAST_KNOWN_TYPE or found.flags & events.IGNORABLE):
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
        start, describes = state.position, found.kind == events.FORMAT_DESCRIPTION
        largest = _LARGEST_DESCRIPTION if describes else _LARGEST_PREVIOUS if state.checksums else _LARGEST_UNCHECKED
        if found.size > largest:
            raise self.damaged(start, f"a head event of {found.size} bytes")
        # heads are always verified: one wrong byte in them would mislead the reading of everything else
        self._checked(start, found, state.checksums)
        event = self.read(start, found.size)
        try:
            if describes:
                state.checksums, state.description = events.has_checksums(event), event
                state.in_use = state.in_use or (start == START and bool(found.flags & events.IN_USE))
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
        try:
            if not jumps or (verify and not self._sound(start, end, state.checksums)):
                end = self._walk(state, found, verify)
        except (Fault, _Torn) as error:
            # who it is and where it ends is known if its beginning is sound and its end was found
            known = jumps and verify and len(state.damage) < _MOST_DAMAGED
            if not known or (isinstance(error, Fault) and error.code != DAMAGED):
                raise
            self._checked(start, found, state.checksums)
            fault = error if isinstance(error, Fault) else self.damaged(start, "its events do not fill its length")
            raise _Unsound(Damage(gtid.uuid, gtid.tag, gtid.number, fault), end) from error
        return Transaction(gtid.uuid, gtid.tag, gtid.number, start, end)

    def _ends_at(self, earliest: int, end: int) -> bool:
        """Whether a transaction can end at `end`: the file does, or something follows that stands between."""
        if end <= earliest or end >= self.size:
            return end == self.size and end > earliest
        data = self.read(end, events.HEADER_SIZE)
        if len(data) < events.HEADER_SIZE:
            return False
        kind, size = _KIND_AND_SIZE.unpack_from(data)
        return kind in events.BETWEEN and events.HEADER_SIZE < size <= self.size - end

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
        stop = end - events.CHECKSUM_SIZE
        if found.kind == events.FORMAT_DESCRIPTION:
            right = events.checksum_of(self.read(position, found.size))
        elif checksums:
            right, at = 0, position
            while at < stop:
                piece = self.read(at, min(_PIECE, stop - at))
                if not piece:
                    raise self.damaged(at, "the file became shorter while it was read")
                self._check()
                right, at = zlib.crc32(piece, right), at + len(piece)
        else:
            return end
        if int.from_bytes(self.read(stop, events.CHECKSUM_SIZE), "little") != right:
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
