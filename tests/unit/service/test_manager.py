"""What systemd is told: ready after the first look, fed while loops run, verdicts, what was not applied."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.rota import Rota
from failoverd.drivers.wakeups import Bell
from failoverd.model.errors import ConfigError
from failoverd.service import manager as manager_module
from failoverd.service.manager import Manager
from failoverd.service.phases import Phase
from failoverd.service.publish import Published
from failoverd.service.pulse import PATIENCE, PATIENCE_OPERATING, Pulse, Watchdog
from failoverd.service.watch import Watch
from tests.fakes.whole import StillClock, Whole

PATIENT = 30.0


@pytest.fixture
def notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENT)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(manager_module, "TICK", 0.02)
        yield listening


@dataclass
class Running:
    """A manager on threads over a cluster in memory; `hold` makes its loop hang in the middle of a turn."""

    notices: socket.socket
    go_on: threading.Event = field(default_factory=threading.Event)
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go_on.set()
        rota = Rota()
        self.watch = Watch(Whole().manager().world, rota.bell("shop"), Published(self.keep))
        self.manager = Manager([self.watch], rota, SystemClock(), Bell(), structlog.get_logger())
        self.thread = threading.Thread(target=lambda: self.ended.append(self.manager.run()))
        self.thread.start()

    def keep(self, cluster: str, document: str) -> None:
        """The end of each turn, where it may be held."""
        self.go_on.wait(PATIENT)

    def told(self, wanted: str) -> str:
        """The next notice that holds these words."""
        while wanted not in (said := self.notices.recv(4096).decode()):
            pass
        return said

    def end(self) -> None:
        self.go_on.set()
        self.manager.stop()
        self.thread.join(PATIENT)


@pytest.fixture
def running(notices: socket.socket) -> Iterator[Running]:
    """A manager that runs."""
    one = Running(notices)
    try:
        yield one
    finally:
        one.end()


def test_it_is_ready_after_the_first_look_and_fed_while_its_loops_run(running: Running) -> None:
    first = running.notices.recv(4096).decode()
    assert first == "READY=1\nSTATUS=shop healthy"
    for _ in range(3):
        assert running.told("WATCHDOG=1") == "WATCHDOG=1\nSTATUS=shop healthy"
    running.manager.stop()
    assert running.told("STOPPING") == "STOPPING=1"
    running.thread.join(PATIENT)
    assert running.ended == [0]


def test_a_loop_that_hangs_asks_to_be_started_anew(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.told("READY=1")
    monkeypatch.setattr("failoverd.service.watch.PATIENCE", 3)
    running.go_on.clear()
    assert running.told("WATCHDOG=trigger") == "WATCHDOG=trigger"
    running.go_on.set()
    running.told("WATCHDOG=1")


def test_a_configuration_that_was_not_applied_is_said_until_one_is(running: Running) -> None:
    running.told("READY=1")

    def refuse() -> tuple[str, ...]:
        raise ConfigError("the configuration has an error", "failoverd.yml:3: manager.nam: unknown")

    running.manager.reload(refuse)
    said = running.told("not applied")
    assert "manager.nam" in said
    assert "\n" not in said.partition("STATUS=")[2]
    running.manager.reload(lambda: ())
    while "not applied" in running.told("WATCHDOG=1"):
        pass


@dataclass(frozen=True)
class Loop:
    name: str
    beats: int
    patience: float


def test_a_loop_without_a_beat_is_named_when_its_patience_is_over() -> None:
    watchdog = Watchdog()
    shop, blog = Loop("shop", 7, 3.0), Loop("blog", 7, 2.0)
    found = [watchdog.tick((shop, blog)) for _ in range(5)]
    assert found == [(), (), (), ("blog",), ("shop", "blog")]
    assert watchdog.tick((Loop("shop", 8, 3.0), blog)) == ("blog",)


def test_a_rest_and_an_operation_give_more_patience() -> None:
    watch = Watch(Whole().manager().world, Bell(), Published(lambda _, __: None))
    assert watch.patience == PATIENCE
    watch.memory.phase = Phase.OPERATING
    assert watch.patience == PATIENCE_OPERATING


def test_every_question_to_the_clock_is_a_beat() -> None:
    clock = StillClock()
    pulse = Pulse(clock)
    assert pulse.now() == clock.now()
    pulse.sleep(2.0)
    assert pulse.wall() == clock.wall()
    assert pulse.beats == 3
