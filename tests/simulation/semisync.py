"""Semi-sync of a simulated server: commits that are logged and wait, replicas that acknowledge what they receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from failoverd.gtid import GtidSet
from failoverd.model.semisync import INFINITE, SemiSync
from failoverd.model.sight import Thread

if TYPE_CHECKING:
    from tests.simulation.mysqld import Mysqld

WAITS = "Waiting for semi-sync ACK from replica"


@dataclass
class Commit:
    """One that is in the binary log and seen by nobody yet; `told` is called when its client hears OK."""

    gtids: GtidSet
    session: int
    told: Callable[[], None]
    ended: bool = False
    by: set[str] = field(default_factory=set)


class Acks:
    """Both sides of one server. Its settings end with the process, as those set with SET GLOBAL do."""

    def __init__(self, server: Mysqld) -> None:
        self._server = server
        self.loaded = False
        self.source_on = self.replica_on = self.registered = False
        self.timeout, self.wait_count = 0, 1
        self.waiting: list[Commit] = []

    @property
    def logged(self) -> GtidSet:
        """What waits: in the binary log already, executed not yet."""
        found = GtidSet()
        for commit in self.waiting:
            found |= commit.gtids
        return found

    def connected(self) -> None:
        """The receiver has told its source what it will do: only now, when it connects."""
        self.registered = self.replica_on

    def clients(self) -> list[Mysqld]:
        """Who is registered as acknowledging here."""
        return [one for one in self._server.followers() if one.acks.gives_to(self._server)]

    def gives_to(self, source: Mysqld) -> bool:
        """Whether this server acknowledges to that one over a line that stands."""
        main = self._server.channels.get("")
        follows = main is not None and main.source == source.endpoint and main.receiver is Thread.YES
        return (
            self.registered
            and follows
            and self._server.answers
            and self._server.net.both(self._server.name, source.name)
        )

    def took(self, replica: Mysqld, held: GtidSet) -> None:
        """A replica says what it has in its relay log: commits that enough have are done."""
        if not self._server.answers:
            return
        for commit in list(self.waiting):
            if commit.gtids <= held:
                commit.by.add(replica.name)
                if len(commit.by) >= self.wait_count:
                    self.done(commit)

    def done(self, commit: Commit) -> None:
        """Executed, and its client hears it if it still listens."""
        self.waiting.remove(commit)
        self._server.executed = self._server.executed | commit.gtids
        self._server.end(commit.session)
        if not commit.ended:
            commit.told()

    def give_up(self) -> None:
        """Wait for nobody any more: whoever waits is answered OK."""
        self.source_on = False
        for commit in list(self.waiting):
            self.done(commit)

    def hung_up(self, session: int) -> None:
        """The client of a commit is gone, or thrown out; the commit waits on."""
        for commit in self.waiting:
            commit.ended = commit.ended or commit.session == session

    def died(self) -> None:
        """The process has ended: what was logged is committed when it starts again, and nobody is told."""
        for commit in self.waiting:
            self._server.executed = self._server.executed | commit.gtids
        self.waiting.clear()
        self.source_on = self.replica_on = self.registered = False

    def seen(self) -> SemiSync:
        """What a read of the server says."""
        if not self.loaded:
            return SemiSync()
        followers = [one for one in self._server.followers() if one.hears(self._server)]
        here = [one for one in followers if "" in one.channels and one.channels[""].source == self._server.endpoint]
        main = self._server.channels.get("")
        return SemiSync(
            source_plugin=True,
            replica_plugin=True,
            source_on=self.source_on,
            source_active=self.source_on,
            clients=len(self.clients()),
            waiting=len(self.waiting),
            timeout=self.timeout,
            waits_alone=self.source_on,
            wait_count=self.wait_count,
            replica_on=self.replica_on,
            acknowledges=self.registered and main is not None and main.receiver is Thread.YES,
            replicas=tuple(sorted(one.uuid for one in here)),
        )

    def begin(self) -> None:
        """A cluster that has been lossless for long: its primary waits, its replicas acknowledge."""
        self.loaded = True
        if "" in self._server.channels:
            self.replica_on = self.registered = True
        else:
            self.source_on, self.timeout = True, INFINITE
