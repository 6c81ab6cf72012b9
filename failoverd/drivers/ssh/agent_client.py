"""One conversation with one agent over one SSH channel: many calls at a time, answers matched by id, bytes streamed.

No thread reads it: whoever waits for an answer does, so that no channel can hold up another one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import paramiko

from failoverd.agent import wire
from failoverd.drivers.ssh.asking import NOTHING, Ask, Pending
from failoverd.drivers.ssh.connection import SshAccess, translated
from failoverd.drivers.ssh.reading import Turns
from failoverd.drivers.ssh.releases import too_old
from failoverd.drivers.ssh.sending import Sender
from failoverd.model.errors import AgentError

_MOST_READ = 1024 * 1024
_AHEAD = 64  # frames of a download that may wait for its reader while others read for their answers
_SLICE = 1.0
_DOOR_STARTS = 5.0  # before its hello the agent starts its door, which it gives 3 s; only the line waits for this
_DEAD_AFTER = 1.5  # seconds without a word after a question; a busy host may well be silent for one short time-out
_WHOLE_DAY = 86400.0
_LONGEST_COMPLAINT = 2000


class AgentChannel:
    """A live agent. `hello` is what it said of itself; `alive` turns False for good when the conversation has ended,
    and `on_end` is told, from any thread: it must neither wait nor touch the channel.

    The connection ends with it, also where it cannot be opened; with `shared` it is somebody else's and outlives it.
    """

    def __init__(
        self,
        client: paramiko.SSHClient,
        access: SshAccess,
        command: str,
        *,
        shared: bool = False,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.access = access
        self._on_end = on_end
        self._heard = False
        self._silent_since: float | None = None
        self._client = client
        self._shared = shared
        self._uploading = threading.Lock()
        self._downloading = threading.Lock()
        self._decoder = wire.FrameDecoder()
        self._numbers = 0
        self._waiting: dict[int, Pending] = {}
        self._download: Pending | None = None
        self._end: AgentError | None = None
        self._hello: Mapping[str, Any] | None = None
        self._channel = self._opened(command)
        self._sender = Sender(self._channel)
        self._turns = Turns(self._channel, self._read, self._reads_on, on_end)
        self.hello = self._greeted()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._end is None and not self._turns.ended

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return bool(self._waiting)

    def call(self, ask: Ask, timeout: float) -> Mapping[str, Any]:
        """Ask and wait for the reply. Raises AgentError with the agent's own code, or TIMEOUT, or how the channel
        ended.
        """
        return self.finish(self.begin(ask, timeout))

    def begin(self, ask: Ask, timeout: float, *, downloads: bool = False, uploads: bool = False) -> Pending:
        """Send a request without waiting."""
        with self._turns.news:
            if self._end is not None:
                raise self._end
            self._numbers += 1
            pending = Pending(self._numbers, ask, timeout)
            self._waiting[pending.number] = pending
            self._silent_since = self._silent_since or pending.sent_at
            if downloads:
                self._download = pending
        # The agent gives up a little earlier than we do, so that its own words arrive in time.
        patience = min(ask.patience or max(timeout - 0.15, timeout / 2), _WHOLE_DAY)
        request = {"id": pending.number, "op": ask.op, "args": dict(ask.args), "cluster": ask.cluster}
        request |= {"epoch": ask.epoch, "deadline": patience, "upload": uploads}
        try:
            self._send(wire.pack_json(request), pending.sent_at + timeout)
        except AgentError:
            self._forget(pending)
            raise
        return pending

    def finish(self, pending: Pending) -> Mapping[str, Any]:
        """Wait for the reply to a request; progress does not prolong it."""
        deadline = pending.sent_at + pending.timeout
        while True:
            came = self.next_of(pending, deadline - time.monotonic())
            if isinstance(came, bytes):
                raise self._broken(f"raw bytes came for {pending.ask.op}")
            if "progress" not in came:
                return self.result_of(came)

    def download(self, ask: Ask, idle: float, progress: Callable[[int, int], None]) -> Download:
        """Ask for bytes, which the answer yields as they come; `idle` bounds the seconds without any."""
        return Download(self, ask, idle, progress)

    def upload(self, ask: Ask, frames: Iterable[bytes], idle: float) -> Mapping[str, Any]:
        """Ask and send the bytes; `idle` bounds the seconds without progress. The end is sent in any case."""
        with self._uploading:
            pending = self.begin(ask, _WHOLE_DAY, uploads=True)
            try:
                refusal = self._send_all(pending, frames, idle)
            except BaseException:
                with contextlib.suppress(AgentError):
                    self._end_upload(idle)
                raise
            self._end_upload(idle)
            if refusal is not None:
                return self.result_of(refusal)
            while True:
                came = self.next_of(pending, idle)
                if not isinstance(came, bytes) and "progress" not in came:
                    return self.result_of(came)

    def next_of(self, pending: Pending, seconds: float) -> Mapping[str, Any] | bytes:
        """What comes next for a request. Raises AgentError TIMEOUT where nothing comes in time."""
        if self._turns.wait(lambda: bool(pending.inbox), time.monotonic() + seconds):
            return pending.next()
        self._waiting.pop(pending.number, None)
        late = AgentError(f"the agent on {self.access} did not answer {pending.ask.op} in time", code="TIMEOUT")
        silent = self._silent_since
        if silent is not None and time.monotonic() - silent > _DEAD_AFTER:
            self._finish(late)  # not a word about anything: the channel is dead, whatever SSH thinks
        raise late

    def result_of(self, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result in a reply. Raises AgentError with the agent's own code and words."""
        if reply.get("ok") is True and isinstance(reply.get("result"), dict):
            return dict(reply["result"])
        told = reply.get("error")
        if not isinstance(told, dict):
            raise self._broken("a reply without result and error")
        code, *words = (str(told.get(key, "")) for key in ("code", "what", "detail", "hint"))
        if old := too_old(self.hello, str(self.access), code, words[0]):
            raise old
        raise AgentError(f"agent on {self.access.host}: {words[0]}", words[1], words[2], code=code)

    def close(self) -> None:
        """End the conversation; what still waits is told so."""
        self._finish(AgentError(f"the channel to {self.access} was closed", code="UNREACHABLE"))

    def settle(self) -> None:
        """Hand out what came before its end, where it has ended; then close it."""
        self._hand_out_rest()
        self.close()

    def start_download(self, ask: Ask, idle: float) -> Pending:
        """Send a request whose answer is bytes; one at a time, because raw frames carry no id."""
        until = time.monotonic() + idle
        if self._downloading.acquire(timeout=idle):
            try:
                if self._turns.wait(lambda: self._download is None or self._end is not None, until):
                    return self.begin(ask, _WHOLE_DAY, downloads=True)
            finally:
                self._downloading.release()
        raise AgentError(f"the channel to {self.access} is busy with another download", code="BUSY")

    def _send_all(self, pending: Pending, frames: Iterable[bytes], idle: float) -> Mapping[str, Any] | None:
        """Send the bytes; the reply, where one comes before their end: only a refusal does. Progress is passed over."""
        for data in frames:
            while self._turns.wait(lambda: bool(pending.inbox), 0.0):
                came = pending.next()
                if not isinstance(came, bytes) and "progress" not in came:
                    return came
            self._send(wire.pack(wire.RAW, data), time.monotonic() + idle)
        return None

    def _end_upload(self, idle: float) -> None:
        try:
            self._send(wire.END_OF_UPLOAD, time.monotonic() + idle)
        except AgentError as error:
            self._finish(error)  # without it the agent would take what comes next for more of the same
            raise

    def _opened(self, command: str) -> paramiko.Channel:
        transport = self._client.get_transport()
        if transport is None:
            raise translated(EOFError("the connection has ended"), self.access)
        try:
            channel = transport.open_session(timeout=self.access.timeout)
            channel.settimeout(_SLICE)
            late = threading.Timer(
                self.access.timeout, _close, [channel]
            )  # the library waits for an answer without end
            late.start()
            try:
                channel.exec_command(command)
            finally:
                late.cancel()
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not self._shared:
                self._client.close()
            raise translated(error, self.access) from error
        return channel

    def _greeted(self) -> Mapping[str, Any]:
        until = time.monotonic() + self.access.timeout + _DOOR_STARTS
        self._turns.wait(lambda: self._hello is not None or self._end is not None, until)
        if self._hello is None:
            late = AgentError(f"the agent on {self.access} does not say hello", self._complaint(), code="TIMEOUT")
            self._finish(late)
            raise self._end or late
        return self._hello

    def _send(self, data: bytes, deadline: float) -> None:
        try:
            sent = self._sender.send(data, deadline)
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._hand_out_rest()
            failed = self._end or translated(error, self.access)
            self._finish(failed)
            raise failed from error
        if not sent:
            raise AgentError(f"the channel to {self.access} is stuck with something else", code="TIMEOUT")

    def _forget(self, pending: Pending) -> None:
        """One that was never sent: nothing comes for it."""
        with self._turns.news:
            self._waiting.pop(pending.number, None)
            if pending is self._download:
                self._download = None

    def _hand_out_rest(self) -> None:
        if self._turns.ended:
            self._turns.wait(lambda: self._end is not None, time.monotonic() + _SLICE)

    def _reads_on(self) -> bool:
        if self._end is not None:
            return False
        return self._download is None or len(self._download.inbox) < _AHEAD or self._turns.ended

    def _read(self) -> None:
        try:
            data = self._channel.recv(_MOST_READ)
            if data:
                self._heard, self._silent_since = True, None
                for frame in self._decoder.feed(data):
                    self._deliver(frame)
            else:
                self._decoder.finish()
                self._finish(self._departure(EOFError("its output ended")))
        except wire.WireError as error:
            self._broken(str(error))
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._finish(self._departure(error))

    def _deliver(self, frame: wire.Frame) -> None:
        if frame.kind == wire.RAW:
            self._deliver_raw(frame.payload)
            return
        value = frame.json()
        if "hello" in value:
            self._hello = value["hello"] if isinstance(value["hello"], dict) else {}
            return
        number = value.get("id")
        pending = self._waiting.get(number) if isinstance(number, int) else None
        if pending is not None:
            if "progress" not in value:
                self._waiting.pop(pending.number, None)
                if pending is self._download:
                    self._download = None
            pending.inbox.append(value)

    def _deliver_raw(self, payload: bytes) -> None:
        if self._download is None:
            raise wire.WireError("raw bytes came that nobody asked for")
        if not self._download.abandoned:
            self._download.inbox.append(payload)

    def _broken(self, why: str) -> AgentError:
        hint = "does something print in that account's start-up files? is the agent another one?"
        error = AgentError(f"the agent on {self.access} speaks nonsense", why[:200], hint, code="PROTOCOL")
        self._finish(error)
        return error

    def _departure(self, error: Exception) -> AgentError:
        complaint = self._complaint()
        if not self._heard:
            hint = "install it with `failoverd agent install`"
            return AgentError(f"there is no agent on {self.access}", complaint or str(error), hint, code="MISSING")
        return AgentError(f"the agent on {self.access} has gone", complaint or str(error), code="UNREACHABLE")

    def _complaint(self) -> str:
        channel = self._channel
        if not channel.recv_stderr_ready():
            return ""
        return channel.recv_stderr(_LONGEST_COMPLAINT).decode("utf-8", "replace").strip()

    def _finish(self, why: AgentError) -> None:
        with self._turns.news:
            if self._end is not None:
                return
            self._end = why
            for pending in tuple(self._waiting.values()):
                pending.inbox.append(why)
            self._waiting.clear()
            self._turns.news.notify_all()
        # Closing waits for locks of paramiko that a dead peer may hold; nobody who has to be quick waits for it.
        threading.Thread(target=self._client_done, name="agent disposal", daemon=True).start()
        self._on_end()

    def _client_done(self) -> None:
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
            self._channel.close()
        if not self._shared:
            self._client.close()


def _close(channel: paramiko.Channel) -> None:
    """Close it; on a connection that has ended meanwhile it is closed already."""
    with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
        channel.close()


class Download:
    """Bytes on their way: iterate to get them; `result` is the reply once the iteration has ended."""

    def __init__(self, channel: AgentChannel, ask: Ask, idle: float, progress: Callable[[int, int], None]) -> None:
        self.result: Mapping[str, Any] = NOTHING
        self._channel = channel
        self._ask = ask
        self._idle = idle
        self._progress = progress

    def __iter__(self) -> Iterator[bytes]:
        pending = self._channel.start_download(self._ask, self._idle)
        try:
            while True:
                came = self._awaited(pending)
                if isinstance(came, bytes):
                    yield came
                elif "progress" in came:
                    self._progress(int(came["progress"]["bytes"]), int(came["progress"]["total"]))
                else:
                    self.result = self._channel.result_of(came)
                    return
        finally:
            pending.abandon()

    def _awaited(self, pending: Pending) -> Mapping[str, Any] | bytes:
        try:
            return self._channel.next_of(pending, self._idle)
        except AgentError:
            self._channel.close()  # a download that stands still is ended at its other end by nothing else
            raise
