"""Frames between manager and agent."""

from __future__ import annotations

import pytest

from failoverd.agent import wire


def feed(data: bytes, step: int) -> list[wire.Frame]:
    decoder = wire.FrameDecoder()
    frames = [frame for at in range(0, len(data), step) for frame in decoder.feed(data[at : at + step])]
    decoder.finish()
    return frames


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_frames_come_out_as_they_went_in(step: int) -> None:
    data = wire.pack_json({"id": 1, "text": "ü"}) + wire.pack(wire.RAW, b"\0" * 300) + wire.END_OF_UPLOAD
    first, second, third = feed(data, step)
    assert first.json() == {"id": 1, "text": "ü"}
    assert (second.kind, second.payload) == (wire.RAW, b"\0" * 300)
    assert (third.kind, third.payload) == (wire.RAW, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x02X{}",
        b"\x01\x00\x00\x01J" + b"{}",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\xff\xff\xff\xffR",
    ],
)
def test_garbage_is_an_error(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        feed(data, 1000)


def test_a_cut_frame_is_an_error_at_the_end() -> None:
    whole = wire.pack_json({"id": 1})
    for length in range(1, len(whole)):
        with pytest.raises(wire.WireError, match="inside a frame"):
            feed(whole[:length], 1000)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"1", b'"x"', b"null", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff{}", b"[" * 200_000]
)
def test_a_json_frame_holds_one_strict_object(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.Frame(wire.JSON, payload).json()


def test_raw_is_not_json_and_too_long_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.Frame(wire.RAW, b"{}").json()
    with pytest.raises(wire.WireError, match="at most"):
        wire.pack(wire.RAW, b"\0" * (wire.MAX_PAYLOAD + 1))
    with pytest.raises(ValueError, match="Out of range"):
        wire.pack_json({"number": float("nan")})
