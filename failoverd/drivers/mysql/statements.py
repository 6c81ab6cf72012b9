"""Every statement that failoverd can send to a server, in one table: nothing else can be sent.

None of them may write a transaction: on a replica it would be an errant one (FLUSH TABLES, ANALYZE and OPTIMIZE do it,
and so would any write of a marker). Statements about replication name their channel, or they would hit every channel.
Nothing is persisted but super_read_only = ON: a persisted OFF would bring a killed primary back writable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from failoverd.model.divergence import Row

EPOCHS_AHEAD = 64  # how far a newer manager's epoch is looked for
HEARTBEAT_PERIOD = "SOURCE_HEARTBEAT_PERIOD"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's text, what it does in the words of an error message, and whether it changes the server."""

    text: str
    does: str
    changes: bool = False

    def say(self, *values: object) -> Said:
        """It with its values, to be said together with others."""
        return Said(self, values)


@dataclass(frozen=True, slots=True)
class Said:
    """A statement with its values."""

    statement: Statement
    values: tuple[object, ...]


PREPARE_SESSION = Statement(
    "SET SESSION time_zone = '+00:00', sql_mode = '', wait_timeout = 86400, lock_wait_timeout = 5", "prepare a session"
)

# --- reading

READ_VERSION = Statement("SELECT VERSION() AS version", "read its version")
READ_IDENTITY = Statement(
    "SELECT @@GLOBAL.server_uuid AS server_uuid, @@GLOBAL.server_id AS server_id,"
    " @@GLOBAL.datadir AS datadir, @@GLOBAL.log_bin AS log_bin, @@GLOBAL.log_bin_basename AS binary_basename,"
    " @@GLOBAL.log_bin_index AS binary_index, @@GLOBAL.relay_log_basename AS relay_basename,"
    " @@GLOBAL.relay_log_index AS relay_index, @@GLOBAL.pid_file AS pid_file, @@GLOBAL.log_error AS error_log,"
    " @@GLOBAL.gtid_mode AS gtid_mode, @@GLOBAL.log_replica_updates AS log_replica_updates,"
    " @@GLOBAL.sync_binlog AS sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit AS flush_log,"
    " @@GLOBAL.binlog_checksum AS binlog_checksum, @@GLOBAL.relay_log_recovery AS relay_log_recovery,"
    " @@GLOBAL.replica_preserve_commit_order AS preserve_commit_order,"
    " @@GLOBAL.replica_net_timeout AS net_timeout, @@GLOBAL.binlog_expire_logs_seconds AS keeps_logs",
    "read its settings",
)
READ_UPTIME = Statement("SHOW GLOBAL STATUS LIKE 'Uptime'", "read its uptime")
READ_START_VALUES = Statement(
    "SELECT i.VARIABLE_SOURCE AS source, p.VARIABLE_VALUE AS persisted,"
    " IF(i.VARIABLE_NAME = 'read_only', @@GLOBAL.read_only, @@GLOBAL.super_read_only) AS current"
    " FROM performance_schema.variables_info i"
    " LEFT JOIN performance_schema.persisted_variables p ON p.VARIABLE_NAME = i.VARIABLE_NAME"
    " WHERE i.VARIABLE_NAME IN ('read_only', 'super_read_only')",
    "read where read_only comes from",
)
READ_GRANTS = Statement("SHOW GRANTS", "read the rights of our account")
READ_CHANNELS = Statement("SHOW REPLICA STATUS", "read its replication status")
READ_RECEIVERS = Statement(
    "SELECT s.CHANNEL_NAME AS channel, UNIX_TIMESTAMP(NOW(6)) AS server_now,"
    " UNIX_TIMESTAMP(s.LAST_HEARTBEAT_TIMESTAMP) AS heartbeat_at, s.QUEUEING_TRANSACTION AS queueing,"
    " c.HEARTBEAT_INTERVAL AS period"
    " FROM performance_schema.replication_connection_status s"
    " JOIN performance_schema.replication_connection_configuration c ON c.CHANNEL_NAME = s.CHANNEL_NAME",
    "read its heartbeats",
)
READ_SETS = Statement(
    "SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged, @@GLOBAL.read_only AS read_only,"
    " @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.offline_mode AS offline_mode",
    "read its GTID sets",
)
READ_SEMI_SYNC = Statement(
    "SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables"
    " WHERE VARIABLE_NAME LIKE 'rpl\\_semi\\_sync\\_%'"
    " UNION ALL SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM performance_schema.global_status"
    " WHERE VARIABLE_NAME LIKE 'Rpl\\_semi\\_sync\\_%'",
    "read its semi-sync",
)
READ_REPLICAS = Statement("SHOW REPLICAS", "list its replicas")
READ_SESSIONS = Statement("SHOW PROCESSLIST", "list its sessions")
READ_WORKERS = Statement(
    "SELECT w.CHANNEL_NAME AS channel, w.APPLYING_TRANSACTION AS applying, t.PROCESSLIST_ID AS session"
    " FROM performance_schema.replication_applier_status_by_worker w"
    " LEFT JOIN performance_schema.threads t ON t.THREAD_ID = w.THREAD_ID",
    "read its applier's workers",
)
READ_OPEN_APPLIERS = Statement(
    "SELECT t.trx_mysql_thread_id AS session, t.trx_id AS trx, t.trx_rows_modified AS modified, p.STATE AS state"
    " FROM information_schema.innodb_trx t"
    " JOIN information_schema.processlist p ON p.ID = t.trx_mysql_thread_id"
    " WHERE p.USER = 'system user' AND t.trx_rows_modified > 0",
    "list the transactions of its applier",
)
READ_TRANSACTIONS = Statement(
    "SELECT trx_mysql_thread_id AS session, trx_state AS state, trx_rows_locked AS locked,"
    " trx_rows_modified AS modified FROM information_schema.innodb_trx",
    "list its open transactions",
)
READ_OPEN_WORK = Statement(
    "SELECT trx_id AS trx, trx_mysql_thread_id AS session, trx_rows_modified AS modified"
    " FROM information_schema.innodb_trx WHERE trx_rows_modified > 0",
    "list the transactions that changed something",
)
READ_GLOBAL_LOCKS = Statement(
    "SELECT t.PROCESSLIST_ID AS session, t.PROCESSLIST_COMMAND AS command, t.PROCESSLIST_TIME AS seconds"
    " FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID"
    " WHERE m.OBJECT_TYPE = 'GLOBAL' AND m.LOCK_STATUS = 'GRANTED' AND t.PROCESSLIST_ID IS NOT NULL",
    "list who may write at this moment",
)
READ_PREPARED = Statement("XA RECOVER", "list its prepared transactions")
READ_STATUS = Statement("SHOW GLOBAL STATUS WHERE Variable_name = %s", "read a number of its status")
READ_EVENTS = Statement(
    "SELECT EVENT_SCHEMA AS place, EVENT_NAME AS name, DEFINER AS definer FROM information_schema.EVENTS"
    " WHERE STATUS IN ('REPLICA_SIDE_DISABLED', 'SLAVESIDE_DISABLED') ORDER BY EVENT_SCHEMA, EVENT_NAME",
    "list its disabled events",
)
READ_ENGINES = Statement(
    "SELECT ENGINE AS engine, COUNT(*) AS tables, MIN(CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)) AS example"
    " FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB'"
    " AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')"
    " GROUP BY ENGINE ORDER BY ENGINE",
    "list the engines of its tables",
)
READ_GROUP = Statement(
    "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS"
    " WHERE PLUGIN_NAME = 'group_replication' AND PLUGIN_STATUS = 'ACTIVE'",
    "read whether group replication is loaded",
)
READ_CLONE = Statement(
    "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS"
    " WHERE PLUGIN_NAME = 'clone' AND PLUGIN_STATUS = 'ACTIVE'",
    "read whether the clone plugin is loaded",
)
READ_SIZE = Statement(
    "SELECT COALESCE(SUM(FILE_SIZE), 0) AS bytes FROM information_schema.INNODB_TABLESPACES", "read how much it holds"
)
READ_TABLE = Statement(
    "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES"
    " WHERE CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) = %s",
    "read whether a table is there",
)
# The names of columns: information_schema.COLUMNS shows only tables that an account may read, these views every one to
# an account that sees all sessions.
READ_COLUMNS = Statement(
    "SELECT c.NAME AS name, c.POS AS place FROM information_schema.INNODB_COLUMNS c"
    " JOIN information_schema.INNODB_TABLES t ON t.TABLE_ID = c.TABLE_ID WHERE t.NAME = %s ORDER BY c.POS",
    "list the columns of a table",
)
READ_KEY = Statement(
    "SELECT f.NAME AS name FROM information_schema.INNODB_FIELDS f"
    " JOIN information_schema.INNODB_INDEXES i ON i.INDEX_ID = f.INDEX_ID"
    " JOIN information_schema.INNODB_TABLES t ON t.TABLE_ID = i.TABLE_ID"
    " WHERE t.NAME = %s AND i.NAME = 'PRIMARY' ORDER BY f.POS",
    "list the primary key of a table",
)
READ_ONLY = Statement("START TRANSACTION READ ONLY", "begin to read")
ROLL_BACK = Statement("ROLLBACK", "end reading")
READ_ROW_WAITS = Statement(
    "SELECT r.trx_mysql_thread_id AS waiting, b.trx_mysql_thread_id AS holding"
    " FROM performance_schema.data_lock_waits w"
    " JOIN information_schema.innodb_trx r ON r.trx_id = w.REQUESTING_ENGINE_TRANSACTION_ID"
    " JOIN information_schema.innodb_trx b ON b.trx_id = w.BLOCKING_ENGINE_TRANSACTION_ID",
    "list who waits for whose row locks",
)
READ_OBJECT_WAITS = Statement(
    "SELECT wt.PROCESSLIST_ID AS waiting, ht.PROCESSLIST_ID AS holding, w.OBJECT_TYPE AS kind,"
    " w.OBJECT_SCHEMA AS db, w.OBJECT_NAME AS name, w.LOCK_TYPE AS wanted, h.LOCK_TYPE AS held,"
    " h.LOCK_STATUS AS status"
    " FROM performance_schema.metadata_locks w"
    " JOIN performance_schema.metadata_locks h ON h.OBJECT_TYPE = w.OBJECT_TYPE"
    " AND h.OBJECT_SCHEMA <=> w.OBJECT_SCHEMA AND h.OBJECT_NAME <=> w.OBJECT_NAME"
    " AND h.OWNER_THREAD_ID <> w.OWNER_THREAD_ID"
    " JOIN performance_schema.threads wt ON wt.THREAD_ID = w.OWNER_THREAD_ID"
    " JOIN performance_schema.threads ht ON ht.THREAD_ID = h.OWNER_THREAD_ID"
    " WHERE w.LOCK_STATUS = 'PENDING' AND wt.PROCESSLIST_ID IS NOT NULL AND ht.PROCESSLIST_ID IS NOT NULL",
    "list who waits for whose table and global locks",
)
READ_LOCKS_SEEN = Statement("SELECT @@GLOBAL.performance_schema AS seen", "read whether locks can be seen")
READ_FILTERS = Statement(
    "SELECT FILTER_NAME AS name, FILTER_RULE AS rule FROM performance_schema.replication_applier_filters"
    " WHERE CHANNEL_NAME = %s",
    "read a channel's filters",
)
READ_FIRST_EVENTS = Statement("SHOW RELAYLOG EVENTS IN %s LIMIT 8 FOR CHANNEL %s", "read the first events of a log")
WAIT_EXECUTED = Statement("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s) AS late", "wait for transactions")

