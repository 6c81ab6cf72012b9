"""Sessions that stand in the way: a held lock, all connections used up; each set is a process of the client host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from failoverd.lab.layout import Host, Kind, Layout
from failoverd.lab.processes import end
from failoverd.model.errors import FailoverdError


class Sessions:
    """The sessions that the lab holds open on its servers."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.client = layout.of_kind(Kind.CLIENT)[0]
        self._processes: list[subprocess.Popen[bytes]] = []

    def hold(self, server: Host, statement: str, *, user: str = "root", count: int = 1) -> int:
        """Run the statement in up to `count` new sessions that then stay open; returns how many there are."""
        secret = Path(self.layout.folder / "keys/app.secret")
        password = secret.read_text(encoding="utf-8").strip() if user == "app" else ""
        argv = ["nsenter", f"--net=/run/netns/{self.client.namespace}", sys.executable, "-m", "failoverd.lab.holder"]
        argv += [str(server.socket), user, str(count), statement]
        pipe = subprocess.PIPE
        process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self._processes.append(process)
        self._note(process.pid)
        said, errors = self._first_words(process, password)
        found = re.match(rb"ready (\d+)", said)
        if found is None:
            raise FailoverdError(f"no session could be held on {server.name}", errors.decode(errors="replace"))
        return int(found[1])

    @staticmethod
    def _first_words(process: subprocess.Popen[bytes], password: str) -> tuple[bytes, bytes]:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise FailoverdError("the holder has no pipes")
        process.stdin.write(password.encode() + b"\n")
        process.stdin.close()
        said = process.stdout.readline()
        errors = b"" if said else process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        return said, errors

    def _record(self) -> Path:
        return Path(self.client.folder / "holders")

    def _note(self, pid: int) -> None:
        record = self._record()
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a", encoding="utf-8") as file:
            file.write(f"{pid}\n")

    def release(self) -> None:
        """End all sessions that were opened so."""
        record = self._record()
        if not record.exists():
            return
        noted = [int(line) for line in record.read_text(encoding="utf-8").split()]
        end(pid for pid in noted if _is_holder(pid))
        for process in self._processes:
            process.wait(timeout=10)
        self._processes.clear()
        record.unlink()


def _is_holder(pid: int) -> bool:
    try:
        return b"failoverd.lab.holder" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
