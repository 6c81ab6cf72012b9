"""One read of one server: who it is once per session, how it stands with every look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failoverd.drivers.mysql import rows, statements
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.dialects import dialect_of
from failoverd.drivers.mysql.session import Session
from failoverd.drivers.mysql.statements import Said
from failoverd.gtid import GtidSet
from failoverd.model.semisync import SemiSync
from failoverd.model.sight import Channel, LogFiles, ServerState, Settings, Waits
from failoverd.ports import Clock

# Growth is seen by comparing two reads; of reads further apart it would say nothing about the present.
_COMPARABLE = 2.0
_SAME_START = 1.5  # Uptime comes in whole seconds: starts closer than this are the same one


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while a session lasts; `started_at` in our clock's seconds."""

    version: str
    server_uuid: str
    server_id: int
    started_at: float
    files: LogFiles
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a receiver had at the last read, and when it last grew; the server's own seconds."""

    position: tuple[str, str, int]
    read_at: float
    grew_at: float | None


class Growth:
    """Memory of how far each channel's receiver had come: a source that sends data sends no heartbeats."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def age(self, channel: str, position: tuple[str, str, int], receiver: rows.Receiver) -> float | None:
        """Seconds since the last heartbeat or growth, on the server's clock; None where there never was one."""
        before, now = self._seen.get(channel), receiver.server_now
        grew_at = before.grew_at if before else None
        if before and before.position != position and now - before.read_at <= _COMPARABLE:
            grew_at = now
        self._seen[channel] = _Seen(position, now, grew_at)
        signs = [at for at in (grew_at, receiver.heartbeat_at) if at is not None]
        return max(now - max(signs), 0.0) if signs else None


class Reader:
    """Reads one server over one session; `growth` outlives it."""

    def __init__(self, access: ServerAccess, clock: Clock, growth: Growth) -> None:
        self._access = access
        self._clock = clock
        self._growth = growth
        self._identity: Identity | None = None
        self._executed: str | None = None
        self._asked_at = float("-inf")

    def read(
        self, session: Session, timeout: float, *, anew: bool = False, after: tuple[Said, ...] = ()
    ) -> ServerState:
        """The state within `timeout` seconds; `anew` asks for the identity again. Raises what the session raises.

        It is the state `after` these statements, which travel with the reading.

        The receivers are read before the executed set, so that what was received and is not executed is really not.
        """
        end = self._clock.now() + timeout
        if self._identity is None or anew:
            self._identity = self._introduced(session, end)
        ahead = session.asked  # only a look that stands alone is asked ahead: nothing comes before it
        if not ahead:
            session.ask((*after, *self._asked()), limit=self._left(end))
        found, receivers, *rest, (sets,) = session.hear(limit=self._left(end))[0 if ahead else len(after) :]
        channels = self._channels(found, receivers)
        semi_sync = rows.semi_sync_of(*rest) if rest else SemiSync()
        waits = self._waits(session, sets, end)
        identity = self._identity
        return ServerState(
            name=self._access.name,
            endpoint=self._access.endpoint,
            version=identity.version,
            server_uuid=identity.server_uuid,
            server_id=identity.server_id,
            read_only=rows.is_on(sets["read_only"]),
            super_read_only=rows.is_on(sets["super_read_only"]),
            executed=GtidSet.parse(str(sets["executed"])),
            purged=GtidSet.parse(str(sets["purged"])),
            channels=channels,
            started_at=identity.started_at,
            read_at=self._asked_at if ahead else self._clock.now(),
            offline_mode=rows.is_on(sets["offline_mode"]),
            files=identity.files,
            settings=identity.settings,
            semi_sync=semi_sync,
            waits=waits,
        )

    def ask(self, session: Session, timeout: float) -> None:
        """Send what the next read asks, and do not wait: that read tells how it was now, however late it hears it.
        Raises what the session raises.
        """
        self._asked_at = self._clock.now()
        session.ask(self._asked(), limit=timeout)

    def _asked(self) -> tuple[statements.Said, ...]:
        about = (statements.READ_CHANNELS, statements.READ_RECEIVERS, *self._about_semi_sync(), statements.READ_SETS)
        return tuple(one.say() for one in about)

    def _left(self, end: float) -> float:
        return end - self._clock.now()

    def _introduced(self, session: Session, end: float) -> Identity:
        version = str(session.rows(statements.READ_VERSION, limit=self._left(end))[0]["version"])
        dialect_of(version)  # refuses what speaks another language, before it is asked in ours
        found = session.rows(statements.READ_IDENTITY, limit=self._left(end))[0]
        uptime = session.rows(statements.READ_UPTIME, limit=self._left(end))[0]
        values = session.rows(statements.READ_START_VALUES, limit=self._left(end))
        return Identity(
            version=version,
            server_uuid=str(found["server_uuid"]).lower(),
            server_id=int(found["server_id"]),
            started_at=self._started_at(str(found["server_uuid"]).lower(), float(uptime["Value"])),
            files=rows.files_of(found),
            settings=rows.settings_of(found, rows.read_only_at_start(values)),
        )

    def _started_at(self, server_uuid: str, uptime: float) -> float:
        started, before = self._clock.now() - uptime, self._identity
        if before and before.server_uuid == server_uuid and abs(before.started_at - started) < _SAME_START:
            return before.started_at
        return started

    def _about_semi_sync(self) -> tuple[statements.Statement, ...]:
        return (statements.READ_SEMI_SYNC, statements.READ_REPLICAS) if self._access.lossless else ()

    def _waits(self, session: Session, sets: rows.Row, end: float) -> Waits | None:
        """Who waits, where writes are taken and none has come through since the last read."""
        still = self._executed == sets["executed"]
        self._executed = sets["executed"]
        if not still or any(rows.is_on(sets[closed]) for closed in ("read_only", "super_read_only", "offline_mode")):
            return None
        return rows.waits_of(session.rows(statements.READ_SESSIONS, limit=self._left(end)))

    def _channels(self, found: tuple[rows.Row, ...], heard: tuple[rows.Row, ...]) -> tuple[Channel, ...]:
        receivers = {str(row["channel"]): rows.receiver_of(row) for row in heard}
        return tuple(self._channel(row, receivers) for row in found if row["Source_Host"])

    def _channel(self, row: rows.Row, receivers: Mapping[str, rows.Receiver]) -> Channel:
        name = str(row["Channel_Name"])
        receiver = receivers.get(name, rows.NO_RECEIVER)
        age = self._growth.age(name, rows.position_of(row), receiver) if name in receivers else None
        return rows.channel_of(row, receiver, age)
