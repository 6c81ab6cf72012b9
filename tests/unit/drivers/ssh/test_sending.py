"""Frames of many threads on one channel: whole, one after the other, each within its own time."""

from __future__ import annotations

import threading
import time

import pytest

from failoverd.drivers.ssh.sending import Sender


class Stuck:
    """A channel whose other end takes nothing until it may; as paramiko's, it gives up in short slices."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.tried = threading.Event()
        self.came = b""

    def send(self, piece: bytes) -> int:
        self.tried.set()
        if not self.may.wait(0.01):
            raise TimeoutError
        self.came += piece[:1000]
        return len(piece[:1000])


def after(seconds: float) -> float:
    return time.monotonic() + seconds


def test_who_waits_for_a_stuck_frame_gives_up_in_its_own_time_and_has_sent_nothing() -> None:
    channel = Stuck()
    sender = Sender(channel)  # type: ignore[arg-type]  # as much of a channel as is used
    frame = b"x" * 100_000
    uploading = threading.Thread(target=sender.send, args=(frame, after(30)))
    uploading.start()
    assert channel.tried.wait(30)
    assert not sender.send(b"question", after(0.05))
    channel.may.set()
    uploading.join(30)
    assert sender.send(b"question", after(30))
    assert channel.came == frame + b"question"


def test_a_frame_that_stands_still_half_sent_is_told() -> None:
    with pytest.raises(TimeoutError):
        Sender(Stuck()).send(b"x", after(0.05))  # type: ignore[arg-type]  # as much of a channel as is used
