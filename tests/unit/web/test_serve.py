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

from failoverd.config.schema import Config
from failoverd.config.web import WebConfig
from failoverd.model.errors import FailoverdError
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

    assert replace(terminal(tmp_path), served=serve).call(StandIn(), "web").exit_code == 3
    assert list(served[0].clusters) == ["shop"]
