"""A ZooKeeper on virtual time below the production driver: a tree, sessions that expire, transactions, watches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from kazoo.exceptions import (
    RolledBackError,
    SessionExpiredError,
)

from failoverd.drivers.zookeeper.session import ABSENT, EXISTS, NOT_EMPTY, OTHER_VERSION, Away, Session
from failoverd.drivers.zookeeper.settings import ZooKeeperSettings
from tests.simulation.loop import Box, Loop, Process
from tests.simulation.network import Net, NoAnswer, Word

ENSEMBLE = "zk"
RECONNECT = 0.3


class Timeout(Exception):
    """kazoo's time-out, as the production session expects it from its handler."""


@dataclass(slots=True)
class Entry:
    """One entry; `owner` is the session of an ephemeral one."""

    data: bytes = b""
    version: int = 0
    owner: int = 0
    made: int = 0


class Tree:
    """What the ensemble holds. `epochs` remembers under which lock entry each epoch was taken, for the promises."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {"": Entry()}
        self.below: dict[str, set[str]] = {"": set()}
        self.sequence = itertools.count(1)
        self.watches: dict[str, list[Callable[[], None]]] = {}
        self.epochs: dict[int, str] = {}
        self.taken_at = 0.0
        self.written: Callable[[str, str], None] = _unheard

    def get(self, path: str) -> Entry:
        entry = self.entries.get(path)
        if entry is None:
            raise ABSENT
        return entry

    def check(self, path: str, version: int) -> None:
        if version not in {-1, self.get(path).version}:
            raise OTHER_VERSION

    def can_create(self, path: str) -> None:
        if path in self.entries:
            raise EXISTS
        if path.rpartition("/")[0] not in self.entries:
            raise ABSENT

    def create(self, path: str, data: bytes, owner: int = 0) -> str:
        self.can_create(path)
        parent, _, name = path.rpartition("/")
        self.entries[path] = Entry(data, owner=owner)
        self.below[path] = set()
        self.below[parent].add(name)
        self._fire(path, parent)
        return path

    def create_next(self, path: str, data: bytes, owner: int) -> str:
        parent = self.get(path.rpartition("/")[0])
        parent.made += 1
        return self.create(f"{path}{parent.made:010d}", data, owner)

    def set(self, path: str, data: bytes, version: int = -1) -> None:
        self.check(path, version)
        entry = self.get(path)
        entry.data, entry.version = data, entry.version + 1
        self._fire(path)

    def can_delete(self, path: str) -> None:
        self.get(path)
        if self.below[path]:
            raise NOT_EMPTY

    def delete(self, path: str) -> None:
        self.can_delete(path)
        parent, _, name = path.rpartition("/")
        del self.entries[path], self.below[path]
        self.below[parent].discard(name)
        self._fire(path, parent)

    def children(self, path: str) -> list[str]:
        self.get(path)
        return sorted(self.below[path])

    def watch(self, path: str, told: Callable[[], None]) -> None:
        self.watches.setdefault(path, []).append(told)

    def holds_lock(self, epoch: int) -> bool:
        """Whether this is the newest epoch, and the lock entry under which it was taken still stands."""
        return epoch == max(self.epochs, default=0) and self.epochs[epoch] in self.entries

    def _fire(self, *paths: str) -> None:
        for path in paths:
            for told in self.watches.pop(path, ()):
                told()


def _unheard(_: str, __: str) -> None:
    """Nobody listens yet."""


@dataclass(slots=True)
class Login:
    """One session as the ensemble sees it: `broken` counts how often its line broke."""

    number: int
    process: Process
    timeout: float
    broken: int = 0
    lost: bool = False
    ended: bool = False


class Ensemble:
    """The servers of ZooKeeper as one; `down` answers nobody."""

    def __init__(self, loop: Loop, net: Net) -> None:
        self.loop = loop
        self.net = net
        self.tree = Tree()
        self.down = False
        self.logins: dict[int, Login] = {}
        self._numbers = itertools.count(1)

    def login(self, process: Process, timeout: float) -> Login:
        """A new session."""
        made = Login(next(self._numbers), process, timeout)
        self.logins[made.number] = made
        return made

    def hears(self, process: Process) -> bool:
        """Whether its pings come through."""
        alive = process.alive and not process.frozen and not self.down
        return alive and self.net.both(process.name, ENSEMBLE)

    def lines_changed(self) -> None:
        """Look which sessions are heard: one that is not heard for its time-out ends."""
        for login in self.logins.values():
            if login.ended:
                continue
            heard = self.hears(login.process)
            if heard:
                login.lost = False
            elif not login.lost:
                login.lost = True
                login.broken += 1
                self._expire_later(login, login.broken)

    def _expire_later(self, login: Login, times: int) -> None:
        def expire() -> None:
            if login.lost and login.broken == times and not self.down:
                self.end(login)
            elif self.down and not login.ended:
                self._expire_later(login, times)

        self.loop.at(self.loop.now + login.timeout * 1.05, expire)

    def end(self, login: Login) -> None:
        """End a session: its entries go."""
        login.ended = True
        for path in [path for path, entry in self.tree.entries.items() if entry.owner == login.number]:
            self.tree.delete(path)


class SimZooKeeperSession(Session):
    """The production session's questions over a simulated client; what it asks is said in its own words."""

    def __init__(
        self, settings: ZooKeeperSettings, ensemble: Ensemble, process: Process, on_change: Callable[[str], None]
    ) -> None:
        self.settings = settings
        self.acl = None
        self._ensemble = ensemble
        self._process = process
        self._on_change = on_change
        self._login: Login | None = None
        self._suspended = False
        self._known = 0
        self._closed = False
        self._client = cast("Any", Client(self))
        self._reconnect()

    def open(self) -> None:
        """It connects by itself."""

    def refuse_other_timeout(self) -> None:
        """The ensemble negotiates what is asked."""

    @property
    def connected(self) -> bool:
        return self._login is not None and not self._suspended and not self._closed

    @property
    def id(self) -> int:
        return self._known

    def tend(self) -> None:
        """It never has to be replaced."""

    def close(self) -> None:
        """Say goodbye, if anybody hears it."""
        self._closed = True
        login, self._login = self._login, None
        if login is not None and self._ensemble.hears(self._process):
            self._ensemble.end(login)

    def _reconnect(self) -> None:
        """Try again and again to have a line, and a session on it."""
        if self._closed or not self._process.alive:
            return
        ensemble = self._ensemble
        if ensemble.hears(self._process):
            if self._login is not None and self._login.ended:
                self._login, self._known = None, 0
                self._on_change("lost")
            if self._login is None:
                self._login = ensemble.login(self._process, self.settings.session_timeout)
                self._known = self._login.number
            if self._suspended:
                self._suspended = False
            self._on_change("connected")
            return
        ensemble.loop.at(ensemble.loop.now + RECONNECT, self._reconnect, self._process)

    def suspend(self) -> None:
        """The line is gone: nothing is sent until there is another one."""
        if not self._suspended and self._login is not None and not self._closed:
            self._suspended = True
            self._on_change("suspended")
            loop = self._ensemble.loop
            loop.at(loop.now + RECONNECT, self._reconnect, self._process)

    def request(self, what: str, does: Callable[[Tree, Login], Any], *, changes: bool = False) -> Sent:
        """Send one request."""
        login, ensemble = self._login, self._ensemble
        if login is None:
            raise Away("ZooKeeper is away")

        def serve() -> Any:
            if ensemble.down:
                raise NoAnswer
            if login.ended:
                raise SessionExpiredError
            return does(ensemble.tree, login)

        word = Word(self._process, self._process.name, ENSEMBLE, f"zookeeper: {what}", changes)
        return Sent(ensemble.net.send(word, serve, self.settings.patience), self)

    def told(self, watch: Callable[[Any], None]) -> Callable[[], None]:
        """A watch as the ensemble fires it: after the way, if the line stands."""
        ensemble, login = self._ensemble, self._login

        def fire() -> None:
            def arrive() -> None:
                if self._login is login and ensemble.hears(self._process):
                    watch(None)

            ensemble.loop.at(ensemble.loop.now + 0.001, arrive, self._process)

        return fire


