"""What an agent takes for a mysqld: a process of that name in a data directory with auto.cnf and real log files."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from failoverd.gtid import GtidSet
from failoverd.model.sight import Endpoint, LogFiles, ServerState

LOGS = Path(__file__).resolve().parents[1] / "fixtures" / "logs"
UUID = "0799bfac-e4d3-11f1-a4bb-02fc00000001"


class PretendedMysqld:
    """A data directory and, after `start`, a process that holds it."""

    def __init__(self, folder: Path, name: str, uuid: str = UUID, *, logs: bool = True) -> None:
        self.name = name
        self.uuid = uuid
        self.datadir = folder / "data"
        self.datadir.mkdir(parents=True)
        (self.datadir / "auto.cnf").write_text(f"[auto]\nserver-uuid={uuid}\n")
        (self.datadir / "ibdata1").write_bytes(bytes(64))
        self._program = folder / "mysqld"
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self._program)
        self.process: subprocess.Popen[bytes] | None = None
        for kind in ("binlog", "relay"):
            names = sorted(path.name for path in LOGS.glob(f"{kind}.0*")) if logs else []
            for one in names:
                shutil.copy(LOGS / one, self.datadir / one)
            (self.datadir / f"{kind}.index").write_text("".join(f"./{one}\n" for one in names))

    def start(self) -> None:
        """Run for a while."""
        self.process = subprocess.Popen([str(self._program), "600"], cwd=self.datadir)
        shown = Path(f"/proc/{self.process.pid}/cmdline")
        while self.process.poll() is None and b"mysqld" not in shown.read_bytes():
            time.sleep(0.001)  # a process that has just been executed has no words of its own for a moment

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def state(self) -> ServerState:
        """What a look at it would have told."""
        files = LogFiles(
            datadir=str(self.datadir),
            binary_basename=f"{self.datadir}/binlog",
            binary_index=f"{self.datadir}/binlog.index",
            relay_basename=f"{self.datadir}/relay",
            relay_index=f"{self.datadir}/relay.index",
            error_log=f"{self.datadir}/error.log",
        )
        none, here = GtidSet(), Endpoint("127.0.0.1", 3306)
        return ServerState(self.name, here, "9.7.4", self.uuid, 1, True, True, none, none, (), 0.0, 0.0, files=files)
