"""Our GTID sets against the server's own functions: same text, same difference, same inclusion."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from failoverd.gtid import GtidSet, GtidSetBuilder, GtidSyntaxError
from tests.acceptance.real_mysqld import RealMysqld

UUIDS = (
    "ffffffff-0000-0000-0000-00000000000a",
    "00000000-0000-0000-0000-00000000000b",
    "0a000000-ffff-0000-0000-000000000001",
)
TAGS = ("", "tag", "_t", "tag_2", "ta", "z9")


@pytest.fixture(scope="module")
def server() -> Iterator[RealMysqld]:
    home = Path(tempfile.mkdtemp(prefix="failoverd-gtid-", dir="/dev/shm"))
    server = RealMysqld(home / "db", 1)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(home)


def random_set(chance: random.Random) -> GtidSet:
    builder = GtidSetBuilder()
    for _ in range(chance.randint(0, 60)):
        builder.add(chance.choice(UUIDS), chance.choice(TAGS), chance.randint(1, 40))
    return builder.build()


def scattered(some: GtidSet, chance: random.Random) -> str:
    """The same set in a form that people might write."""
    words = []
    for uuid, tag, intervals in some.parts():
        for first, last in intervals:
            middle = chance.randint(first, last)
            for start, end in ((first, middle), (middle, last)):
                interval = f"{start}-{end}" if chance.random() < 0.5 or start != end else str(start)
                words.append(f" {uuid.upper()}:{tag.upper() + ':' if tag else ''}{interval}\n")
    chance.shuffle(words)
    return ",".join(words)


def test_text_difference_and_inclusion_are_the_servers(server: RealMysqld) -> None:
    chance = random.Random(97)
    for _ in range(150):
        left, right = random_set(chance), random_set(chance)
        some = scattered(left, chance)
        row = server.rows(
            f"SELECT GTID_SUBTRACT('{some}', '') AS same, GTID_SUBTRACT('{left}', '{right}') AS less, "
            f"GTID_SUBSET('{left & right}', '{right}') AS inside, GTID_SUBSET('{left}', '{right}') AS maybe"
        )[0]
        assert str(GtidSet.parse(some)) == str(left) == row["same"].replace("\n", "")
        assert str(left - right) == row["less"].replace("\n", "")
        assert row["inside"] == 1
        assert (left <= right) == bool(row["maybe"])


def test_a_hundred_thousand_intervals_are_the_servers(server: RealMysqld) -> None:
    """Both directions of the text, and what the server makes of two such sets."""
    parts = {(UUIDS[0], tag): tuple((4 * n + at, 4 * n + at + at % 2) for n in range(1, 50_001))
             for at, tag in enumerate(("", "tag"))}  # fmt: skip
    left = GtidSet.of(parts)
    right = GtidSet.of({(UUIDS[0], ""): tuple((8 * n, 8 * n) for n in range(1, 25_001))})
    row = server.rows(
        f"SELECT GTID_SUBTRACT('{left}', '') AS same, GTID_SUBTRACT('{left}', '{right}') AS less, "
        f"GTID_SUBSET('{right}', '{left}') AS inside, GTID_SUBSET('{left}', '{right}') AS outside"
    )[0]
    assert sum(len(intervals) for _, _, intervals in left.parts()) == 100_000
    assert row["same"].replace("\n", "") == str(left)
    assert GtidSet.parse(row["same"]) == left
    assert GtidSet.parse(row["less"]) == left - right
    assert row["less"].replace("\n", "") == str(left - right)
    assert (row["inside"], row["outside"]) == (1, 0)
    assert right <= left
    assert not left <= right


def test_an_executed_set_with_tags_reads_back_as_the_server_prints_it(server: RealMysqld) -> None:
    chance = random.Random(42)
    for _ in range(10):
        some = random_set(chance)
        server.rows("RESET BINARY LOGS AND GTIDS", f"SET GLOBAL gtid_purged='{some}'")
        printed = server.rows("SELECT @@GLOBAL.gtid_executed AS e")[0]["e"]
        assert GtidSet.parse(printed) == some
        assert printed.replace("\n", "") == str(some)


@pytest.mark.parametrize(
    "text",
    ["x", f"{UUIDS[0]}:0", f"{UUIDS[0]}:1-", f"{UUIDS[0]}:9223372036854775808", f"{UUIDS[0]}:a-b:1"],
)
def test_what_the_server_refuses_we_refuse(server: RealMysqld, text: str) -> None:
    with pytest.raises(pymysql.Error):
        server.rows(f"SELECT GTID_SUBTRACT('{text}', '')")
    with pytest.raises(GtidSyntaxError):
        GtidSet.parse(text)
