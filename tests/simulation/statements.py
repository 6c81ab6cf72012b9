"""What each statement of failoverd does on a simulated server: the same table, the server's own refusals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from failoverd.drivers.mysql import statements as said
from failoverd.drivers.mysql.statements import Statement
from failoverd.gtid import GtidSet
from failoverd.model.durability import Durability
from failoverd.model.errors import ServerError
from failoverd.model.sight import Channel, Endpoint, Thread, Trouble
from tests.simulation.mysqld import OWN_THREADS, Mysqld, gtids_of
from tests.simulation.network import Again
from tests.simulation.semisync import WAITS

Rows = tuple[Mapping[str, Any], ...]
Does = Callable[[Mysqld, int, tuple[Any, ...]], Rows]
_NAMES = re.compile(r"([A-Z_]+) = %s")
_POLL = 0.02
STATE = said.READ_SETS
READ_ALL = "Replica has read all relay log; waiting for more updates"


def run(server: Mysqld, session: int, statement: Statement, values: tuple[Any, ...]) -> Rows:
    """Do it on that session and give its rows."""
    if statement.text.startswith("CHANGE REPLICATION SOURCE") and statement is not said.ADOPT_FILES:
        return _change(server, _NAMES.findall(statement.text), values)
    does = _TABLE.get(statement.text)
    if does is None:
        if statement.changes:
            raise ServerError(f"{server.name} does not know how to {statement.does}", code=1064)
        return ()
    return does(server, session, values)


def _channel(server: Mysqld, name: str) -> Channel:
    channel = server.channels.get(name)
    if channel is None:
        raise ServerError(f"{server.name} has no such channel", code=1200)
    return channel


def _set(server: Mysqld, name: str, **values: Any) -> Rows:
    server.channels[name] = replace(_channel(server, name), **values)
    server.pull_soon(name)
    server.apply_soon(name)
    return ()


def _locks(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    epoch, cluster, manager, *newer = (server.locks.get(name) for name in values)
    found = next((holder for holder in newer if holder is not None), None)
    return ({"epoch": epoch, "cluster": cluster, "manager": manager, "newer": found},)


def _take(server: Mysqld, session: int, values: tuple[Any, ...]) -> Rows:
    name, _ = values
    if server.locks.get(name, session) != session:
        return ({"taken": 0},)
    server.locks[name] = session
    return ({"taken": 1},)


def _release(server: Mysqld, session: int, _: tuple[Any, ...]) -> Rows:
    server.locks = {name: holder for name, holder in server.locks.items() if holder != session}
    return ()


def _kill(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    if not server.end(int(values[0])):
        raise ServerError(f"{server.name} has no such session", code=1094)
    return ()


def _wait(server: Mysqld, session: int, values: tuple[Any, ...]) -> Rows:
    key = (session, str(values[0]))
    if GtidSet.parse(key[1]) <= server.executed:
        server.waits.pop(key, None)
        return ({"late": 0},)
    until = server.waits.setdefault(key, server.loop.now + float(values[1]))
    if server.loop.now >= until:
        del server.waits[key]
        return ({"late": 1},)
    raise Again(min(_POLL, until - server.loop.now))


def _sessions(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    waiting = {commit.session: commit for commit in server.acks.waiting}
    idle = [number for number in server.sessions if number not in waiting]
    rows = [
        {"Id": number, "User": server.sessions[number], "Host": "client:1", "Command": "Sleep", "State": ""}
        for number in idle
    ]
    for number, commit in waiting.items():
        command = "Killed" if commit.ended else "Query"
        rows.append({"Id": number, "User": "app", "Host": "client:1", "Command": command, "State": WAITS})
    return tuple(rows)


def _held(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    holder = server.tables_locked_by
    return ({"session": holder, "command": "Sleep", "seconds": 0},) if holder in server.sessions else ()


def _stopped(server: Mysqld, name: str) -> Channel:
    channel = _channel(server, name)
    if channel.receiver is not Thread.NO or channel.applier is not Thread.NO:
        raise ServerError(f"{server.name}: the channel runs", code=3081)
    return channel


def _drop_relay_logs(server: Mysqld, name: str) -> None:
    server.disk.relayed.pop(name, None)
    if name == "":
        server.disk.damaged.clear()


def _forget(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    _stopped(server, values[0])
    del server.channels[values[0]]
    _drop_relay_logs(server, values[0])
    return ()


def _renew(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    _stopped(server, values[0])
    _drop_relay_logs(server, values[0])
    return _set(server, values[0], received=GtidSet(), applier_trouble=Trouble())


def _adopt(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    host, file, name = values
    held = server.disk.files.get(file, {})
    server.disk.relayed[name] = dict(held)
    gtids = gtids_of(held)
    server.channels[name] = Channel(
        name, Endpoint(host, 3306), "", Thread.NO, Thread.NO, received=gtids, auto_position=False
    )
    return ()


def _change(server: Mysqld, names: list[str], values: tuple[Any, ...]) -> Rows:
    wish, name = dict(zip(names, values[:-1], strict=True)), values[-1]
    source = Endpoint(str(wish["SOURCE_HOST"]), int(wish["SOURCE_PORT"]))
    channel = server.channels.get(name)
    if channel is None:
        server.channels[name] = Channel(name, source, "", Thread.NO, Thread.NO)
        return ()
    if channel.receiver is not Thread.NO:
        raise ServerError(f"{server.name}: the receiver runs", code=3021)
    kept = channel.received
    if channel.applier is not Thread.YES:
        kept = GtidSet()
        _drop_relay_logs(server, name)
    server.channels[name] = replace(channel, source=source, source_uuid="", received=kept)
    return ()


def _writes(**flags: bool) -> Does:
    def does(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
        for name, value in flags.items():
            setattr(server, name, value)
        return ()

    return does


def _close(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    if server.tables_locked_by in server.sessions or server.acks.waiting:
        raise ServerError(f"{server.name}: lock wait time-out", code=1205)
    server.read_only = server.super_read_only = True
    return ()


def _threads(**values: Any) -> Does:
    return lambda server, _, said_values: _set(server, said_values[0], **values)


def _offline(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    server.offline = True
    for session, account in list(server.sessions.items()):
        if account not in {"failoverd", "repl", OWN_THREADS}:
            server.end(session)
    return ()


def _durability(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    server.durability = Durability(*values)
    return ()


class Sets(dict[str, Any]):
    """A whole state in one row; what few ask for is made when they ask."""

    def __missing__(self, name: str) -> str:
        found = getattr(self["state"], name)
        return "ON" if found is True else "OFF" if found is False else str(found)


def _sets(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    return (Sets(state=server.state()),)


def _await_acks(server: Mysqld, _: int, values: tuple[Any, ...]) -> Rows:
    server.acks.timeout, server.acks.wait_count = values
    server.acks.source_on = True
    return ()


def _give_up_acks(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    server.acks.give_up()
    return ()


def _acknowledge(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    server.acks.replica_on = True
    return ()


def _workers(server: Mysqld, _: int, __: tuple[Any, ...]) -> Rows:
    applying = server.channels[""].queueing if "" in server.channels else ""
    return ({"channel": "", "applying": applying, "session": server.worker},) if server.worker else ()


def _nothing(_: Mysqld, __: int, ___: tuple[Any, ...]) -> Rows:
    return ()


_TABLE: dict[str, Does] = {
    said.READ_DURABILITY.text: lambda server, _, __: (asdict(server.durability),),
    said.SET_DURABILITY.text: _durability,
    said.FORCE_BINARY_LOG.text: _nothing,
    said.FORCE_ENGINE_LOG.text: _nothing,
    said.READ_SETS.text: _sets,
    said.READ_GLOBAL_LOCKS.text: _held,
    said.READ_STATUS.text: lambda _, __, asked: ({"Value": "1"},) if asked == ("Threads_running",) else (),
    said.READ_EVENTS.text: _nothing,
    said.READ_LOCKS.text: _locks,
    said.TAKE_LOCK.text: _take,
    said.RELEASE_LOCKS.text: _release,
    said.KILL.text: _kill,
    said.WAIT_EXECUTED.text: _wait,
    said.READ_SESSIONS.text: _sessions,
    said.READ_WORKERS.text: _workers,
    said.READ_CHANNELS.text: lambda _, __, ___: ({"Channel_Name": "", "Replica_SQL_Running_State": READ_ALL},),
    said.RESTORE_STOP_LIMIT.text: _nothing,
    said.LIMIT_STOP.text: _nothing,
    said.SET_NET_TIMEOUT.text: _nothing,
    said.STOP_RECEIVER.text: _threads(receiver=Thread.NO),
    said.START_RECEIVER.text: _threads(receiver=Thread.CONNECTING),
    said.START_APPLIER.text: _threads(applier=Thread.YES, applier_trouble=Trouble()),
    said.STOP_CHANNEL.text: _threads(receiver=Thread.NO, applier=Thread.NO),
    said.START_CHANNEL.text: _threads(receiver=Thread.CONNECTING, applier=Thread.YES, applier_trouble=Trouble()),
    said.FORGET_CHANNEL.text: _forget,
    said.RENEW_RELAY_LOGS.text: _renew,
    said.ADOPT_FILES.text: _adopt,
    said.OPEN.text: _writes(read_only=False, super_read_only=False),
    said.CLOSE.text: _close,
    said.STAY_CLOSED.text: _nothing,  # its configuration says it already
    said.OFFLINE.text: _offline,
    said.AWAIT_ACKS.text: _await_acks,
    said.GIVE_UP_ACKS.text: _give_up_acks,
    said.ACKNOWLEDGE.text: _acknowledge,
    said.ONLINE.text: _writes(offline=False),
}
