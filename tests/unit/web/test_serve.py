"""The page as a process of its own: started, asked, stopped; an address that is not to be had is one clear error."""

from __future__ import annotations

import base64
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from failoverd.__main__ import open_page
from failoverd.cli.app import Page
from failoverd.config.schema import Config
from failoverd.config.web import WebConfig, WebTls
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.web.passwords import line_of, read_people, right
from failoverd.web.serve import bound
from failoverd.web.stage import tls_of
from tests.acceptance.rehearsal import eventually
from tests.unit.cli.stand_in import StandIn, terminal
from tests.unit.config.folder import HEAD, SHOP, prepared

_PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, web: str, log: str = "") -> Iterator[tuple[int, subprocess.Popen[str], socket.socket]]:
    """The page as a process that is ready: its port, itself, and the socket on which it tells its readiness. In the end
    it has logged what `log` looks for, and no more lines.
    """
    port = free_port()
    file = configured(folder, port, web)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(folder / "notify"))
    heard.settimeout(_PATIENCE)
    process = subprocess.Popen(
        [sys.executable, "-m", "failoverd", "-c", str(file), "web"],
        env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert heard.recv(1000).decode().startswith("READY=1")
        yield port, process, heard
    finally:
        process.kill()
        _, said = process.communicate()
        heard.close()
    lines, wanted = said.splitlines(), log.split("|") if log else []
    assert len(lines) == len(wanted), said
    assert all(words in line for words, line in zip(wanted, lines, strict=True)), said


def configured(folder: Path, port: int, web: str) -> Path:
    """The configuration with this section of the page."""
    text = f"manager: {{state_dir: state, run_dir: run}}\nweb: {{listen: '127.0.0.1:{port}'{web}}}\n{HEAD}{SHOP}"
    return prepared(folder).put("failoverd.yml", text, 0o644)


def test_the_page_is_served_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with served(tmp_path, "") as (port, process, heard):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=_PATIENCE) as answer:
            assert "Nobody has published anything about this cluster yet" in answer.read().decode()
        fed = hears(heard, "WATCHDOG=1")
        assert f"STATUS=the page is at 127.0.0.1:{port}" in fed, "fed by the loop that serves"
        process.terminate()
        hears(heard, "STOPPING=1")
        assert process.wait(_PATIENCE) == 0


def hears(heard: socket.socket, words: str) -> str:
    """The first thing told to the service manager that has these words."""
    while words not in (told := heard.recv(1000).decode()):
        pass
    return told


