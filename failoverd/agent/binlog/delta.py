"""Delta files: small log files with exactly the wanted transactions, and the stream that carries them.

The stream, before compression, is a row of records: "F" opens the next file, "D" + length (4 bytes, big-endian) +
bytes adds to it, "Z" ends everything. A delta file is a whole log file by itself: magic, the format description that
governed its transactions, PREVIOUS_GTIDS with what the delta files before it hold, and transactions byte by byte as
they were; so a server that reads it as relay log says by Retrieved_Gtid_Set exactly what was brought.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from failoverd.agent.binlog import events
from failoverd.agent.faults import BAD_REQUEST, Fault
from failoverd.gtid import GtidSet, GtidSetBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from failoverd.agent.binlog.found import State, Transaction
    from failoverd.agent.binlog.logfile import LogFile

LARGEST_FILE = 100 * 1024 * 1024
_SAMPLE = 256 * 1024
_WORTH_IT = 0.9
_FRAME = 256 * 1024
_SLICE = 1024 * 1024
_LENGTH = struct.Struct(">I")
_LARGEST_RECORD = 16 * 1024 * 1024


class DeltaWriter:
    """Cuts transactions out of log files into delta files and sends them, compressed, in pieces to `send`."""

    def __init__(self, send: Callable[[bytes], None], largest_file: int = LARGEST_FILE) -> None:
        self._send = send
        self._largest = largest_file
        self._compressor: zlib._Compress | None = None
        self._sample = bytearray()
        self._waiting = bytearray()
        self._holds = GtidSetBuilder()
        self._description = b""
        self._file_bytes = 0
        self._source: LogFile | None = None
        self._start = self._end = 0
        self.files = 0
        self.bytes = 0
        self.transactions = 0

    def add(self, source: LogFile, state: State, one: Transaction) -> None:
        """Take one transaction; neighbours in the same file are sent as one slice."""
        if source is self._source and one.start == self._end:
            self._end = one.end
        else:
            self._flush_slice()
            self._source, self._start, self._end = source, one.start, one.end
        size = one.end - self._start
        if not self.files or state.description != self._description or self._file_bytes + size > self._largest:
            # the slice so far belongs to the old file, this transaction begins the new one
            self._end = one.start
            self._flush_slice()
            self._source, self._start, self._end = source, one.start, one.end
            self._open_file(state)
        if self._end - self._start >= _SLICE:
            self._flush_slice()
        self._holds.add(one.uuid, one.tag, one.number)
        self.transactions += 1

    def holds(self) -> GtidSet:
        """What was taken so far."""
        return self._holds.build()

    def leave(self) -> None:
        """Send what is waiting of the present source file, which may be closed afterwards."""
        self._flush_slice()
        self._source = None

    def finish(self) -> GtidSet:
        """End the stream; give what was sent."""
        self._flush_slice()
        self._put(b"Z")
        compressor = self._compressor or self._choose()
        self._waiting += compressor.flush()
        self._ship(least=1)
        return self._holds.build()

    def _open_file(self, state: State) -> None:
        self._description = state.description
        description = bytearray(state.description)
        # the copy is complete: the mark of an open file must not say otherwise; the checksum ignores the mark
        description[events.FLAGS_AT] &= ~events.IN_USE & 0xFF
        head = events.MAGIC + bytes(description)
        server_id = events.header(state.description).server_id
        head += events.write_previous_gtids(self._holds.build(), server_id, len(head), state.checksums)
        self._put(b"F")
        self._data(head)
        self.files += 1
        self._file_bytes = len(head)

    def _flush_slice(self) -> None:
        if self._source is None or self._end <= self._start:
            return
        at = self._start
        while at < self._end:
            piece = self._source.read(at, min(_FRAME, self._end - at))
            if not piece:
                raise self._source.damaged(at, "the file became shorter while it was read")
            self._data(piece)
            at += len(piece)
        self._file_bytes += self._end - self._start
        self._start = self._end

    def _data(self, data: bytes) -> None:
        self._put(b"D" + _LENGTH.pack(len(data)))
        self._put(data)
        self.bytes += len(data)

    def _put(self, data: bytes) -> None:
        if self._compressor is None:
            self._sample += data
            if len(self._sample) >= _SAMPLE:
                self._choose()
        else:
            self._waiting += self._compressor.compress(data)
            self._ship(least=_FRAME)

    def _choose(self) -> zlib._Compress:
        """Compress only where the first bytes show that it pays: else it costs more time than the network would."""
        small = len(zlib.compress(self._sample, 1)) < _WORTH_IT * len(self._sample)
        self._compressor = zlib.compressobj(1 if small else 0)
        self._waiting += self._compressor.compress(bytes(self._sample))
        self._sample.clear()
        return self._compressor

    def _ship(self, least: int) -> None:
        if len(self._waiting) >= least:
            self._send(bytes(self._waiting))
            self._waiting.clear()


class DeltaReader:
    """Takes the stream apart again: `feed` gives (new file?, bytes) in order; Fault when it is no such stream."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj()
        self._waiting = bytearray()
        self._opened = False
        self.complete = False

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Take compressed bytes and give what they say; a piece never spans two files."""
        plain = b""
        # in bounded steps, because a few bytes may stand for gigabytes; a full step may have left some behind
        while data or len(plain) == _FRAME:
            try:
                plain = self._decompressor.decompress(data, _FRAME)
            except zlib.error as error:
                raise Fault(BAD_REQUEST, "the upload is no stream of delta files", str(error)) from error
            data = self._decompressor.unconsumed_tail
            self._waiting += plain
            yield from self._records()

    def finish(self) -> None:
        """Say that the upload ended; Fault when the stream did not."""
        ended = self._decompressor.eof and not self._decompressor.unused_data
        if not (self.complete and ended) or self._waiting:
            raise Fault(BAD_REQUEST, "the upload is no whole stream of delta files", "it has no end, or more behind it")

    def _records(self) -> Iterator[tuple[bool, bytes]]:
        while self._waiting:
            kind = bytes(self._waiting[:1])
            if self.complete or kind not in (b"F", b"D", b"Z") or (kind == b"D" and not self._opened):
                raise Fault(BAD_REQUEST, "the upload is no stream of delta files", f"record {kind!r}")
            if kind == b"D":
                data = self._one_record()
                if data is None:
                    return
                yield False, data
                continue
            del self._waiting[:1]
            self._opened = True
            self.complete = kind == b"Z"
            if kind == b"F":
                yield True, b""

    def _one_record(self) -> bytes | None:
        if len(self._waiting) < 5:
            return None
        (length,) = _LENGTH.unpack_from(self._waiting, 1)
        if length > _LARGEST_RECORD:
            raise Fault(BAD_REQUEST, "the upload is no stream of delta files", f"a record of {length} bytes")
        if len(self._waiting) < 5 + length:
            return None
        data = bytes(self._waiting[5 : 5 + length])
        del self._waiting[: 5 + length]
        return data
