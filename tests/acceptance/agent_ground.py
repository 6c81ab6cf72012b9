"""Two real servers and an agent that knows both, in memory: the ground for tests of an agent and its logs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from failoverd.agent.build import build
from tests.acceptance.agent_process import AgentProcess
from tests.acceptance.real_mysqld import RealMysqld


@contextmanager
def agent_ground() -> Iterator[Path]:
    """A folder with the agent's program, and an initialised data directory to copy."""
    folder = Path(tempfile.mkdtemp(prefix="failoverd-agent-", dir="/dev/shm"))
    try:
        build(folder / "agent.pyz")
        RealMysqld(folder / "template", 9).initialise()
        yield folder
    finally:
        shutil.rmtree(folder)


class TwoServers:
    """Two running servers without history, `db1` and `db2` of one agent, in a folder of their own on that ground."""

    def __init__(self, ground: Path) -> None:
        self.home = Path(tempfile.mkdtemp(dir=ground))
        self.first, self.second = RealMysqld(self.home / "db1", 1), RealMysqld(self.home / "db2", 2)
        self.agent = AgentProcess(ground / "agent.pyz", self.home / "agent")
        for name, server in (("db1", self.first), ("db2", self.second)):
            server.initialise(ground / "template/data")
            server.start()
            server.rows("RESET BINARY LOGS AND GTIDS")
            self.agent.call("remember", server.facts(name))

    def close(self) -> None:
        """Kill both, end the agent, remove the folder."""
        self.first.kill()
        self.second.kill()
        assert self.agent.close() == 0
        shutil.rmtree(self.home)