@dataclass(slots=True)
class Sent:
    """An answer on its way; silence suspends the session, as kazoo does when pings stay out."""

    box: Box[Any]
    session: SimZooKeeperSession

    def get(self, timeout: float) -> Any:
        """The answer; a word is given up after the driver's own patience, which is what it waits for here."""
        if not self.box.wait():
            self.session.suspend()
            raise Timeout
        try:
            return self.box.value()
        except SessionExpiredError:
            self.session.suspend()
            raise


class Client:
    """The part of kazoo's client that the driver uses."""

    handler = SimpleNamespace(timeout_exception=Timeout)

    def __init__(self, session: SimZooKeeperSession) -> None:
        self._session = session

    def get_async(self, path: str) -> Sent:
        def does(tree: Tree, _: Login) -> Any:
            entry = tree.get(path)
            return entry.data, SimpleNamespace(version=entry.version, ephemeralOwner=entry.owner)

        return self._session.request("get", does)

    def exists_async(self, path: str, watch: Any = None) -> Sent:
        told = self._session.told(watch) if watch is not None else None

        def does(tree: Tree, _: Login) -> Any:
            entry = tree.entries.get(path)
            if told is not None:
                tree.watch(path, told)
            return None if entry is None else SimpleNamespace(version=entry.version, ephemeralOwner=entry.owner)

        return self._session.request("exists", does)

    def get_children_async(self, path: str, watch: Any = None) -> Sent:
        told = self._session.told(watch) if watch is not None else None

        def does(tree: Tree, _: Login) -> Any:
            found = tree.children(path)
            if told is not None:
                tree.watch(path, told)
            return found

        return self._session.request("children", does)

    def create_async(self, path: str, data: bytes = b"", acl: Any = None, **how: bool) -> Sent:
        del acl

        def does(tree: Tree, login: Login) -> Any:
            owner = login.number if how.get("ephemeral") else 0
            return tree.create_next(path, data, owner) if how.get("sequence") else tree.create(path, data, owner)

        return self._session.request("create", does, changes=True)

    def set_async(self, path: str, data: bytes) -> Sent:
        return self._session.request("set", lambda tree, _: tree.set(path, data, -1), changes=True)

    def delete_async(self, path: str) -> Sent:
        return self._session.request("delete", lambda tree, _: tree.delete(path), changes=True)

    def transaction(self) -> Transaction:
        return Transaction(self._session)


