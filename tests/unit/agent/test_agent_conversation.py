"""The loop over requests: strict, side by side, on time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from failoverd.agent import fields, wire
from failoverd.agent.conversation import Call, Conversation, Op
from failoverd.agent.faults import Fault
from failoverd.agent.fields import Field


class Peer:
    """Both ends of a conversation in one process."""

    def __init__(self, ops: dict[str, Op]) -> None:
        theirs, self._to = os.pipe()
        self._from, ours = os.pipe()
        self.failed: list[BaseException] = []
        self._decoder = wire.FrameDecoder()
        self._frames: list[wire.Frame] = []
        conversation = Conversation(ops, theirs, ours)

        def run() -> None:
            try:
                conversation.run()
            except wire.WireError as error:
                self.failed.append(error)
            os.close(ours)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        os.write(self._to, data)

    def request(self, **envelope: Any) -> None:
        self.send(wire.pack_json(envelope))

    def frame(self) -> wire.Frame:
        while not self._frames:
            data = os.read(self._from, 65536)
            assert data, "the conversation ended"
            self._frames.extend(self._decoder.feed(data))
        return self._frames.pop(0)

    def ask(self, **envelope: Any) -> dict[str, Any]:
        self.request(**envelope)
        return self.frame().json()

    def end(self) -> bytes:
        os.close(self._to)
        rest = b""
        while data := os.read(self._from, 65536):
            rest += data
        self._thread.join(10)
        os.close(self._from)
        return rest


Make = Callable[[dict[str, Op]], Peer]


@pytest.fixture
def peer() -> Iterator[Make]:
    made: list[Peer] = []

    def make(ops: dict[str, Op]) -> Peer:
        made.append(Peer(ops))
        return made[-1]

    yield make
    for one in made:
        one.end()


def echo(call: Call) -> dict[str, Any]:
    return {"said": call.args["word"], "cluster": call.cluster, "epoch": call.epoch}


ECHO = Op(echo, {"word": Field(fields.text, "nothing")})


def test_a_request_is_answered_with_its_id(peer: Make) -> None:
    reply = peer({"echo": ECHO}).ask(id=7, op="echo", args={"word": "x"}, cluster="Shop", epoch=3, deadline=2)
    assert reply == {"id": 7, "ok": True, "result": {"said": "x", "cluster": "Shop", "epoch": 3}}


@pytest.mark.parametrize(
    ("envelope", "named"),
    [
        ({"id": 1, "op": "nothing"}, "nothing"),
        ({"id": 1, "op": "echo", "more": 1}, "more"),
        ({"id": 1, "op": "echo", "args": {"other": 1}}, "other"),
        ({"id": 1, "op": "echo", "args": {"word": 1}}, "word"),
        ({"id": 1, "op": "echo", "args": {"word": "a\nb"}}, "word"),
        ({"id": 1, "op": "echo", "args": []}, "object"),
        ({"id": 1, "op": "echo", "cluster": "../x"}, "cluster"),
        ({"id": 1, "op": "echo", "epoch": True}, "epoch"),
        ({"id": 1, "op": "echo", "epoch": -1}, "epoch"),
        ({"id": 1, "op": "echo", "deadline": 0}, "deadline"),
        ({"id": 1, "op": "echo", "deadline": "1"}, "deadline"),
        ({"id": 1, "op": 5}, "op"),
        ({"id": 1, "op": "change"}, "epoch"),
        ({"op": "echo"}, "id"),
        ({"id": "x", "op": "echo"}, "id"),
    ],
)
def test_wrong_requests_are_named_and_the_next_is_served(peer: Make, envelope: dict[str, Any], named: str) -> None:
    one = peer({"echo": ECHO, "change": Op(echo, {}, changes=True)})
    reply = one.ask(**envelope)
    assert not reply["ok"]
    assert reply["error"]["code"] == "BAD_REQUEST"
    assert named in reply["error"]["what"] + reply["error"]["detail"]
    assert one.ask(id=2, op="echo")["ok"]


def test_a_long_request_does_not_hold_up_a_short_one(peer: Make) -> None:
    go_on = threading.Event()
    one = peer({"wait": Op(lambda call: {"waited": go_on.wait(call.deadline.left())}, {}), "echo": ECHO})
    one.request(id=1, op="wait", deadline=20)
    assert one.ask(id=2, op="echo")["id"] == 2
    go_on.set()
    assert one.frame().json() == {"id": 1, "ok": True, "result": {"waited": True}}


def test_the_alarm_answers_for_a_request_that_hangs(peer: Make) -> None:
    go_on = threading.Event()

    def hang(call: Call) -> dict[str, Any]:
        go_on.wait(20)
        call.send(b"late")
        return {}

    one = peer({"hang": Op(hang, {}), "echo": ECHO})
    began = time.monotonic()
    reply = one.ask(id=1, op="hang", deadline=0.2)
    assert reply["error"]["code"] == "TIMEOUT"
    assert 0.2 <= time.monotonic() - began < 5
    go_on.set()
    assert one.ask(id=2, op="echo")["id"] == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fault("DAMAGED", "what", "detail", "hint"), "DAMAGED"),
        (FileNotFoundError(2, "No such file", "/x"), "NOT_FOUND"),
        (PermissionError(13, "Permission denied", "/x"), "DOOR"),
        (OSError(28, "No space left on device"), "IO"),
        (ZeroDivisionError("division"), "INTERNAL"),
    ],
)
def test_every_error_is_answered(peer: Make, error: Exception, code: str) -> None:
    def fail(_: Call) -> dict[str, Any]:
        raise error

    reply = peer({"fail": Op(fail, {})}).ask(id=1, op="fail")
    assert reply["error"]["code"] == code
    assert set(reply["error"]) == {"code", "what", "detail", "hint"}


def test_downloads_come_before_their_reply_and_one_at_a_time(peer: Make) -> None:
    def give(call: Call) -> dict[str, Any]:
        for _ in range(20):
            call.send(call.args["word"].encode() * 300_000)
        return {"done": call.args["word"]}

    one = peer({"give": Op(give, ECHO.fields)})
    one.request(id=1, op="give", args={"word": "a"})
    one.request(id=2, op="give", args={"word": "b"})
    seen: list[str] = []
    raw = b""
    while len(seen) < 2:
        frame = one.frame()
        if frame.kind == wire.RAW:
            raw += frame.payload
            continue
        word = frame.json()["result"]["done"]
        assert raw == word.encode() * 6_000_000
        raw = b""
        seen.append(word)
    assert sorted(seen) == ["a", "b"]


def take(call: Call) -> dict[str, Any]:
    return {"bytes": sum(len(data) for data in call.upload)}


def test_an_upload_belongs_to_its_request(peer: Make) -> None:
    one = peer({"take": Op(take, {}, uploads=True), "echo": ECHO})
    one.request(id=1, op="take", upload=True)
    one.send(wire.pack(wire.RAW, b"x" * 1000))
    assert one.ask(id=2, op="echo")["id"] == 2
    one.send(wire.pack(wire.RAW, b"y" * 500) + wire.END_OF_UPLOAD)
    assert one.frame().json()["result"] == {"bytes": 1500}


def test_the_upload_of_a_refused_request_is_dropped(peer: Make) -> None:
    def refuse(_: Call) -> dict[str, Any]:
        raise Fault("BUSY", "not now")

    one = peer({"refuse": Op(refuse, {}, uploads=True), "take": Op(take, {}, uploads=True)})
    for number, op in ((1, "refuse"), (2, "unknown")):
        one.request(id=number, op=op, upload=True)
        for _ in range(20):
            one.send(wire.pack(wire.RAW, b"x" * 1000))
        one.send(wire.END_OF_UPLOAD)
        assert one.frame().json()["error"]["code"] in ("BUSY", "BAD_REQUEST")
    one.request(id=3, op="take", upload=True)
    one.send(wire.pack(wire.RAW, b"z") + wire.END_OF_UPLOAD)
    assert one.frame().json()["result"] == {"bytes": 1}


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n", wire.pack(wire.RAW, b"x"), wire.pack(wire.JSON, b"[]")])
def test_garbage_ends_the_conversation(junk: bytes) -> None:
    one = Peer({"echo": ECHO})
    one.send(junk)
    assert one.end() == b""
    assert isinstance(one.failed[0], wire.WireError)


def test_a_change_is_finished_after_the_manager_hung_up() -> None:
    begun, done = threading.Event(), threading.Event()

    def change(_: Call) -> dict[str, Any]:
        begun.set()
        time.sleep(0.2)
        done.set()
        return {}

    one = Peer({"change": Op(change, {}, changes=True)})
    one.request(id=1, op="change", epoch=1)
    assert begun.wait(10)
    one.end()
    assert done.is_set()


def test_progress_says_how_far(peer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.agent.conversation._PROGRESS_EVERY", 0.0)

    def work(call: Call) -> dict[str, Any]:
        call.progress(5, 10)
        return {}

    one = peer({"work": Op(work, {})})
    assert one.ask(id=4, op="work") == {"id": 4, "progress": {"bytes": 5, "total": 10}}
    assert one.frame().json()["ok"]
