"""The manager as a process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

from failoverd.bootstrap.build import build
from failoverd.config.schema import Config
from failoverd.drill import catalog
from failoverd.drivers.files import keeper_of
from failoverd.drivers.flight import FlightRecorder
from failoverd.drivers.http import HttpServer
from failoverd.drivers.metrics import exposition
from failoverd.drivers.wakeups import Bell
from failoverd.service import answers, logs
from failoverd.service.board import Board, Document
from failoverd.service.manager import Manager
from failoverd.service.publish import Published
from failoverd.service.watch import Watch


def run_manager(config: Config, read_again: Callable[[], Config]) -> int:
    """Be the manager until SIGTERM or SIGINT; the exit code. SIGHUP applies the configuration as it stands then."""
    logs.configure(config.manager.log_level)
    log = logs.logger(manager=config.manager.name)
    built = build(config)
    if built.coordination.kind == "local":
        log.warning("no ZooKeeper is configured: this manager works alone, there is no standby")
    built.agents.keep_warm()
    board = Board(built.clock, tuple(config.clusters), keeper_of(config.manager.run_dir))
    flight = FlightRecorder(config.manager.state_dir / "flight")
    built.tasks.start("flight recorder", flight.run)

    def watch(name: str, bell: Bell) -> Watch:
        return Watch(replace(built.world(name), flight=flight), bell, Published(board.keep))

    watches = [watch(name, bell) for name, bell in built.bells.items()]

    def metrics(documents: tuple[Document, ...]) -> bytes:
        return exposition(documents, catalog.scores(config.manager.state_dir / "drills"))

    http = HttpServer(config.manager.listen, answers.responder(board, metrics), lambda why: no_http(log, why))
    http.start()
    bell = Bell()
    manager = Manager(watches, built.rota, built.clock, bell, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    signal.signal(signal.SIGHUP, lambda *_: manager.reload(lambda: built.apply(read_again(), watches)))
    try:
        return manager.run()
    finally:
        http.close()
        built.close()


def no_http(log: logs.Log, why: str) -> None:
    """The manager goes on: nobody's database waits for a port."""
    log.warning("no HTTP", why=why, hint="another program has it: change manager.listen, or set it to null")
