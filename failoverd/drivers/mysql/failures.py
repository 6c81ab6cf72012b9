"""What an error of the library or of the server says about the server: the measured table, as values.

The library tells apart neither stages nor causes: a hung server, a cut line and a full disk of ours can all be 2013. So
the stage comes in, and the cause is read from the exception that the library wrapped.
"""

from __future__ import annotations

import errno
import socket
import ssl
from types import MappingProxyType

import pymysql

from failoverd.model.errors import ConnectFailed, ServerError
from failoverd.model.sight import Why

SHUTDOWN_IN_PROGRESS = 1053
TOO_MANY_CONNECTIONS = 1040

# A server that answers with any number at all is alive; these numbers say more than that.
_SPOKEN = MappingProxyType(
    {
        1045: Why.ACCESS_DENIED,
        SHUTDOWN_IN_PROGRESS: Why.LEAVING,
    }
)
# Said to an idle session by a server that ends it: killed, timed out, closed by the administrator.
_SESSION_ENDED = frozenset({1927, 3169, 4031})
_CLIENT_CODES = range(2000, 3000)
_TLS_CODE = 2026

_LINE = MappingProxyType(
    {
        errno.ECONNREFUSED: Why.REFUSED,
        errno.ECONNRESET: Why.RESET,
        errno.EPIPE: Why.RESET,
        errno.ECONNABORTED: Why.RESET,
        errno.ETIMEDOUT: Why.TIMED_OUT,
        errno.EHOSTUNREACH: Why.UNREACHABLE,
        errno.ENETUNREACH: Why.UNREACHABLE,
        errno.EHOSTDOWN: Why.UNREACHABLE,
    }
)


def of_line(error: BaseException) -> Why:
    """What an error of the socket says, `silent` ones as timed out; anything unknown is our own side."""
    if isinstance(error, TimeoutError):
        return Why.TIMED_OUT
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | EOFError):
        return Why.RESET
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return Why.OWN_SIDE
    if isinstance(error, OSError):
        return _LINE.get(error.errno or 0, Why.OWN_SIDE)
    return Why.OWN_SIDE


def code_of(error: BaseException) -> int:
    """The number the server sent, 0 where it sent none."""
    number = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else 0
    return number if isinstance(number, int) and number and number not in _CLIENT_CODES else 0


def why_of(error: BaseException) -> Why:
    """What an error of the library says about the server.

    Time-outs come back as TIMED_OUT; only the caller knows whether the line or the server was silent.
    """
    if not isinstance(error, pymysql.MySQLError):
        return of_line(error)
    if isinstance(error, pymysql.InterfaceError):
        return Why.OWN_SIDE
    if code := code_of(error):
        return Why.RESET if code in _SESSION_ENDED else _SPOKEN.get(code, Why.ALIVE)
    if error.args and error.args[0] == _TLS_CODE:
        return Why.ALIVE  # it greeted us, and has no TLS to offer
    cause = getattr(error, "original_exception", None) or error.__cause__ or error.__context__
    if isinstance(cause, OSError):
        return of_line(cause)
    return Why.RESET if error.args and error.args[0] in {2006, 2013} else Why.OWN_SIDE


def text_of(error: BaseException, secrets: tuple[str, ...]) -> str:
    """The error's own words without any secret: a syntax error quotes the statement, and CHANGE carries a password."""
    words = str(error.args[1]) if isinstance(error, pymysql.MySQLError) and len(error.args) > 1 else str(error)
    for secret in secrets:
        if secret:
            words = words.replace(secret, "***")
    return words or type(error).__name__


def no_session(where: str, why: Why, error: BaseException, secrets: tuple[str, ...] = ()) -> ConnectFailed:
    """The error for a session that could not be had or was lost."""
    return ConnectFailed(f"{where}: {_SENTENCES[why]}", text_of(error, secrets), why=why, code=code_of(error))


def refused(where: str, doing: str, error: BaseException, secrets: tuple[str, ...]) -> ServerError:
    """The error for a statement that the server answered with a number."""
    return ServerError(f"{where} refused to {doing}", text_of(error, secrets), code=code_of(error))


_SENTENCES = MappingProxyType(
    {
        Why.REFUSED: "nobody listens",
        Why.RESET: "the connection was cut",
        Why.TIMED_OUT: "no packet came back",
        Why.UNREACHABLE: "there is no way to the host",
        Why.HUNG: "the connection stands, the answer does not come",
        Why.LEAVING: "the server is shutting down",
        Why.CLONING: "the server holds half of a copy",
        Why.ALIVE: "the server lives and let us not in",
        Why.ACCESS_DENIED: "the server denied us access",
        Why.OWN_SIDE: "the attempt failed on our own side",
        Why.NOT_ASKED: "the server was not asked",
    }
)
