"""What a person did that opens no operation is told to this host's log, where there is one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from failoverd.drivers.system_log import note
from failoverd.model.plans import Requester


def test_one_line_says_who_did_what_and_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
        taker.bind(str(log))
        taker.settimeout(10)
        assert note("resumed shop", Requester("person", "anna", "mgr1", "racks\nare moved"), log)
        assert taker.recv(2000).decode() == f"<85>failoverd[{os.getpid()}]: anna@mgr1: resumed shop: racks are moved"
        assert note("resumed shop", Requester("person", "anna", "mgr1"), log)
        assert taker.recv(2000).decode().endswith("anna@mgr1: resumed shop")


def test_without_a_log_nobody_is_kept_from_anything(tmp_path: Path) -> None:
    assert not note("resumed shop", Requester("person", "anna", "mgr1"), tmp_path / "log")