# --- the session lock

READ_LOCKS = Statement(
    "SELECT IS_USED_LOCK(%s) AS epoch, IS_USED_LOCK(%s) AS cluster, IS_USED_LOCK(%s) AS manager,"
    f" COALESCE({', '.join(['IS_USED_LOCK(%s)'] * EPOCHS_AHEAD)}) AS newer",
    "read who holds its session lock",
)
TAKE_LOCK = Statement("SELECT GET_LOCK(%s, %s) AS taken", "give its session lock")
RELEASE_LOCKS = Statement("SELECT RELEASE_ALL_LOCKS() AS released", "take the session locks back")
KILL = Statement("KILL CONNECTION %s", "end a session", changes=True)

# --- limits of the server's own, shorter than ours

LIMIT_LOCK_WAIT = Statement("SET SESSION lock_wait_timeout = %s", "limit its lock wait")
KEEP_STOP_LIMIT = Statement(
    "SELECT @@GLOBAL.rpl_stop_replica_timeout INTO @failoverd_stop_limit", "remember its stop limit"
)
LIMIT_STOP = Statement("SET GLOBAL rpl_stop_replica_timeout = %s", "limit its stopping of threads", changes=True)
RESTORE_STOP_LIMIT = Statement(
    "SET GLOBAL rpl_stop_replica_timeout = @failoverd_stop_limit", "restore its stop limit", changes=True
)

