"""The samples of conf/hooks.d: all are sound for the shell, and those that say nothing else are run for real."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from failoverd.drivers.hooks import ProcessHooks
from failoverd.model.hooks import HookCall, Point

SAMPLES = Path(__file__).parents[2] / "conf/hooks.d"
RUN = {"60-webhook.sample"}
NAMES = sorted(SAMPLES.glob("*/*.sample"))


class Receiver(BaseHTTPRequestHandler):
    """Keeps what was posted."""

    heard: list[tuple[str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        """Take the news."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).heard.append((self.path, dict(self.headers), body))
        self.send_response(204 if self.path == "/hook" else 500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    Receiver.heard = []
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("sample", NAMES, ids=lambda path: path.name)
def test_every_sample_is_sound_and_says_whether_it_is_run_here(sample: Path) -> None:
    assert sample.parent.name in {str(point) for point in Point}
    assert subprocess.run(["sh", "-n", str(sample)], check=False, timeout=20).returncode == 0
    text = sample.read_text(encoding="utf-8")
    assert ("NOT RUN BY OUR TESTS" in text) is (sample.name not in RUN)


@pytest.mark.parametrize(("path", "ok"), [("/hook", True), ("/broken", False)])
def test_the_web_hook_posts_the_report(tmp_path: Path, receiver: HTTPServer, path: str, ok: bool) -> None:
    text = (SAMPLES / "on-success/60-webhook.sample").read_text(encoding="utf-8")
    place = tmp_path / Point.ON_SUCCESS
    place.mkdir()
    script = place / "60-webhook"
    script.write_text(
        text.replace("https://chat.example.com/hooks/failoverd", f"http://127.0.0.1:{receiver.server_port}{path}")
    )
    script.chmod(0o755)
    document = json.dumps({"outcome": "done"})
    call = HookCall(str(tmp_path), Point.ON_SUCCESS, "60-webhook", {"IDEMPOTENCY_KEY": "shop-1:x"}, document, 20.0)
    result = ProcessHooks(lambda *_: None).run(call)
    assert result.ok is ok, result
    ((asked, headers, body),) = Receiver.heard
    assert (asked, headers["Idempotency-Key"], json.loads(body)) == (path, "shop-1:x", {"outcome": "done"})
