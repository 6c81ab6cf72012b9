"""Servers of different series in one cluster. Only 9.7 runs here: one of them answers as a 9.7 was recorded to, and
tells the version of another series.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from types import MappingProxyType

import pytest

from failoverd.decide.readiness import findings
from failoverd.drivers.mysql.access import ServerAccess
from failoverd.drivers.mysql.statements import READ_VERSION
from failoverd.model.history import History, Recorded
from failoverd.model.policy import ClusterPolicy, ServerSpec
from failoverd.model.sight import Endpoint, ServerState
from failoverd.model.snapshot import TopologySnapshot
from tests.acceptance.real_mysqld import free_port
from tests.bench.many import Place, listed, uuid_of
from tests.bench.pretended import Answers, Conversation, Server
from tests.bench.recording import TARGET
from tests.contract.mysql.test_real_doors import look


@contextlib.contextmanager
def pretended(places: list[Place], versions: dict[str, str]) -> Iterator[None]:
    """Servers that answer as recorded, with these versions."""
    recorded = json.loads(next(TARGET.glob("*.json")).read_text(encoding="utf-8"))
    loop = asyncio.new_event_loop()
    listening = []
    for place, told in zip(places, listed(places), strict=True):
        answers = {**recorded[told["role"]]}
        answers[READ_VERSION.text] = {**answers[READ_VERSION.text], "rows": [[versions[place.name]]]}
        server = Server(place.port, told["role"], told["words"])
        conversing = partial(Conversation, server, Answers(answers), 0.0)
        listening.append(loop.run_until_complete(loop.create_server(conversing, "127.0.0.1", place.port)))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield
    for one in listening:
        loop.call_soon_threadsafe(one.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10.0)
    loop.close()


@pytest.mark.parametrize(
    ("versions", "mixed"), [(("9.7.4", "8.4.6", "9.7.4"), True), (("9.7.4", "9.7.3", "9.7.4"), False)]
)
def test_another_series_is_read_and_warned_about(versions: tuple[str, ...], mixed: bool) -> None:
    places = [Place("shop", f"db{rank + 1}", free_port(), rank == 0) for rank in range(3)]
    told = {place.name: version for place, version in zip(places, versions, strict=True)}
    with pretended(places, told):
        sights = {
            place.name: look(
                ServerAccess("shop", place.name, Endpoint("127.0.0.1", place.port), "failoverd", "right", tls="off")
            )
            for place in places
        }
    states = {name: sight for name, sight in sights.items() if isinstance(sight, ServerState)}
    assert {name: state.version for name, state in states.items()} == told, sights
    snapshot = TopologySnapshot("shop", states["db1"].read_at, MappingProxyType(sights))
    specs = tuple(ServerSpec(place.name, Endpoint("127.0.0.1", place.port)) for place in places)
    history = History(recorded=Recorded("db1", uuid_of(places[0].port), 1))
    found = [
        f.sentence for f in findings(snapshot, history, ClusterPolicy("shop", specs), {}) if "series" in f.sentence
    ]
    assert bool(found) is mixed
    if mixed:
        assert "db2 8.4" in found[0]
