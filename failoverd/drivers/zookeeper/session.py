"""One ZooKeeper session at a time: bounded calls that fail at once while it is away, and a new client when it stays
away.

kazoo queues what is asked while the connection is down and sends it later; here nothing is ever sent later.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import EXCEPTIONS, ConnectionLoss, KazooException
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.states import KazooState, KeeperState
from kazoo.retry import KazooRetry
from kazoo.security import make_digest_acl

from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from failoverd.model.errors import ConfigError, CoordinationError
from failoverd.ports import Clock

ABSENT = EXCEPTIONS[-101]
EXISTS = EXCEPTIONS[-110]
NOT_ALLOWED = EXCEPTIONS[-102]
OTHER_VERSION = EXCEPTIONS[-103]
NOT_EMPTY = EXCEPTIONS[-111]

# A client that was away this many session time-outs is replaced: one whose ensemble was rebuilt empty never comes back,
# because it has seen later transactions than the ensemble has made.
_REPLACE_AFTER = 5.0

_PARTING = 0.2  # seconds for the end of a client that has nobody to say goodbye to

# kazoo warns about every attempt to connect, many times a second; what matters is told by `state` and by the lease.
_QUIET = logging.getLogger("failoverd.kazoo")
_QUIET.setLevel(logging.CRITICAL)

Happened = Callable[[str], None]  # "connected", "suspended" or "lost"; called from kazoo's threads, must not block


class Away(CoordinationError):
    """ZooKeeper cannot be asked now, or did not answer in time: what was sent may or may not have taken effect."""


class Session:
    """The current client. `on_change` hears of every change of the connection; a replaced client says "lost" first."""

    def __init__(self, settings: ZooKeeperSettings, clock: Clock, on_change: Happened) -> None:
        self.settings = settings
        self._clock = clock
        self._on_change = on_change
        self._negotiated = 0.0
        self._id = 0
        self._first = threading.Event()
        self._away_since: float | None = clock.now()
        auth = settings.auth
        self.acl = [make_digest_acl(auth.username, auth.password, all=True)] if auth else None
        self._client = self._made()

    def open(self) -> None:
        """Wait for the first connection, no longer than the settings say; it goes on connecting in the background.

        Raises ConfigError where the ensemble negotiates another session time-out.
        """
        self._first.wait(self.settings.connect_timeout)
        self.refuse_other_timeout()

    def refuse_other_timeout(self) -> None:
        """Raise ConfigError where the negotiated session time-out is not the configured one: the lease rests on it."""
        asked = self.settings.session_timeout
        if self._negotiated and abs(self._negotiated - asked) > 0.001:
            raise ConfigError(
                f"ZooKeeper negotiated a session time-out of {self._negotiated:g} s",
                f"zookeeper.session_timeout asks for {asked:g} s",
                "it grants 2 to 20 times its tickTime; change zookeeper.session_timeout or the ensemble's limits",
            )

    @property
    def connected(self) -> bool:
        """Whether a call can be sent now."""
        return bool(self._negotiated and self._id) and self._client.client_state == KeeperState.CONNECTED

    @property
    def id(self) -> int:
        """The session's number, also while its connection is suspended; 0 while there is none."""
        return self._id

    def send(self, call: Callable[[Any], Any]) -> Any:
        """Send one request on the client; the answer is fetched with `result`. Raises Away at once while not
        connected.
        """
        self.refuse_other_timeout()
        client = self._client
        if not self.connected:
            hint = "it is tried again without end"
            if self.settings.tls is not None:
                hint += "; where it runs, look at its certificates and at the files of zookeeper.tls"
            raise Away("ZooKeeper is away", ",".join(self.settings.hosts), hint)
        return call(client)

    def result(self, sent: Any, timeout: float) -> Any:
        """The answer to a sent request. ZooKeeper's own refusals come through as they are; silence is Away."""
        try:
            return sent.get(timeout=max(0.0, timeout))
        except (ABSENT, EXISTS, OTHER_VERSION, NOT_EMPTY):
            raise
        except NOT_ALLOWED as error:
            hint = "does zookeeper.auth name the account that made the entries?"
            raise CoordinationError("ZooKeeper does not let this account in", self.settings.root, hint) from error
        except KazooException as error:
            raise Away("ZooKeeper refused or lost a call", f"{type(error).__name__} {error}".strip()) from error
        except self._client.handler.timeout_exception as error:
            raise Away("ZooKeeper did not answer", f"within {timeout:g} s") from error

    def call(self, call: Callable[[Any], Any], timeout: float | None = None) -> Any:
        """Send one request and wait for its answer."""
        return self.result(self.send(call), self.settings.patience if timeout is None else timeout)

    def read(self, path: str) -> bytes | None:
        """An entry's bytes, None where there is no such entry."""
        try:
            data, _ = self.call(lambda client: client.get_async(path))
        except ABSENT:
            return None
        return bytes(data)

    def children(self, path: str) -> list[str]:
        """Names below a directory, none where it does not exist."""
        try:
            return list(self.call(lambda client: client.get_children_async(path)))
        except ABSENT:
            return []

    def put(self, path: str, data: bytes) -> None:
        """Set an entry, making it where there is none."""
        try:
            self.call(lambda client: client.set_async(path, data))
        except ABSENT:
            try:
                self.call(lambda client: client.create_async(path, data, acl=self.acl))
            except EXISTS:
                self.call(lambda client: client.set_async(path, data))

    def remove(self, path: str) -> None:
        """Take an entry away; nothing happens where there is none."""
        with contextlib.suppress(ABSENT):
            self.call(lambda client: client.delete_async(path))

    def read_all(self, paths: list[str]) -> list[bytes | None]:
        """Many entries in one go: all requests are sent before the first answer is awaited."""
        sent = [self.send(_getting(path)) for path in paths]
        return [self._bytes_or_none(request) for request in sent]

    def _bytes_or_none(self, sent: Any) -> bytes | None:
        try:
            return bytes(self.result(sent, self.settings.patience)[0])
        except ABSENT:
            return None

    def ensure(self, path: str) -> None:
        """Make a directory and its parents, each with our access list; nothing happens where they are."""
        grown = ""
        for part in path.strip("/").split("/"):
            grown += f"/{part}"
            self._make(grown)

    def _make(self, path: str) -> None:
        with contextlib.suppress(EXISTS):
            self.call(lambda client: client.create_async(path, b"", acl=self.acl))

    def tend(self) -> None:
        """Replace a client that has been away for long; called again and again by the worker."""
        if self.connected:
            self._away_since = None
            return
        now = self._clock.now()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since < _REPLACE_AFTER * self.settings.session_timeout:
            return
        self._away_since = now
        old, self._client = self._client, self._made()
        self._on_change("lost")
        threading.Thread(target=_dispose, args=(old,), name="zookeeper-disposal", daemon=True).start()

    def close(self) -> None:
        """End the session: its ephemeral entries go at once if ZooKeeper is there."""
        closing = threading.Thread(target=_dispose, args=(self._client,), name="zookeeper-disposal", daemon=True)
        closing.start()
        closing.join(self.settings.patience if self.connected else _PARTING)

    def _made(self) -> Any:
        settings, tls = self.settings, self.settings.tls
        self._negotiated, self._id = 0.0, 0
        retry = {"max_tries": -1, "delay": 0.05, "backoff": 1.5, "max_delay": settings.beat}
        client = KazooClient(
            hosts=",".join(settings.hosts),
            timeout=settings.session_timeout,
            auth_data=[("digest", f"{settings.auth.username}:{settings.auth.password}")] if settings.auth else None,
            default_acl=self.acl,
            handler=_Handler(),
            connection_retry=KazooRetry(**retry),
            logger=_QUIET,
            use_ssl=tls is not None,
            ca=tls.ca_file if tls else None,
            certfile=(tls.cert_file or None) if tls else None,
            keyfile=(tls.key_file or None) if tls else None,
            check_hostname=tls is not None,
        )
        self._note_negotiated(client)
        _fail_fast(client)
        _hurry(client, settings.attempt)
        client.add_listener(lambda state: self._changed(client, state))
        client.start_async()
        return client

    def _note_negotiated(self, client: Any) -> None:
        # kazoo keeps the negotiated time-out to itself; what its connect step returns is two thirds of it.
        connect = client._connection._connect  # noqa: SLF001 - there is no public way to the negotiated value

        def noting(*place: Any) -> Any:
            answer = connect(*place)
            self._id = int(client.client_id[0]) if client.client_id else 0
            self._negotiated = round(answer[0] * 1.5) / 1000
            self._first.set()
            self._on_change("connected")
            return answer

        client._connection._connect = noting  # noqa: SLF001 - the same

    def _changed(self, client: Any, state: str) -> None:
        if client is not getattr(self, "_client", client):
            return
        if state == KazooState.SUSPENDED:
            self._on_change("suspended")
        elif state == KazooState.LOST:
            self._id = 0
            self._on_change("lost")


