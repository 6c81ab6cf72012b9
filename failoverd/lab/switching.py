"""The other end of the lab's own switch: start it and tell it what to do."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from failoverd.lab import switch
from failoverd.lab.layout import Layout
from failoverd.lab.processes import run, wait_until
from failoverd.model.errors import ConfigError, FailoverdError


def start(layout: Layout) -> None:
    """Start the lab's switch; returns when all its devices are there."""
    spec = {
        "machine": layout.bridge,
        "hosts": {host.name: f"/run/netns/{host.namespace}" for host in layout.hosts},
        "socket": str(_socket(layout)),
    }
    folder = Path(layout.folder)
    (folder / "switch.json").write_text(json.dumps(spec), encoding="utf-8")
    argv = ["setsid", "--fork", sys.executable, "-I", "-S", str(switch.__file__), str(folder / "switch.json")]
    run(["sh", "-c", 'exec "$@" >>"$0" 2>&1 </dev/null', str(folder / "switch.log"), *argv])
    wait_until(lambda: _answers(layout), deadline=10, what="the start of the lab's switch")


def _socket(layout: Layout) -> Path:
    return Path(layout.folder / "switch.sock")


def _answers(layout: Layout) -> bool:
    try:
        tell(layout, "ping")
    except FailoverdError:
        return False
    return True


def require(layout: Layout) -> None:
    """ConfigError when the lab was brought up without its own switch."""
    if not layout.options.switch:
        raise ConfigError(
            "packets can be delayed only by the lab's own switch",
            f"lab {layout.options.name} has none",
            "failoverd lab up --switch",
        )


def tell(layout: Layout, op: str, **more: object) -> None:
    """One request to the switch; FailoverdError when it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            connection.connect(str(_socket(layout)))
            connection.sendall(json.dumps({"op": op, **more}).encode() + b"\n")
            said = connection.makefile("r").readline()
    except OSError as error:
        raise FailoverdError("the lab's switch does not answer", str(error)) from error
    if not said:
        raise FailoverdError("the lab's switch refused a request", f"{op} {more}")
