"""The samples of conf/hooks.d: all are sound for the shell, and those that say nothing else are run for real."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from failoverd.drivers.hooks import ProcessHooks
from failoverd.model.hooks import HookCall, Point
from tests.contract.mysql.worlds import within

SAMPLES = Path(__file__).parents[2] / "conf/hooks.d"
RUN = {"50-mail.sample", "60-webhook.sample", "20-dns.sample"}
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


def installed(folder: Path, point: Point, name: str, changes: Mapping[str, str]) -> str:
    """A sample with other settings, where a hooks folder has it; its name there."""
    text = (SAMPLES / point / f"{name}.sample").read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    place = folder / point
    place.mkdir()
    (place / name).write_text(text)
    (place / name).chmod(0o755)
    return name


@pytest.mark.parametrize(("path", "ok"), [("/hook", True), ("/broken", False)])
def test_the_web_hook_posts_the_report(tmp_path: Path, receiver: HTTPServer, path: str, ok: bool) -> None:
    posted_to = {"https://chat.example.com/hooks/failoverd": f"http://127.0.0.1:{receiver.server_port}{path}"}
    installed(tmp_path, Point.ON_SUCCESS, "60-webhook", posted_to)
    document = json.dumps({"outcome": "done"})
    call = HookCall(str(tmp_path), Point.ON_SUCCESS, "60-webhook", {"IDEMPOTENCY_KEY": "shop-1:x"}, document, 20.0)
    result = ProcessHooks(lambda *_: None).run(call)
    assert result.ok is ok, result
    ((asked, headers, body),) = Receiver.heard
    assert (asked, headers["Idempotency-Key"], json.loads(body)) == (path, "shop-1:x", {"outcome": "done"})


class Post(socketserver.StreamRequestHandler):
    """A mail server that keeps what it is given, and takes nothing for a stranger or with too long a line."""

    kept: list[str]

    def handle(self) -> None:
        """One conversation."""
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.partition(" ")[0].upper()
            if word == "DATA":
                self.say("354 go on")
                lines = list(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                type(self).kept.append("".join(lines))
            refused = "stranger" in line or (word == "DATA" and max(map(len, lines)) > 1000)
            self.say("550 no" if refused else "250 fine")

    def say(self, text: str) -> None:
        """One answer."""
        self.wfile.write(text.encode() + b"\r\n")


@pytest.mark.parametrize(("to", "ok"), [("dba@example.com", True), ("stranger@example.com", False)])
def test_the_mail_brings_the_report(tmp_path: Path, to: str, ok: bool) -> None:
    Post.kept = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"smtp://localhost:25": f"smtp://127.0.0.1:{server.server_address[1]}", "dba@example.com": to}
        installed(tmp_path, Point.ON_SUCCESS, "50-mail", settings)
        words = {"KIND": "failover", "CLUSTER": "shop", "HOOK": "on-success", "NEW": "db2", "OPERATION": "shop-1"}
        document = json.dumps({"outcome": "done", "lost": "x" * 5000})
        call = HookCall(str(tmp_path), Point.ON_SUCCESS, "50-mail", words, document, 20.0)
        result = ProcessHooks(lambda *_: None).run(call)
        server.shutdown()
    assert result.ok is ok, result
    assert len(Post.kept) == ok
    for mail in Post.kept:
        head, _, body = mail.partition("\r\n\r\n")
        assert "Subject: failover of shop: on-success" in head
        assert "nobody -> db2, operation shop-1" in body
        assert '"outcome": "done"' in body


NAMED = """
key "failoverd" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;
}};
controls {{ }};
zone "example.com" {{ type primary; file "zone"; allow-update {{ key "failoverd"; }}; }};
"""
ZONE = "@ 5 IN SOA ns hostmaster 1 60 60 60 5\n@ 5 IN NS ns\nns 5 IN A 127.0.0.1\ndb 5 IN A 10.0.0.11\n"


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A name server of Debian's bind9 on a port of its own; the port, and the file with the key that may change it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    folder, secret = tmp_path / "bind", "c2VjcmV0IG9mIGEgdGVzdCBhbmQgb2Ygbm9ib2R5IGVsc2U="
    folder.mkdir()
    (folder / "named.conf").write_text(NAMED.format(secret=secret, folder=folder, port=port))
    (folder / "zone").write_text(ZONE)
    key = folder / "dns.key"
    key.write_text(f'key "failoverd" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["/usr/sbin/named", "-g", "-4", "-n", "1", "-c", f"{folder}/named.conf"], stderr=log)
    try:
        within(30.0, lambda: address(port) == "10.0.0.11", f"an answer; {(folder / 'log').read_text()[-2000:]}")
        yield port, key
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=20)
        server.kill()


def address(port: int) -> str:
    """Where the name leads now."""
    asked = ["dig", "+short", "+time=2", "+tries=1", "-p", str(port), "@127.0.0.1", "db.example.com", "A"]
    return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20).stdout.strip()


@pytest.mark.parametrize("signed", [True, False])
def test_the_dns_hook_leads_the_name_to_the_new_primary(tmp_path: Path, bind: tuple[int, Path], signed: bool) -> None:
    port, key = bind
    if not signed:
        key.write_text(key.read_text().replace("c2Vj", "b3Ro"))
    settings = {
        "SERVER:=10.0.0.53": "SERVER:=127.0.0.1",
        "KEY:=/etc/failoverd/dns.key": f"KEY:={key}",
        "PORT:=53": f"PORT:={port}",
    }
    installed(tmp_path, Point.ON_PROMOTED, "20-dns", settings)
    words = {"NEW_ADDRESS": "10.0.0.12:3306", "IDEMPOTENCY_KEY": "shop-1:y"}
    call = HookCall(str(tmp_path), Point.ON_PROMOTED, "20-dns", words, "{}", 20.0)
    for _ in range(2):  # whoever goes on with an operation does it again
        result = ProcessHooks(lambda *_: None).run(call)
        assert result.ok is signed, result
    assert address(port) == ("10.0.0.12" if signed else "10.0.0.11")
