"""The page as a process of its own: started, asked, stopped; an address that is not to be had is one clear error."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

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


def test_the_page_is_served_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    text = f"manager: {{state_dir: state, run_dir: run}}\nweb: {{listen: '127.0.0.1:{port}'}}\n{HEAD}{SHOP}"
    file = prepared(tmp_path).put("failoverd.yml", text, 0o644)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(_PATIENCE)
    process = subprocess.Popen(
        [sys.executable, "-m", "failoverd", "-c", str(file), "web"],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert heard.recv(1000).decode().startswith("READY=1")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=_PATIENCE) as answer:
            assert "Nobody has published anything about this cluster yet" in answer.read().decode()
        process.terminate()
        assert heard.recv(1000).decode() == "STOPPING=1"
        assert process.wait(_PATIENCE) == 0
    finally:
        process.kill()
        _, said = process.communicate()
        heard.close()
    assert said == "", "nothing to say about a life without trouble"


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
