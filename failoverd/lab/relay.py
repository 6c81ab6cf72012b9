"""Damage to a replica's relay log, where it has not been applied yet."""

from __future__ import annotations

import os
from pathlib import Path

from failoverd.drivers.mysql.local import query, query_with_names
from failoverd.lab.layout import Host
from failoverd.model.errors import FailoverdError

_BYTES = 64
_EVENT_HEADER = 19
_MIN_UNAPPLIED = 4 * _BYTES
_HINT = "stop the applier first: STOP REPLICA SQL_THREAD, and let the source write"


def damage(host: Host) -> str:
    """Overwrite bytes in the middle of the unapplied part of the replica's relay logs; returns "file:offset"."""
    names, rows = query_with_names(host.socket, "SHOW REPLICA STATUS FOR CHANNEL ''")
    if not rows:
        raise FailoverdError(f"{host.name} is no replica", "it has no relay log")
    status = dict(zip(names, rows[0], strict=True))
    ((nothing,),) = query(
        host.socket,
        "SELECT GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed)"
        " FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''",
    )
    if nothing:
        raise FailoverdError(f"{host.name} has nothing unapplied to damage", "all it received is executed", _HINT)
    path, start = _unapplied(Path(host.datadir), str(status["Relay_Log_File"]), int(str(status["Relay_Log_Pos"])))
    size = path.stat().st_size
    offset = start + _EVENT_HEADER + (size - start) // 2
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(_BYTES)
        file.seek(offset)
        file.write(bytes(byte ^ 0xFF for byte in old))
        file.flush()
        os.fsync(file.fileno())
    return f"{path.name}:{offset}"


def _unapplied(datadir: Path, file: str, position: int) -> tuple[Path, int]:
    """The first relay log from the applier's on that has enough unapplied bytes, and where these begin."""
    base = file.rpartition(".")[0]
    later = sorted(path for path in datadir.glob(f"{base}.[0-9]*") if path.name >= file)
    for path in later:
        start = position if path.name == file else 512
        if path.stat().st_size - start >= _MIN_UNAPPLIED:
            return path, start
    raise FailoverdError("too little is unapplied to damage it", f"{datadir}: applied up to {file}:{position}", _HINT)
