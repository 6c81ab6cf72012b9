"""GTID sets as people and servers write them."""

from __future__ import annotations

import time

import pytest

from failoverd.gtid import Gtid, GtidSet, GtidSetBuilder, GtidSyntaxError

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "4f22fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (" , \n,", ""),
        (f"{A}:5", f"{A}:5"),
        (f"{A.upper()}:1-3", f"{A}:1-3"),
        (f"{B}:1,\n{A}:1-3", f"{A}:1-3,{B}:1"),
        (f"{A}:1-3,{A}:4", f"{A}:1-4"),
        (f"{A}:7:1-3:2-5", f"{A}:1-5:7"),
        (f" {A} : 1 - 3 : 5 ", f"{A}:1-3:5"),
        (f"{A}:1-8:rel_2026:1-2:x:1-2", f"{A}:1-8:rel_2026:1-2:x:1-2"),
        (f"{A}:x:1-2,{A}:1-8,{A}:REL_2026:1-2", f"{A}:1-8:rel_2026:1-2:x:1-2"),
        (f"{A}:tag:1-2", f"{A}:tag:1-2"),
        (f"{A}:9223372036854775806", f"{A}:9223372036854775806"),
    ],
)
def test_text_becomes_canonical(text: str, canonical: str) -> None:
    assert str(GtidSet.parse(text)) == canonical
    assert GtidSet.parse(canonical) == GtidSet.parse(text)


@pytest.mark.parametrize(
    ("text", "named", "why"),
    [
        ("nonsense", "nonsense", "uuid"),
        (f"{A}", A, "no interval"),
        (f"{A}:", A, "empty"),
        (f"{A}:1::2", A, "empty"),
        (f"{A}:0", "0", "number"),
        (f"{A}:9223372036854775807", "9223372036854775807", "number"),
        (f"{A}:" + "9" * 1000, "999", "number"),
        (f"{A}:5-3", "5-3", "before"),
        (f"{A}:1-", "", "number"),
        (f"{A}:1-2-3", "2-3", "number"),
        (f"{A}:1_0", "1_0", "number"),
        (f"{A}:tag", A, "follows the tag"),
        (f"{A}:tag:other:1", A, "missing"),
        (f"{A}:ta-g:1", "ta-g", "tag"),
        (f"{A}:" + "t" * 33 + ":1", "ttt", "tag"),
        (f"{A[:-1]}:1", A[:-1], "uuid"),
        (f"{A}:\u0661", "\u0661", "number"),
    ],
)
def test_bad_text_names_the_part(text: str, named: str, why: str) -> None:
    with pytest.raises(GtidSyntaxError) as caught:
        GtidSet.parse(text)
    assert named in str(caught.value)
    assert why in str(caught.value)


def test_algebra_on_tags_and_uuids() -> None:
    left = GtidSet.parse(f"{A}:1-10:tag:1-3,{B}:1-5")
    right = GtidSet.parse(f"{A}:4-6:tag:2,{B}:5-9")
    assert str(left | right) == f"{A}:1-10:tag:1-3,{B}:1-9"
    assert str(left - right) == f"{A}:1-3:7-10:tag:1:3,{B}:1-4"
    assert str(left & right) == f"{A}:4-6:tag:2,{B}:5"
    assert not left <= right
    assert not right <= left
    assert left & right < left
    assert left >= left - right
    assert left > left - right


def test_a_tag_is_an_origin_of_its_own() -> None:
    assert not GtidSet.parse(f"{A}:tag:1") <= GtidSet.parse(f"{A}:1")
    assert GtidSet.parse(f"{A}:tag:1") != GtidSet.parse(f"{A}:1")


def test_contains_counts_and_parts() -> None:
    some = GtidSet.parse(f"{A}:1-3:7:tag:5,{B}:2")
    assert len(some) == some.count() == 6
    assert some.contains(Gtid.parse(f"{A}:2"))
    assert some.contains(Gtid(A, "tag", 5))
    assert not some.contains(Gtid.parse(f"{A}:5"))
    assert list(some.parts()) == [(A, "", ((1, 3), (7, 7))), (A, "tag", ((5, 5),)), (B, "", ((2, 2),))]
    assert some.uuids() == {A, B}
    assert str(some.of_uuid(A.upper())) == f"{A}:1-3:7:tag:5"
    assert str(some.without_uuid(A)) == f"{B}:2"
    assert some.of_uuid(A) | some.without_uuid(A) == some
    assert not GtidSet()
    assert some
    assert hash(some) == hash(GtidSet.parse(str(some)))


def test_single_and_gtid_text() -> None:
    assert str(GtidSet.single(A, "", 4)) == f"{A}:4"
    assert str(GtidSet.single(A.upper(), "TAG", 4)) == f"{A}:tag:4"
    assert str(Gtid.parse(f"{A}:tag:4")) == f"{A}:tag:4"
    for bad in (f"{A}", f"{A}:1-2", f"{A}::1", f"{A}:tag:x:1"):
        with pytest.raises(GtidSyntaxError):
            Gtid.parse(bad)


def test_shorten_keeps_small_and_says_how_many() -> None:
    small = GtidSet.parse(f"{A}:1-3")
    assert small.shorten() == str(small)
    large = GtidSet.parse(f"{A}:" + ":".join(str(2 * n + 1) for n in range(500)))
    short = large.shorten(100)
    assert len(short) <= 100
    assert short.endswith("... (500 transactions)")
    assert short.startswith(f"{A}:1:3:5")


def test_builder_joins_runs_in_any_order() -> None:
    builder = GtidSetBuilder()
    for number in [5, 6, 7, 1, 2, 6, 3, 4, 9]:
        builder.add(A, "", number)
    builder.add(A, "tag", 1)
    assert str(builder.build()) == f"{A}:1-7:9:tag:1"
    builder.add(A, "", 8)
    assert str(builder.build()) == f"{A}:1-9:tag:1"


def test_hundred_thousand_intervals_stay_linear() -> None:
    left = GtidSet.parse(f"{A}:" + ":".join(f"{n * 5 + 1}-{n * 5 + 2}" for n in range(100_000)))
    right = GtidSet.parse(f"{A}:" + ":".join(f"{n * 5 + 2}-{n * 5 + 3}" for n in range(100_000)))
    began = time.process_time()
    assert (left | right).count() == 300_000
    assert (left - right).count() == 100_000
    assert (left & right).count() == 100_000
    # a quadratic walk takes minutes; the limit leaves room for a slow and loaded machine
    assert time.process_time() - began < 2.0