def status_of(port: int, name: str) -> int:
    """How the page answers under that name."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": name})
    try:
        with urllib.request.urlopen(asked, timeout=_PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_a_reload_is_judged_first_and_a_wrong_file_keeps_the_old_one(tmp_path: Path) -> None:
    log = "configuration applied|not applied|not applied|not applied|configuration applied"
    with served(tmp_path, "", log) as (port, process, heard):
        assert status_of(port, "page.example") == 421
        configured(tmp_path, port, ", names: [page.example]")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: status_of(port, "page.example") == 200, bool, "the new configuration")
        for wrong, says in (
            (", nams: [other.example]", "nams"),
            (", names: [other.example], login: basic", "password_file"),
            (", names: [other.example], tls: {cert_file: failoverd.yml, key_file: key}", "web.tls is another one"),
        ):
            prepared(tmp_path).put("key", "x")
            configured(tmp_path, port, wrong)
            process.send_signal(signal.SIGHUP)
            assert says in hears(heard, says)
            assert (status_of(port, "page.example"), status_of(port, "other.example")) == (200, 421)
        configured(tmp_path, port, ", names: [other.example]")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: status_of(port, "other.example") == 200, bool, "the new configuration")
        assert "not applied" not in hears(heard, "STATUS=the page is at")


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 with its key in a folder, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    signed = made.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    (folder / "cert").write_bytes(signed.public_bytes(Encoding.PEM))
    prepared(folder).put("key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return ssl.create_default_context(cafile=str(folder / "cert"))


def test_passwords_go_over_tls(tmp_path: Path) -> None:
    trusting = certificate(tmp_path)
    prepared(tmp_path).put("people", f"{line_of('anna', 'correct horse')}\n")
    web = ", login: basic, password_file: people, tls: {cert_file: cert, key_file: key}"
    with served(tmp_path, web, "a wrong name or password|configuration applied") as (port, process, _):
        place = f"https://127.0.0.1:{port}/"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(place, timeout=_PATIENCE, context=trusting)
        said = base64.b64encode(b"anna:correct horse").decode()
        asked = urllib.request.Request(place, headers={"Authorization": f"Basic {said}"})
        with urllib.request.urlopen(asked, timeout=_PATIENCE, context=trusting) as answer:
            assert "anna" in answer.read().decode()
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        guess = urllib.request.Request(place, headers={"Authorization": "Basic YW5uYTpndWVzcw=="})
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(guess, timeout=_PATIENCE, context=trusting)
        renewed = certificate(tmp_path)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: trusted(asked, renewed), bool, "the new configuration")


def trusted(asked: urllib.request.Request, trusting: ssl.SSLContext) -> bool:
    """Whether the page shows a certificate that is trusted."""
    try:
        urllib.request.urlopen(asked, timeout=_PATIENCE, context=trusting).close()
    except urllib.error.URLError:
        return False
    return True


@pytest.mark.parametrize("key", ["x", None])
def test_a_certificate_that_cannot_be_used_is_one_clear_error(tmp_path: Path, key: str | None) -> None:
    certificate(tmp_path)
    if key is None:  # the key of another certificate
        other = tmp_path / "other"
        other.mkdir()
        certificate(other)
        key = (other / "key").read_text()
    prepared(tmp_path).put("key", key)
    with pytest.raises(ConfigError, match="cert cannot be used"):
        tls_of(WebTls(tmp_path / "cert", tmp_path / "key"))


def test_an_address_in_use_is_one_clear_error() -> None:
    with bound(WebConfig(listen="127.0.0.1:0")) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FailoverdError, match="cannot be served at") as told:
            bound(WebConfig(listen=f"127.0.0.1:{port}"))
    assert told.value.detail == "Address already in use"
    assert told.value.hint == "change web.listen"
    bound(WebConfig(listen="[::1]:0")).close()


def test_the_command_hands_the_configuration_on(tmp_path: Path) -> None:
    served: list[Config] = []

    def serve(config: Config, read_again: Callable[[], Config]) -> int:
        served.extend((config, read_again()))
        return 3

    shell = replace(terminal(tmp_path), page=lambda: Page(serve, line_of))
    assert shell.call(StandIn(), "web").exit_code == 3
    assert [list(one.clusters) for one in served] == [["shop"], ["shop"]]


def test_a_line_for_the_list_of_people_is_made_and_read_back(tmp_path: Path) -> None:
    shell = replace(terminal(tmp_path), page=lambda: Page(lambda *_: 0, line_of))
    made = shell.call(StandIn(), "web", "--password", "anna", typed="correct horse\n")
    assert made.exit_code == 0
    assert "correct horse" not in made.output
    people = read_people(prepared(tmp_path).put("people", f"# ours\n\n{made.stdout}"))
    assert right(people, "anna", "correct horse")
    assert not right(people, "anna", "correct horsf")
    assert not right(people, "otto", "correct horse")
    for name, password, says in (("a b", "correct horse", "is no name"), ("anna", "short", "too short")):
        wrong = shell.call(StandIn(), "web", "--password", name, typed=f"{password}\n")
        assert (wrong.exit_code, says in wrong.output) == (2, True), wrong.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "people names nobody"),
        ("anna:secret-canary\n", "people:1 is no line of it"),
        ("# fine\nanna:scrypt:short:short\n", "people:2 is no line of it"),
        ("{line}\n{line}\n", "people:2 names anna a second time"),
    ],
)
def test_a_list_of_people_that_is_wrong_is_told_by_line_and_without_what_stands_there(
    tmp_path: Path, text: str, says: str
) -> None:
    file = prepared(tmp_path).put("people", text.replace("{line}", line_of("anna", "correct horse")))
    with pytest.raises(ConfigError) as told:
        read_people(file)
    assert says in told.value.what
    assert "canary" not in str(told.value)


def test_without_its_libraries_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("failoverd.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(FailoverdError) as told:
        open_page()
    assert "pip install 'failoverd[web]'" in told.value.hint
