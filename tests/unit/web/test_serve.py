"""The page as a process of its own: started, asked, stopped; an address that is not to be had is one clear error."""

from __future__ import annotations

import base64
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
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
from failoverd.config.web import WebConfig
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.web.passwords import line_of, read_people, right
from failoverd.web.serve import bound
from tests.unit.cli.stand_in import StandIn, terminal
from tests.unit.config.folder import HEAD, SHOP, prepared

_PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, web: str) -> Iterator[tuple[int, subprocess.Popen[str], socket.socket]]:
    """The page as a process that is ready: its port, itself, and the socket on which it tells its readiness."""
    port = free_port()
    text = f"manager: {{state_dir: state, run_dir: run}}\nweb: {{listen: '127.0.0.1:{port}'{web}}}\n{HEAD}{SHOP}"
    file = prepared(folder).put("failoverd.yml", text, 0o644)
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
    assert said == "", "nothing to say about a life without trouble"


def test_the_page_is_served_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with served(tmp_path, "") as (port, process, heard):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=_PATIENCE) as answer:
            assert "Nobody has published anything about this cluster yet" in answer.read().decode()
        process.terminate()
        assert heard.recv(1000).decode() == "STOPPING=1"
        assert process.wait(_PATIENCE) == 0


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
    with served(tmp_path, web) as (port, _, _):
        place = f"https://127.0.0.1:{port}/"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(place, timeout=_PATIENCE, context=trusting)
        said = base64.b64encode(b"anna:correct horse").decode()
        asked = urllib.request.Request(place, headers={"Authorization": f"Basic {said}"})
        with urllib.request.urlopen(asked, timeout=_PATIENCE, context=trusting) as answer:
            assert "anna" in answer.read().decode()
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


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

    def serve(config: Config) -> int:
        served.append(config)
        return 3

    shell = replace(terminal(tmp_path), page=lambda: Page(serve, line_of))
    assert shell.call(StandIn(), "web").exit_code == 3
    assert list(served[0].clusters) == ["shop"]


def test_a_line_for_the_list_of_people_is_made_and_read_back(tmp_path: Path) -> None:
    shell = replace(terminal(tmp_path), page=lambda: Page(lambda _: 0, line_of))
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
