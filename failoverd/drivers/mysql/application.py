"""A session as an application would open it: for the writing client that measures an outage, never for managing
servers.
"""

from __future__ import annotations

import contextlib
import ssl
from types import TracebackType
from typing import Self

import pymysql

from failoverd.model.errors import ServerError
from failoverd.model.sight import Endpoint

_TLS = ssl.create_default_context()
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE


class ApplicationSession:
    """One login with autocommit; every call ends within `deadline` seconds or raises ServerError with the server's
    number.
    """

    def __init__(self, endpoint: Endpoint, user: str, password: str, database: str, deadline: float) -> None:
        with _translated(endpoint):
            self._connection = pymysql.connect(
                host=endpoint.host,
                port=endpoint.port,
                user=user,
                password=password,
                database=database,
                autocommit=True,
                ssl=_TLS,
                connect_timeout=max(deadline, 0.05),
                read_timeout=deadline,
                write_timeout=deadline,
            )
        self.endpoint = endpoint

    def execute(self, text: str, *values: object) -> tuple[tuple[object, ...], ...]:
        """Run one statement and return its rows; ServerError leaves open whether it took effect."""
        with _translated(self.endpoint), self._connection.cursor() as cursor:
            cursor.execute(text, values)
            return tuple(cursor.fetchall())

    def close(self) -> None:
        """End the session; never raises."""
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self._connection.close()


class _translated:  # noqa: N801 - a context manager reads as a verb
    """Library errors become ServerError at this door."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, (pymysql.MySQLError, OSError, RuntimeError)):
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            raise ServerError("the server did not do it", f"{self._endpoint}: {error}", code=code) from error