class Transaction:
    """All or nothing, with a result for each part."""

    def __init__(self, session: SimZooKeeperSession) -> None:
        self._session = session
        self._parts: list[tuple[str, tuple[Any, ...]]] = []

    def check(self, path: str, version: int) -> None:
        self._parts.append(("check", (path, version)))

    def create(self, path: str, data: bytes = b"") -> None:
        self._parts.append(("create", (path, data)))

    def set_data(self, path: str, data: bytes, version: int = -1) -> None:
        self._parts.append(("set", (path, data, version)))

    def delete(self, path: str) -> None:
        self._parts.append(("delete", (path,)))

    def commit_async(self) -> Sent:
        parts = self._parts
        what = "transaction: " + ", ".join(f"{kind} {args[0].rpartition('/')[2]}" for kind, args in parts[-2:])
        return self._session.request(what, lambda tree, _: commit(tree, parts), changes=True)


def commit(tree: Tree, parts: Iterable[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    """Try all parts on the tree; where one fails, nothing has happened."""
    parts = list(parts)
    undo: list[Callable[[], None]] = []
    for index, (kind, args) in enumerate(parts):
        try:
            undo.append(_do(tree, kind, args))
        except (ABSENT, EXISTS, OTHER_VERSION, NOT_EMPTY) as error:
            for back in reversed(undo):
                back()
            return [error if at == index else RolledBackError() for at in range(len(parts))]
    lock = next((args[0] for kind, args in parts if kind == "check"), "")
    for kind, args in parts:
        if kind != "check":
            tree.written(lock, args[0])
        if kind == "set" and args[0].endswith("/epoch"):
            tree.epochs[int(args[1])] = lock
    return [True for _ in parts]


def _do(tree: Tree, kind: str, args: tuple[Any, ...]) -> Callable[[], None]:
    path = args[0]
    if kind == "check":
        tree.check(path, args[1])
        return lambda: None
    if kind == "create":
        tree.create(path, args[1])
        return lambda: tree.delete(path)
    if kind == "delete":
        before = tree.get(path)
        tree.delete(path)
        return lambda: _restore(tree, path, before)
    entry = tree.get(path)
    data, version = entry.data, entry.version
    tree.set(*args)
    return lambda: _reset(entry, data, version)


def _restore(tree: Tree, path: str, before: Entry) -> None:
    tree.create(path, before.data, before.owner)


def _reset(entry: Entry, data: bytes, version: int) -> None:
    entry.data, entry.version = data, version
