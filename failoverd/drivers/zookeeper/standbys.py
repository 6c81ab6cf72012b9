"""What the active manager asks the standbys, and what they answer: one entry with the question, one for each answer.

Nothing is written while nobody is in doubt: standbys hear of a question by a watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd.drivers import journal_codec as codec
from failoverd.drivers.zookeeper.layout import Layout
from failoverd.drivers.zookeeper.lease import ZooKeeperLease
from failoverd.drivers.zookeeper.records import pack, unpack
from failoverd.drivers.zookeeper.session import ABSENT, EXISTS, Session
from failoverd.drivers.zookeeper.writes import Create, Set, send
from failoverd.model.errors import CoordinationError
from failoverd.model.host import ProbeOutcome, StandbyWord
from failoverd.ports import Wakeups


class Standbys:
    """Questions and answers of all clusters, over one session."""

    def __init__(self, session: Session, wakeups: Wakeups) -> None:
        self._session = session
        self._wakeups = wakeups
        self._watched: dict[str, int] = {}
        self._heard: dict[str, str] = {}

    def ask(self, lease: ZooKeeperLease, layout: Layout, question: str) -> None:
        """Send the question on its way, conditional on the lease; nobody waits for ZooKeeper's word on it."""
        place = layout.question
        known = self._session.read(place) is not None
        data = pack(codec.versioned({"question": question})).head
        send(self._session, lease, [Set(place, data) if known else Create(place, data)])

    def question(self, layout: Layout, cluster: str) -> str:
        """The last question, read only when the watch says that there is another one."""
        session = self._session.id
        if self._watched.get(cluster) == session and session:
            return self._heard.get(cluster, "")

        def changed(_: Any) -> None:
            self._watched.pop(cluster, None)
            self._wakeups.ring(f"question:{cluster}")

        self._watched[cluster] = session
        try:
            self._session.call(lambda client: client.exists_async(layout.question, watch=changed))
            data = self._session.read(layout.question)
        except CoordinationError:
            self._watched.pop(cluster, None)
            raise
        told = {} if data is None else codec.opened(unpack(data, (), layout.question), layout.question)
        self._heard[cluster] = str(told.get("question", ""))
        return self._heard[cluster]

    def testify(self, layout: Layout, word: StandbyWord) -> None:
        """Put our answer into our own entry, which goes with our session."""
        place = layout.answer_of(word.manager)
        data = pack(codec.versioned(codec.plain(word))).head
        try:
            self._session.call(lambda client: client.set_async(place, data))
        except ABSENT:
            self._session.ensure(layout.testimonies)
            self._made(place, data)

    def _made(self, place: str, data: bytes) -> None:
        acl = self._session.acl
        try:
            self._session.call(lambda client: client.create_async(place, data, acl=acl, ephemeral=True))
        except EXISTS:
            self._session.call(lambda client: client.set_async(place, data))

    def testimonies(self, layout: Layout) -> tuple[StandbyWord, ...]:
        """Every standby's last answer; one of a later version says nothing."""
        places = [layout.answer_of(name) for name in sorted(self._session.children(layout.testimonies))]
        told = []
        for place, data in zip(places, self._session.read_all(places), strict=True):
            try:
                told.append(word_from(codec.opened(unpack(data or b"", (), place), place)))
            except (CoordinationError, KeyError, ValueError, TypeError):
                continue
        return tuple(told)


def word_from(data: Mapping[str, Any]) -> StandbyWord:
    """An answer as it was recorded."""
    return StandbyWord(
        manager=str(data["manager"]),
        question=str(data["question"]),
        target=str(data["target"]),
        outcome=ProbeOutcome(data["outcome"]),
        server_uuid=str(data["server_uuid"]),
        others=int(data["others"]),
        code=int(data["code"]),
    )
