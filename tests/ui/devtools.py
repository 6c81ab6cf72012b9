"""Debian's Chromium led through its DevTools over a pipe: pages opened, asked by script, pictured at a width."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ui.browser import CHROMIUM, PICTURES, SEEN

_DEADLINE = 60.0


class Browser:
    """One browser with one page; whatever it writes to its console as an error is kept in `errors`."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._buffer = b""
        self._number = 0
        self._session = ""
        self._loaded = False
        self.errors: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.send(f"{part}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; an AssertionError where it is refused or does not come."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params}
        os.write(self._to, json.dumps(asked | ({"sessionId": self._session} if self._session else {})).encode() + b"\0")
        while (told := self._next()).get("id") != self._number:
            self._heed(told)
        assert "error" not in told, (method, told)
        result: dict[str, Any] = told["result"]
        return result

    def _heed(self, told: dict[str, Any]) -> None:
        self._loaded |= told.get("method") == "Page.loadEventFired"
        if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
            self.errors.append(str(told["params"]["entry"]["text"]))
        if told.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(told["params"]["exceptionDetails"]))

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + _DEADLINE
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            assert left > 0, "the browser does not answer"
            assert select.select([self._back], [], [], left)[0], "the browser does not answer"
            part = os.read(self._back, 1 << 16)
            assert part, "the browser has ended"
            self._buffer += part
        first, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(first)
        return told

    def open(self, place: str) -> None:
        """Go there, and wait until it is loaded."""
        self._loaded = False
        self.send("Page.navigate", url=place)
        while not self._loaded:
            self._heed(self._next())

    def ask(self, script: str) -> Any:
        """What an expression is on the page; a promise is waited for."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def text(self) -> str:
        """What people read; nothing while another page is on its way."""
        return " ".join(str(self.ask("document.querySelector('main')?.innerText ?? ''")).split())

    def size(self, width: int, *, dark: bool = False) -> None:
        """A screen of that width; a narrow one is a telephone's."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 640
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def seen(self) -> dict[str, Any]:
        """How the page lies there: texts that overlap, elements that stand out, colours."""
        told: dict[str, Any] = self.ask(f"({SEEN})(document)")
        return told

    def picture(self, name: str) -> Path:
        """The whole page, kept below build/screenshots."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        made = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        target = PICTURES / f"{name}.png"
        target.write_bytes(base64.b64decode(made["data"]))
        return target


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser that ends with the test."""
    there, to = os.pipe()
    back, here = os.pipe()
    options = [f"--user-data-dir={folder}/profile", "--remote-debugging-pipe"]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{there} 4>&{here}', "chromium", *CHROMIUM, *options],
        pass_fds=(there, here),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(there)
    os.close(here)
    try:
        yield Browser(to, back)
    finally:
        process.kill()
        process.wait(30)
        os.close(to)
        os.close(back)