class _Handler(SequentialThreadingHandler):  # type: ignore[misc] # kazoo has no types
    """kazoo's threads, waiting for its two sockets in one system call.

    Its own way makes and ends a selector at each wait: half of what a manager's requests cost.
    """

    def select(self, reads: Any, writes: Any, errors: Any, timeout: float | None = None) -> Any:
        """What can be read and written; a broken one counts as both, and whoever uses it finds out."""
        waiting = select.poll()
        for one in reads:
            waiting.register(one, select.POLLIN)
        for one in writes:
            waiting.register(one, select.POLLOUT)
        ready = {number for number, _ in waiting.poll(None if timeout is None else max(0.0, timeout) * 1000)}
        return [one for one in reads if one.fileno() in ready], [one for one in writes if one.fileno() in ready], []


def _getting(path: str) -> Callable[[Any], Any]:
    return lambda client: client.get_async(path)


def _fail_fast(client: Any) -> None:
    plain = client._call  # noqa: SLF001 - the only place all requests pass

    def only_now(request: Any, answer: Any) -> Any:
        if client.client_state == KeeperState.CONNECTING:
            answer.set_exception(ConnectionLoss())
            return False
        return plain(request, answer)

    client._call = only_now  # noqa: SLF001 - the same


def _hurry(client: Any, limit: float) -> None:
    """Bound each attempt to connect: kazoo gives a member that is off, or that accepts and then says nothing, a whole
    session time-out, and the lease is lost in it although other members, or the same a moment later, would answer.
    """
    connection, open_socket = client._connection, client.handler.create_connection  # noqa: SLF001 - no public way
    invoke = connection._invoke  # noqa: SLF001 - the same

    def soon_open(*place: Any, **wish: Any) -> Any:
        return open_socket(*place, **{**wish, "timeout": limit})

    def soon_answered(timeout: float, *rest: Any, **more: Any) -> Any:
        return invoke(min(timeout, limit), *rest, **more)

    client.handler.create_connection = soon_open
    connection._invoke = soon_answered  # noqa: SLF001 - the same


def _dispose(client: Any) -> None:
    try:
        client.stop()
        client.close()
    except (KazooException, OSError, AttributeError, TypeError):
        return  # a client that never had a connection has parts missing; its threads have been told to end
