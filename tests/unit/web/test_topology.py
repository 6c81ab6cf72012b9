"""The drawing of a cluster, from documents: tiers, rows, streams, and the words in each box."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from failoverd.web.topology import HEIGHT, WIDTH, Drawing, draw, executed, holds_said, mark_of, stream_said

UUID = "00000000-0000-0000-0000-000000000001"


def server(name: str, source: str | None = None, **more: Any) -> dict[str, Any]:
    role = "replica" if source else "primary"
    told = {"name": name, "role": role, "source": source, "reachable": True, "read_only": source is not None}
    threads = {"receiver": "yes" if source else None, "applier": "yes" if source else None, "lag_seconds": 0.0}
    return {**told, **threads, "gtid_executed": f"{UUID}:1-10", "gtid_received": None, "problems": [], **more}


def drawn(*servers: dict[str, Any], narrow: bool = False) -> Drawing:
    return draw({"servers": list(servers)}, narrow=narrow)


def test_tiers_stand_beside_one_another_and_a_source_in_the_middle_of_its_replicas() -> None:
    found = drawn(server("db2", "db1"), server("db1"), server("db3", "db1"), server("db4", "db3"))
    at = {box.name: (box.x, box.y) for box in found.boxes}
    assert found.boxes[0].name == "db1", "the primary first, whatever the order of the file"
    assert at["db1"][0] < at["db2"][0] == at["db3"][0] < at["db4"][0]
    assert at["db1"][1] == (at["db2"][1] + at["db3"][1]) / 2
    assert len(found.lines) == 3
    assert found.width >= max(x for x, _ in at.values()) + WIDTH


@pytest.mark.parametrize("narrow", [False, True])
def test_no_two_boxes_touch(narrow: bool) -> None:
    servers = [
        server("db1"),
        *(server(f"db{n}", "db1") for n in range(2, 6)),
        server("db6", "db3"),
        server("db7", None),
    ]
    boxes = drawn(*servers, narrow=narrow).boxes
    assert len(boxes) == 7
    for one in boxes:
        for other in boxes:
            apart = abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
            assert one is other or apart, (one.name, other.name)


def test_a_telephone_gets_tiers_as_indents() -> None:
    found = drawn(server("db1"), server("db2", "db1"), server("db3", "db2"), narrow=True)
    assert found.width <= 360
    assert [box.y for box in found.boxes] == sorted(box.y for box in found.boxes)


def test_circles_strangers_and_nobody_are_drawn_all_the_same() -> None:
    found = drawn(server("db1", "db2"), server("db2", "db1"), server("db3", "10.0.0.9:3306"))
    assert sorted(box.name for box in found.boxes) == ["db1", "db2", "db3"]
    assert drawn().boxes == ()


@pytest.mark.parametrize("narrow", [False, True])
def test_a_chain_of_any_length_is_drawn(narrow: bool) -> None:
    length = 2 * sys.getrecursionlimit()
    found = drawn(server("db0"), *(server(f"db{n}", f"db{n - 1}") for n in range(1, length)), narrow=narrow)
    assert [box.name for box in found.boxes] == [f"db{n}" for n in range(length)]
    assert len(found.lines) == length - 1
    assert len({box.x for box in found.boxes}) == length


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        (server("db1"), "good"),
        (server("db1", read_only=True), "bad"),
        (server("db1", reachable=False), "bad"),
        (server("db2", "db1"), "good"),
        (server("db2", "db1", receiver="connecting"), "wait"),
        (server("db2", "db1", applier="no"), "wait"),
        (server("db2", "db1", problems=[{"id": "errant"}]), "wait"),
        (server("db2", "db1", role="diverged"), "bad"),
        (server("db2", "db1", role="returning"), "wait"),
        (server("db2", "db1", role="a new word"), "good"),
    ],
)
def test_the_shape_of_a_server(told: dict[str, Any], mark: str) -> None:
    assert mark_of(told) == mark


@pytest.mark.parametrize(
    ("more", "said", "kind"),
    [
        ({}, "lag 0 s", "live"),
        ({"lag_seconds": None}, "lag not known", "live"),
        ({"receiver": "connecting"}, "connecting", "trying"),
        ({"receiver": "no"}, "receiver off", "cut"),
        ({"applier": "no"}, "applier off", "cut"),
        ({"reachable": False, "receiver": None}, "", "cut"),
    ],
)
def test_a_stream_in_words_and_as_a_line(more: dict[str, Any], said: str, kind: str) -> None:
    replica = server("db2", "db1", **more)
    assert stream_said(replica) == said
    assert [line.kind for line in drawn(server("db1"), replica).lines] == [kind]


def test_what_a_server_misses_and_has_already_received() -> None:
    primary, behind = server("db1"), server("db2", "db1", gtid_executed=f"{UUID}:1-4", gtid_received=f"{UUID}:1-7")
    everything = executed([primary, behind])
    assert holds_said(everything, primary) == "10 transactions"
    assert holds_said(everything, behind) == "6 behind, 3 of them here"
    assert holds_said(everything, server("db3", "db1")) == "holds all 10"
    for unknown in (None, "no set at all"):
        assert holds_said(everything, server("db3", "db1", gtid_executed=unknown)) == "set not known"


def test_people_who_hear_the_page_are_told_the_same() -> None:
    told = drawn(server("db1"), server("db2", "db1", receiver="no", problems=[{"id": "x"}])).sentence
    assert told == ("db1, primary: takes writes; db2, replica, follows db1: closed for writes, receiver off, 1 problem")
