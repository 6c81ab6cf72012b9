"""Writing one SSH channel: whole frames, one after the other."""

from __future__ import annotations

import threading
import time

import paramiko

_PIECE = 32 * 1024  # what one SSH packet carries


class Sender:
    """Sends frames of many threads. Whoever waits for another's frame waits no longer than its own deadline."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._turn = threading.Lock()

    def send(self, data: bytes, until: float) -> bool:
        """Send a frame until then, in monotonic seconds; False where its turn did not come and nothing of it was sent.

        Raises OSError, EOFError or SSHException where it may be half sent: the channel is of no use any more then.
        """
        if not self._turn.acquire(timeout=max(until - time.monotonic(), 0.0)):
            return False
        try:
            for start in range(0, len(data), _PIECE):
                self._send_piece(data[start : start + _PIECE], until)
        finally:
            self._turn.release()
        return True

    def _send_piece(self, piece: bytes, until: float) -> None:
        while piece:
            try:
                sent = self._channel.send(piece)
            except TimeoutError:
                if time.monotonic() > until:
                    raise
                continue
            if not sent:
                raise EOFError("the agent's input is closed")
            piece = piece[sent:]