# --- replication

STOP_RECEIVER = Statement("STOP REPLICA IO_THREAD FOR CHANNEL %s", "stop its receiver", changes=True)
START_RECEIVER = Statement("START REPLICA IO_THREAD FOR CHANNEL %s", "start its receiver", changes=True)
START_APPLIER = Statement("START REPLICA SQL_THREAD FOR CHANNEL %s", "start its applier", changes=True)
STOP_CHANNEL = Statement("STOP REPLICA FOR CHANNEL %s", "stop its replication", changes=True)
START_CHANNEL = Statement("START REPLICA FOR CHANNEL %s", "start its replication", changes=True)
RENEW_RELAY_LOGS = Statement("RESET REPLICA FOR CHANNEL %s", "begin new relay logs", changes=True)
FORGET_CHANNEL = Statement("RESET REPLICA ALL FOR CHANNEL %s", "forget a channel", changes=True)
SET_NET_TIMEOUT = Statement("SET GLOBAL replica_net_timeout = %s", "set its receiver's time-out", changes=True)
ADOPT_FILES = Statement(
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = %s, SOURCE_USER = 'nobody', SOURCE_AUTO_POSITION = 0,"
    " RELAY_LOG_FILE = %s, RELAY_LOG_POS = 4 FOR CHANNEL %s",
    "adopt relay logs",
    changes=True,
)

