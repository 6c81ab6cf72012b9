"""The active manager's log, told live as a person would tell it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from failoverd.lab.managers import Managers


class Story:
    """Follows the log of the active manager from `begin` on."""

    def __init__(self, managers: Managers, active: str, say: Callable[[str], None]) -> None:
        self._files = [managers.log(active)]
        self._say = say
        self._read: dict[str, int] = {}

    def begin(self) -> None:
        """Skip what is there already."""
        self._read = {str(path): path.stat().st_size if path.exists() else 0 for path in self._files}

    def tell_until_quiet(self, timeout: float) -> bool:
        """Tell new lines until an operation has ended; False when none ended in time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            told = [self._tell(line) for line in self._new_lines()]
            if any(told):
                return True
            time.sleep(0.02)
        return False

    def _new_lines(self) -> list[str]:
        lines: list[str] = []
        for path in self._files:
            with path.open("rb") as file:
                file.seek(self._read[str(path)])
                text = file.read()
            whole = text.rfind(b"\n") + 1
            self._read[str(path)] += whole
            lines += text[:whole].decode(errors="replace").splitlines()
        return lines

    def _tell(self, line: str) -> bool:
        """Say one line of the log; whether it closes an operation."""
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            self._say(line)
            return False
        event = entry.get("event", "")
        told = {"verdict": entry.get("sentence", ""), "step": entry.get("text", "")}
        if event in told:
            self._say(f"{event}: {told[event]}")
        elif event.startswith("operation"):
            self._say(f"{event}: {entry.get('outcome', entry.get('cause', ''))}")
        return bool(event == "operation ended")
