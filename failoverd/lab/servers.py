"""A database host's mysqld: its configuration, its process, and the replication between the servers at the start."""

from __future__ import annotations

from collections.abc import Mapping

from failoverd.drivers.mysql.local import query
from failoverd.lab import keeping
from failoverd.lab.keeping import Service
from failoverd.lab.layout import Host, Options
from failoverd.lab.processes import wait_until
from failoverd.lab.software import MySQL
from failoverd.lab.template import Passwords
from failoverd.model.errors import FailoverdError, ServerError

RESTART_AFTER = 0.1  # seconds, as systemd's default RestartSec
_SEMI_SYNC = {
    "plugin_load_add": "semisync_source.so;semisync_replica.so",
    "rpl_semi_sync_replica_enabled": "ON",
    "rpl_semi_sync_source_timeout": "18446744073709551615",
    "rpl_semi_sync_source_wait_point": "AFTER_SYNC",
}


def settings(host: Host, options: Options) -> Mapping[str, str]:
    """The server's own configuration: read-only at the start, GTIDs, durable, and small."""
    durable = "1" if options.durable else "0"
    values = {
        "datadir": str(host.datadir),
        "socket": str(host.socket),
        "pid_file": str(host.folder / "run/mysqld.pid"),
        "log_error": str(host.log / "error.log"),
        "tmpdir": str(host.folder / "tmp"),
        "secure_file_priv": "",
        "port": "3306",
        "mysqlx": "OFF",
        "skip_name_resolve": "ON",
        "server_id": str(host.number),
        "report_host": host.address,
        "report_port": "3306",
        "super_read_only": "ON",
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "log_bin": "binlog",
        "relay_log": "relay",
        "log_replica_updates": "ON",
        "replica_net_timeout": "10",
        "sync_binlog": durable,
        "innodb_flush_log_at_trx_commit": durable if options.durable else "2",
        "innodb_buffer_pool_size": "32M",
        "innodb_redo_log_capacity": "16M",
        "innodb_use_native_aio": "OFF",
        "performance_schema": "ON" if options.performance_schema else "OFF",
        "table_open_cache": "256",
        "max_connections": "100",
    }
    return {**values, **(_SEMI_SYNC if options.lossless else {})}


def configuration_text(values: Mapping[str, str]) -> str:
    """The option file with these values."""
    return "[mysqld]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def service(host: Host, mysql: MySQL, *, supervised: bool) -> Service:
    """The mysqld as a service of its host; `supervised` starts it again after each end."""
    return Service(
        name="mysqld",
        argv=(
            *mysql.command,
            f"--defaults-file={host.folder / 'my.cnf'}",
            *mysql.options,
            f"--datadir={host.datadir}",
        ),
        user=host.user,
        cwd=str(host.datadir),
        log=str(host.log / "mysqld.out"),
        restart=RESTART_AFTER if supervised else None,
        # A killed server leaves them, and with a small set of process numbers another process soon has its number.
        remove=(str(host.socket), f"{host.socket}.lock", str(host.folder / "run/mysqld.pid")),
    )


def answers(host: Host) -> bool:
    """Whether the server takes statements over its unix socket."""
    try:
        query(host.socket, "SELECT 1", deadline=2.0)
    except ServerError:
        return False
    return True


def wait_for_start(host: Host, *, deadline: float = 60.0) -> None:
    """Wait until the server takes statements; FailoverdError with the end of its error log."""
    keeping.wait_for_service(host, "mysqld", lambda: answers(host), log=host.log / "error.log", deadline=deadline)


def open_primary(host: Host) -> None:
    """Open the first primary, as a person would once, and give it the database `app` as its first transaction."""
    query(host.socket, "SET GLOBAL read_only = OFF; CREATE DATABASE app", deadline=20.0)


def follow(replica: Host, source: Host, passwords: Passwords) -> None:
    """Let the replica follow the source by GTID, over TLS, with the timing that failoverd keeps."""
    query(
        replica.socket,
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='{source.address}', SOURCE_PORT=3306, SOURCE_USER='repl',"
        f" SOURCE_PASSWORD='{passwords.replication}', SOURCE_AUTO_POSITION=1, SOURCE_SSL=1, GET_SOURCE_PUBLIC_KEY=1,"
        " SOURCE_HEARTBEAT_PERIOD=0.5, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=100000; START REPLICA",
    )


def caught_up(replica: Host, source: Host, *, deadline: float = 20.0) -> None:
    """Wait until the replica has executed all that the source has now; FailoverdError names what is missing."""
    ((target,),) = query(source.socket, "SELECT @@GLOBAL.gtid_executed")
    ((late,),) = query(
        replica.socket, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{target}', {deadline})", deadline=deadline + 5
    )
    if late != 0:
        ((missing,),) = query(replica.socket, f"SELECT GTID_SUBTRACT('{target}', @@GLOBAL.gtid_executed)")
        raise FailoverdError(f"{replica.name} does not catch up with {source.name}", f"it misses {missing}")


def wait_for_acknowledgers(primary: Host, count: int) -> None:
    """Switch semi-sync on at the primary and wait until that many replicas acknowledge."""
    query(primary.socket, "SET GLOBAL rpl_semi_sync_source_enabled = ON")

    def enough() -> bool:
        ((_, clients),) = query(primary.socket, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'")
        return int(str(clients)) >= count

    wait_until(enough, deadline=20, what=f"{count} semi-sync replicas of {primary.name}", every=0.05)