# The filters of a channel, by the names that the server lists them under; each takes a list in brackets.
FILTERS = (
    "REPLICATE_DO_DB",
    "REPLICATE_IGNORE_DB",
    "REPLICATE_DO_TABLE",
    "REPLICATE_IGNORE_TABLE",
    "REPLICATE_WILD_DO_TABLE",
    "REPLICATE_WILD_IGNORE_TABLE",
    "REPLICATE_REWRITE_DB",
)

# What `change_source` may name, in the order of the statement. SOURCE_AUTO_POSITION is for a new channel only: naming
# it while the applier runs is refused (3081), and stopping the applier first would throw unapplied relay logs away.
SOURCE_OPTIONS = (
    "SOURCE_HOST",
    "SOURCE_PORT",
    "SOURCE_USER",
    "SOURCE_PASSWORD",
    "SOURCE_SSL",
    "SOURCE_SSL_CA",
    "SOURCE_SSL_VERIFY_SERVER_CERT",
    "GET_SOURCE_PUBLIC_KEY",
    "SOURCE_CONNECT_RETRY",
    "SOURCE_RETRY_COUNT",
    HEARTBEAT_PERIOD,
    "SOURCE_AUTO_POSITION",
)

# --- semi-sync

ACKNOWLEDGE = Statement("SET GLOBAL rpl_semi_sync_replica_enabled = ON", "acknowledge what it receives", changes=True)
AWAIT_ACKS = Statement(
    "SET GLOBAL rpl_semi_sync_source_timeout = %s, GLOBAL rpl_semi_sync_source_wait_for_replica_count = %s,"
    " GLOBAL rpl_semi_sync_source_wait_point = 'AFTER_SYNC', GLOBAL rpl_semi_sync_source_wait_no_replica = ON,"
    " GLOBAL rpl_semi_sync_source_enabled = ON",
    "wait for acknowledgements",
    changes=True,
)
GIVE_UP_ACKS = Statement(
    "SET GLOBAL rpl_semi_sync_source_enabled = OFF", "stop waiting for acknowledgements", changes=True
)

# --- what is forced to the disk

