"""Statements over a server's unix socket: for the lab and the tests, which look at servers out of band."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from failoverd.model.errors import ServerError


def query(
    socket: PurePath, text: str, *, user: str = "root", password: str = "", deadline: float = 30.0
) -> tuple[tuple[object, ...], ...]:
    """Run one or more statements (separated by ';') as autocommit and return the rows of the last one.

    A refusal is a ServerError with the server's number; `deadline` in seconds bounds each read.
    """
    _, rows = query_with_names(socket, text, user=user, password=password, deadline=deadline)
    return rows


def query_with_names(
    socket: PurePath, text: str, *, user: str = "root", password: str = "", deadline: float = 30.0
) -> tuple[tuple[str, ...], tuple[tuple[object, ...], ...]]:
    """Like `query`, with the column names of the last result first."""
    with _connected(socket, user, password, deadline) as connection, connection.cursor() as cursor:
        cursor.execute(text)
        while cursor.nextset():
            pass
        names = tuple(column[0] for column in cursor.description or ())
        return names, tuple(cursor.fetchall())


@contextmanager
def hold(socket: PurePath, statement: str, *, user: str = "root", password: str = "") -> Iterator[None]:
    """Run the statement in a session that stays open as long as the context does; errors as for `query`."""
    with _connected(socket, user, password, 30.0) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        while cursor.nextset():  # of several statements the first answer is not the last
            pass
        yield


@contextmanager
def _connected(
    socket: PurePath, user: str, password: str, deadline: float
) -> Iterator[pymysql.connections.Connection[Cursor]]:
    try:
        connection = pymysql.connect(
            unix_socket=str(socket),
            user=user,
            password=password,
            ssl_disabled=True,
            autocommit=True,
            connect_timeout=deadline,
            read_timeout=deadline,
            write_timeout=deadline,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )
        with connection:
            yield connection
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        raise ServerError("the server refused a statement", f"{socket}: {error}", code=code) from error
