"""The client of a drill: writer and reader together, and what they have seen as the drill's report needs it."""

from __future__ import annotations

from failoverd.lab.reader import Reader
from failoverd.lab.writer import Writer
from failoverd.model.rehearsed import Refused, Taken, Wrote

# The client's table. A row that is executed twice is there twice: its number is no key. The key does not show.
PROBE_TABLE = (
    "CREATE TABLE IF NOT EXISTS numbered (n BIGINT NOT NULL, written_at DOUBLE NOT NULL, filler VARCHAR(64),"
    " id BIGINT AUTO_INCREMENT PRIMARY KEY INVISIBLE, KEY (n))"
)
TWICE = "SELECT COUNT(*) - COUNT(DISTINCT n) FROM numbered WHERE n > %s"


class ClientProbe:
    """Writes, and reads where a reader is given."""

    def __init__(self, writer: Writer, reader: Reader | None) -> None:
        self.writer = writer
        self.reader = reader
        self._held = False

    def start(self) -> None:
        """Begin."""
        self.writer.start()
        if self.reader is not None:
            self.reader.start()

    def hold(self) -> None:
        """Write nothing until `release`."""
        if not self._held:
            self.writer.pause()
            self._held = True

    def release(self) -> None:
        """Write on."""
        if self._held:
            self.writer.resume()
            self._held = False

    def stop(self) -> None:
        """End both; what is held is let go first."""
        if self.reader is not None:
            self.reader.stop()
        self.release()
        self.writer.stop()

    def taken(self) -> Taken:
        """Everything so far."""
        account, reader = self.writer.account, self.reader
        return Taken(
            wrote=tuple(Wrote(ack.at, ack.seconds, ack.number, ack.server) for ack in tuple(account.acks)),
            refused=tuple(Refused(one.at, one.code, one.server) for one in tuple(account.failures)),
            unknown=len(account.unknown),
            reads=reader.reads if reader else 0,
            stale=tuple(reader.stale) if reader else (),
        )