READ_DURABILITY = Statement(
    "SELECT @@GLOBAL.sync_binlog AS sync_binlog, @@GLOBAL.innodb_flush_log_at_trx_commit AS flush_log",
    "read what it forces to its disk",
)
SET_DURABILITY = Statement(
    "SET GLOBAL sync_binlog = %s, GLOBAL innodb_flush_log_at_trx_commit = %s",
    "set what it forces to its disk",
    changes=True,
)
FORCE_BINARY_LOG = Statement("FLUSH LOCAL BINARY LOGS", "force its binary log to the disk", changes=True)
FORCE_ENGINE_LOG = Statement("FLUSH LOCAL ENGINE LOGS", "force its redo log to the disk", changes=True)

# --- writes

OPEN = Statement("SET GLOBAL read_only = OFF", "open for writes", changes=True)
CLOSE = Statement("SET GLOBAL super_read_only = ON", "close for writes", changes=True)
STAY_CLOSED = Statement("SET PERSIST super_read_only = ON", "stay closed after a restart", changes=True)
OFFLINE = Statement("SET GLOBAL offline_mode = ON", "go offline", changes=True)
ONLINE = Statement("SET GLOBAL offline_mode = OFF", "come back from offline", changes=True)


def change_source(names: Sequence[str]) -> Statement:
    """The CHANGE of the channel named by the last value, with these options in the table's order.

    KeyError for an option that is not in the table.
    """
    unknown = set(names) - set(SOURCE_OPTIONS)
    if unknown:
        raise KeyError(*sorted(unknown))
    options = ", ".join(f"{name} = %s" for name in SOURCE_OPTIONS if name in names)
    return Statement(f"CHANGE REPLICATION SOURCE TO {options} FOR CHANNEL %s", "change its source", changes=True)


def of_people(query: str, seconds: float) -> Statement:
    """People's own SELECT, ended by the server itself after that long. It is said between READ_ONLY and ROLL_BACK only;
    ValueError for anything else than one SELECT: sessions would take several.
    """
    verb, rest = query[:6], query[6:]
    if verb.upper() != "SELECT" or ";" in rest:
        raise ValueError(query)
    return Statement(f"{verb} /*+ MAX_EXECUTION_TIME({seconds * 1000:.0f}) */{rest}", "answer a throttle query")


def count_rows(schema: str, table: str, key: Row, images: Mapping[str, Row]) -> Said:
    """How many rows have this key, and by name how many of them are each of these rows to the last character.

    It is said between READ_ONLY and ROLL_BACK, or behind the change that it judges, only.
    """
    sums = (f", COALESCE(SUM({' AND '.join(same(row)) or 'TRUE'}), 0) AS {name}" for name, row in images.items())
    words = ("SELECT COUNT(*) AS found", *sums, " FROM ", quoted(schema), ".", quoted(table), " WHERE ")
    one = Statement("".join((*words, " AND ".join(same(key, by_index=True)))), "compare a row")
    return one.say(*(value for row in (*images.values(), key) for value in compared(row)))


def checksum(schema: str, table: str) -> Said:
    """The checksum of all rows of a table, which the server reads for it; nothing is written or logged."""
    one = Statement(f"CHECKSUM TABLE {quoted(schema)}.{quoted(table)}", "compute the checksum of a table")
    return one.say()


def same(row: Row, *, by_index: bool = False) -> list[str]:
    """A condition for each column: texts count with their case and their blanks, unless an index is to find them.

    A number with a fraction is in a column of eight bytes or of four.
    """
    found = []
    for name, value in row:
        column = quoted(name)
        if isinstance(value, float):
            found.append(f"({column} <=> %s OR {column} <=> CAST(%s AS FLOAT))")
        elif isinstance(value, str) and not by_index:
            found.append(f"CONVERT({column} USING utf8mb4) COLLATE utf8mb4_0900_bin <=> %s")
        else:
            found.append(f"{column} <=> %s")
    return found


def compared(row: Row) -> list[object]:
    """The values for the places of these conditions."""
    return [value for _, value in row for _ in range(2 if isinstance(value, float) else 1)]


def quoted(name: str) -> str:
    """A name as the server takes any; a percent sign would be taken for a value."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


# What every look asks again: its columns are the same as long as a server's version is.
LOOKED = frozenset(
    {READ_CHANNELS, READ_RECEIVERS, READ_SEMI_SYNC, READ_REPLICAS, READ_SETS, READ_SESSIONS, READ_UPTIME}
)
ALL = tuple(value for value in list(globals().values()) if isinstance(value, Statement))
