"""A warm line to the agent of one host: opened in the background, opened again when it breaks, known to be down
meanwhile. Where hosts are many it is let go when nobody has used it for a while, and opened by the next call.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import paramiko

from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.connection import SshAccess, connect
from failoverd.drivers.ssh.releases import refused
from failoverd.drivers.ssh.tending import Tender
from failoverd.model.errors import AgentError

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 3.0
REST = 60.0  # seconds without a call after which a line that need not be kept is let go

Connect = Callable[[SshAccess], paramiko.SSHClient]


class Line:
    """Keeps one channel to one agent. A call that finds it down is told why at once while it is tried again."""

    def __init__(self, access: SshAccess, command: str, tender: Tender) -> None:
        self.access = access
        self._command = command
        self._tender = tender
        self._changed = threading.Condition()
        self._opening = threading.Lock()
        self._channel: AgentChannel | None = None
        self._others: dict[str, AgentChannel] = {}
        self._client: paramiko.SSHClient | None = None
        self._down: AgentError | None = None
        self._started = False
        self._kept = True
        self._used_at = time.monotonic()
        self._pause = _FIRST_PAUSE
        self._due_at = 0.0
        self.ended = False
        tender.take(self)

    @property
    def down(self) -> bool:
        """Whether it could not be opened the last time."""
        return self._down is not None

    def warm(self) -> None:
        """Begin to keep it open; does not wait."""
        with self._changed:
            if self._started:
                return
            self._started = True
            self._used_at = time.monotonic()
        self._tender.wake()

    def keep(self, kept: bool, open_it: bool) -> None:
        """Whether it stays open unused; if so it can begin to be opened at once. Does not wait."""
        with self._changed:
            self._kept = kept
        if kept and open_it:
            self.warm()

    def channel(self, timeout: float) -> AgentChannel:
        """The live channel. Raises AgentError: why it is down, or TIMEOUT while it is still being opened."""
        until = time.monotonic() + timeout
        with self._changed:
            self._used_at = time.monotonic()
            self.warm()
            while True:
                if self._channel is not None and self._channel.alive:
                    self._used_at = time.monotonic()
                    return self._channel
                if self._down is not None:
                    raise self._down
                left = until - time.monotonic()
                if left <= 0:
                    raise AgentError(f"no channel to {self.access} yet", f"within {timeout:g} s", code="TIMEOUT")
                self._changed.wait(left)

    def another(self, purpose: str, timeout: float) -> AgentChannel:
        """Another channel on the same connection, for a long transfer and those after it, until `end_others`: its agent
        remembers what it has read. Channels of two purposes do not wait for each other.
        """
        self.channel(timeout)
        with self._opening:
            with self._changed:
                client, other = self._client, self._others.get(purpose)
            if other is not None and other.alive:
                return other
            if client is None:
                raise AgentError(f"the connection to {self.access} has ended", code="UNREACHABLE")
            other = self._judged(AgentChannel(client, self.access, self._command, shared=True))
            with self._changed:
                self._others[purpose] = other
            return other

    def end_others(self, *purposes: str) -> None:
        """Close the channels for long transfers, or those of these purposes only."""
        with self._changed:
            ended = [self._others.pop(purpose, None) for purpose in purposes or tuple(self._others)]
        for other in filter(None, ended):
            other.close()

    def close(self) -> None:
        """End it for good."""
        with self._changed:
            self.ended = True
            channel = self._channel
        self._tender.wake()
        self.end_others()
        if channel is not None:
            channel.close()

    def due(self) -> float:
        """Seconds until it is to be opened: endless where it is open or nobody wants it. Lets go what rests."""
        with self._changed:
            channel = self._channel
            if self._started and not self._unused():
                alive = channel is not None and channel.alive
                return math.inf if alive else max(self._due_at - time.monotonic(), 0.0)
            self._started, self._client, self._channel, self._down = False, None, None, None
        if channel is not None:
            channel.close()
        return math.inf

    def open(self) -> None:
        """Try once; who waits for it is told, and what came over the last channel before it ended is handed out."""
        if self._channel is not None:
            self._channel.settle()
        try:
            client = connect(self.access)
            channel = self._judged(AgentChannel(client, self.access, self._command, on_end=self._tender.wake))
        except AgentError as error:
            with self._changed:
                self._down = error
                self._due_at = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
                self._changed.notify_all()
            return
        with self._changed:
            self._client, self._channel, self._down = client, channel, None
            self._pause, self._due_at = _FIRST_PAUSE, 0.0
            self._used_at = time.monotonic()  # opening may have taken longer than a line rests
            self._changed.notify_all()
        if self.ended:
            channel.close()

    def _judged(self, channel: AgentChannel) -> AgentChannel:
        refusal = refused(channel.hello, str(self.access))
        if refusal is None:
            return channel
        channel.close()
        raise refusal

    def _unused(self) -> bool:
        if self._kept or time.monotonic() - self._used_at <= REST:
            return False
        carried = any(other.alive for other in self._others.values())
        return not carried and not (self._channel is not None and self._channel.busy)
