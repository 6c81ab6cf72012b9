"""Bytes and names of ZooKeeper's entries."""

from __future__ import annotations

import json
import random

import pytest

from failoverd.drivers.zookeeper.layout import Layout, in_line, sequence
from failoverd.drivers.zookeeper.records import COMPRESS_OVER, pack, parts_of, unpack
from failoverd.drivers.zookeeper.settings import Digest, ZooKeeperSettings
from failoverd.model.errors import CoordinationError


def noise(length: int) -> str:
    return "".join(random.Random(7).choices("0123456789abcdef", k=length))


def test_a_short_record_is_plain_json_that_people_can_read() -> None:
    packed = pack({"v": 1, "name": "Jürgen"})
    assert packed.parts == ()
    assert json.loads(packed.head) == {"v": 1, "name": "Jürgen"}


def test_a_long_record_is_compressed() -> None:
    data = {"v": 1, "gtids": "1-2:" * COMPRESS_OVER}
    packed = pack(data)
    assert len(packed.head) < COMPRESS_OVER
    assert parts_of(packed.head) == 0
    assert unpack(packed.head, (), "here") == data


def test_what_stays_long_is_cut_into_parts() -> None:
    data = {"v": 1, "noise": noise(100_000)}
    packed = pack(data, part=10_000)
    assert parts_of(packed.head) == len(packed.parts) > 1
    assert max(map(len, packed.parts)) <= 10_000
    assert unpack(packed.head, packed.parts, "here") == data


@pytest.mark.parametrize("spoil", [b"", b"{", b"[1]", b"zgarbage", b"\xff\xfe"])
def test_a_spoilt_record_is_named(spoil: bytes) -> None:
    with pytest.raises(CoordinationError, match="/shop/primary"):
        unpack(spoil, (), "/shop/primary")


def test_a_record_that_lost_a_part_is_named() -> None:
    packed = pack({"noise": noise(100_000)}, part=10_000)
    with pytest.raises(CoordinationError, match="here"):
        unpack(packed.head, packed.parts[:-1], "here")


def test_the_line_is_in_the_order_of_making_not_of_names() -> None:
    names = ["ffff_0000000009", "0000_0000000010", "aaaa_0000000008"]
    assert in_line(names) == ["aaaa_0000000008", "ffff_0000000009", "0000_0000000010"]
    assert in_line([]) == []


def test_the_line_goes_on_across_the_wrap_around_of_its_numbers() -> None:
    names = ["c_-2147483648", "a_2147483646", "d_-2147483647", "b_2147483647"]
    assert in_line(names) == ["a_2147483646", "b_2147483647", "c_-2147483648", "d_-2147483647"]
    assert sequence("x_-2147483648") == -2147483648


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 200])
def test_names_that_would_leave_their_place_are_refused(name: str) -> None:
    with pytest.raises(CoordinationError):
        Layout.of("/failoverd", name)
    with pytest.raises(CoordinationError):
        Layout.of("/failoverd", "shop").operation(name)


def test_the_lease_is_shorter_than_the_session_and_renewed_often() -> None:
    for seconds in (0.4, 1.0, 6.0, 40.0):
        settings = ZooKeeperSettings(("zk1:2181",), session_timeout=seconds)
        assert settings.lease < seconds * 0.7
        assert settings.beat <= settings.lease / 4
    assert "secret" not in repr(ZooKeeperSettings(("zk1:2181",), auth=Digest("u", "secret")))
