"""What happens to relay logs, done to real servers and to simulated ones alike."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Protocol

import pymysql

from failoverd.gtid import GtidSet
from tests.contract.mysql.worlds import RealWorld, within
from tests.simulation.worlds import SimulatedServers


class Troubles(Protocol):
    """A world in which `server` is a replica of db1 that all three things may happen to."""

    @property
    def world(self) -> RealWorld | SimulatedServers:
        """Its servers."""

    def half_receive(self, server: str) -> str:
        """Kill db1 while it sends a transaction; its name."""

    def damage(self, server: str) -> None:
        """Make what its stopped applier has before it unreadable, and let the applier go on."""

    def restart_forgetful(self, server: str) -> None:
        """Restart it with relay_log_recovery while db1 cannot be reached."""

    def start(self, server: str) -> None:
        """Start a dead server; its receiver, too, tries again."""


class RealTroubles:
    """Three mysqlds."""

    def __init__(self, world: RealWorld) -> None:
        self.world: RealWorld = world

    def half_receive(self, server: str) -> str:
        return half_received(self.world, server)

    def damage(self, server: str) -> None:
        replica = self.world.mysqlds[server]
        (row,) = replica.rows("SHOW REPLICA STATUS FOR CHANNEL ''")
        begin = int(row["Relay_Log_Pos"])
        with (replica.datadir / Path(str(row["Relay_Log_File"])).name).open("r+b") as file:
            file.seek(begin + 40)
            file.write(b"\xff" * 64)
        replica.rows("START REPLICA SQL_THREAD FOR CHANNEL ''")

    def restart_forgetful(self, server: str) -> None:
        self.world.kill("db1")
        replica = self.world.mysqlds[server]
        replica.kill()
        before, replica.extra = replica.extra, (*replica.extra, "--relay-log-recovery=ON")
        replica.start()
        replica.extra = before
        replica.rows("START REPLICA FOR CHANNEL ''")

    def start(self, server: str) -> None:
        self.world.mysqlds[server].start()
        self.world.mysqlds[server].rows("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")


class SimulatedTroubles:
    """Three servers in virtual time."""

    def __init__(self, world: SimulatedServers) -> None:
        self.world = world

    def half_receive(self, server: str) -> str:
        replica, source = self.world.mysqlds[server], self.world.mysqlds["db1"]
        within(1, lambda: self.world.executed(server) == self.world.executed("db1"), "the replica caught up")
        replica.halves = True
        self.world.write("db1")
        source.kill()
        return replica.channels[""].queueing

    def damage(self, server: str) -> None:
        self.world.executed(server)
        self.world.mysqlds[server].damage()
        self.world.start_applier(server)

    def restart_forgetful(self, server: str) -> None:
        self.world.kill("db1")
        replica = self.world.mysqlds[server]
        replica.kill()
        replica.recovers = True
        replica.start()

    def start(self, server: str) -> None:
        mysqld = self.world.mysqlds[server]
        mysqld.start()
        mysqld.read_only = mysqld.super_read_only = False


def half_received(world: RealWorld, server: str, first: str = "DO 0") -> str:
    """Kill db1 while it sends a big transaction, so that `server` alone holds the first part of it; its name.

    `first` is executed just before it.
    """
    source = world.mysqlds["db1"]
    world.mysqlds["db3" if server == "db2" else "db2"].rows("STOP REPLICA")
    source.rows(
        "INSERT INTO app.t (body) VALUES (REPEAT('x', 2000))", *["INSERT INTO app.t (body) SELECT body FROM app.t"] * 13
    )
    within(30, lambda: world.executed(server) == world.executed("db1"), "the replica caught up")

    def big() -> None:
        with contextlib.suppress(pymysql.Error):
            source.rows("UPDATE app.t SET body = CONCAT(body, 'y')")

    def queueing() -> str:
        table = "performance_schema.replication_connection_status"
        return world.mysqlds[server].value(f"SELECT QUEUEING_TRANSACTION FROM {table} WHERE CHANNEL_NAME = ''")

    source.rows(first)
    writing = threading.Thread(target=big)
    writing.start()
    name = ""
    end = time.monotonic() + 30
    while not name:
        assert time.monotonic() < end, "the transaction did not begin to arrive"
        name = queueing()
    source.kill()
    writing.join()
    assert not GtidSet.parse(name) <= world.executed(server), "it arrived as a whole before the kill"
    return name
