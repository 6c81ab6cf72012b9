"""Each error of the measured table, as the library raises it, and what it says about the server."""

from __future__ import annotations

import errno
import socket
import ssl

import pymysql
import pytest

from failoverd.drivers.mysql import failures
from failoverd.model.sight import SPOKE, Why


def wrapped(cause: OSError, code: int = 2013) -> pymysql.MySQLError:
    """An error as the library makes it out of one of the socket's."""
    error = pymysql.OperationalError(code, f"Lost connection ({cause})")
    error.__cause__ = cause
    return error


def original(cause: OSError) -> pymysql.MySQLError:
    """An error as the library makes it while connecting."""
    error = pymysql.OperationalError(2003, f"Can't connect ({cause})")
    error.original_exception = cause  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("code", [1040, 1044, 1129, 1226, 1227, 1290, 1862, 3032, 3118, 3159, 9999])
def test_any_number_of_the_servers_own_is_a_sign_of_life(code: int) -> None:
    assert failures.why_of(pymysql.OperationalError(code, "no")) is Why.ALIVE
    assert Why.ALIVE in SPOKE


ROWS = {
    "denied": (pymysql.OperationalError(1045, "Access denied"), Why.ACCESS_DENIED),
    "leaving": (pymysql.OperationalError(1053, "Server shutdown in progress"), Why.LEAVING),
    "no TLS there": (pymysql.OperationalError(2026, "SSL is required but the server doesn't support it"), Why.ALIVE),
    "killed session": (pymysql.OperationalError(3169, "Session was killed"), Why.RESET),
    "timed-out session": (pymysql.OperationalError(4031, "disconnected by the server"), Why.RESET),
    "end of the line": (pymysql.OperationalError(2013, "Lost connection"), Why.RESET),
    "gone away": (wrapped(BrokenPipeError(errno.EPIPE, "Broken pipe"), 2006), Why.RESET),
    "reset": (wrapped(ConnectionResetError(errno.ECONNRESET, "reset")), Why.RESET),
    "silence": (wrapped(TimeoutError("timed out")), Why.TIMED_OUT),
    "no way": (wrapped(OSError(errno.EHOSTUNREACH, "No route to host")), Why.UNREACHABLE),
    "refused": (original(ConnectionRefusedError(errno.ECONNREFUSED, "refused")), Why.REFUSED),
    "silence at connect": (original(TimeoutError("timed out")), Why.TIMED_OUT),
    "end inside TLS": (original(ssl.SSLEOFError(8, "EOF")), Why.RESET),
    "certificate": (original(ssl.SSLCertVerificationError(1, "self-signed")), Why.OWN_SIDE),
    "used when closed": (pymysql.InterfaceError(0, ""), Why.OWN_SIDE),
    "library lacks cryptography": (RuntimeError("'cryptography' package is required"), Why.OWN_SIDE),
    "odd packet": (pymysql.InternalError("Packet sequence number wrong"), Why.OWN_SIDE),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row: str) -> None:
    error, why = ROWS[row]
    assert failures.why_of(error) is why


LINES = {
    "refused": (ConnectionRefusedError(errno.ECONNREFUSED, ""), Why.REFUSED),
    "timed out by us": (TimeoutError("timed out"), Why.TIMED_OUT),
    "timed out by the kernel": (OSError(errno.ETIMEDOUT, ""), Why.TIMED_OUT),
    "no host": (OSError(errno.EHOSTUNREACH, ""), Why.UNREACHABLE),
    "no net": (OSError(errno.ENETUNREACH, ""), Why.UNREACHABLE),
    "no name": (socket.gaierror(socket.EAI_NONAME, ""), Why.OWN_SIDE),
    "no more files of ours": (OSError(errno.EMFILE, ""), Why.OWN_SIDE),
    "no port of ours": (OSError(errno.EADDRNOTAVAIL, ""), Why.OWN_SIDE),
    "a bug": (ValueError("what"), Why.OWN_SIDE),
}


@pytest.mark.parametrize("row", LINES)
def test_the_table_of_the_line(row: str) -> None:
    error, why = LINES[row]
    assert failures.of_line(error) is why


def test_only_the_servers_own_numbers_are_codes() -> None:
    assert failures.code_of(pymysql.OperationalError(1040, "")) == 1040
    assert failures.code_of(pymysql.OperationalError(2013, "")) == 0
    assert failures.code_of(pymysql.InternalError("text only")) == 0
    assert failures.code_of(ValueError(1040)) == 0


def test_no_secret_gets_into_a_message() -> None:
    error = pymysql.ProgrammingError(1064, "syntax error near 'SOURCE_PASSWORD = 'hunter2'' at line 1")
    for made in (
        failures.refused("db1", "change its source", error, ("", "hunter2")),
        failures.no_session("db1", Why.OWN_SIDE, error, ("hunter2",)),
    ):
        assert "hunter2" not in str(made)
        assert "SOURCE_PASSWORD" in str(made)
        assert made.code == 1064


def test_every_reason_has_a_sentence() -> None:
    for why in Why:
        assert str(failures.no_session("db1", why, ValueError("x"))).startswith("db1: ")
