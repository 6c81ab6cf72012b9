"""The algebra of GTID sets against a naive twin: a plain set of (uuid, tag, number)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from failoverd.gtid import Gtid, GtidSet, GtidSetBuilder, GtidSyntaxError

if TYPE_CHECKING:
    from random import Random

UUIDS = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b")
TAGS = ("", "tag", "x_1")
Twin = frozenset[tuple[str, str, int]]

twins = st.frozensets(st.tuples(st.sampled_from(UUIDS), st.sampled_from(TAGS), st.integers(1, 30)), max_size=40)


def ours(twin: Twin) -> GtidSet:
    builder = GtidSetBuilder()
    for uuid, tag, number in twin:
        builder.add(uuid, tag, number)
    return builder.build()


def naive(some: GtidSet) -> Twin:
    return frozenset(
        (uuid, tag, number)
        for uuid, tag, intervals in some.parts()
        for first, last in intervals
        for number in range(first, last + 1)
    )


@given(twins, twins)
def test_algebra_equals_the_twin(left: Twin, right: Twin) -> None:
    a, b = ours(left), ours(right)
    assert naive(a | b) == left | right
    assert naive(a - b) == left - right
    assert naive(a & b) == left & right
    assert (a <= b) == (left <= right)
    assert (a >= b) == (left >= right)
    assert (a < b) == (left < right)
    assert (a > b) == (left > right)
    assert (a == b) == (left == right)
    assert a.count() == len(left)


@given(twins, twins)
def test_results_are_canonical(left: Twin, right: Twin) -> None:
    a, b = ours(left), ours(right)
    for result in (a, a | b, a - b, a & b):
        assert GtidSet.parse(str(result)) == result
        assert hash(GtidSet.parse(str(result))) == hash(result)
        for _, _, intervals in result.parts():
            assert intervals
            assert all(intervals[i][1] + 1 < intervals[i + 1][0] for i in range(len(intervals) - 1))


@given(twins, st.randoms(use_true_random=False))
def test_text_in_any_order_is_the_same_set(twin: Twin, random: Random) -> None:
    words = [f"{uuid.upper()}:{tag}:{number}" if tag else f"{uuid}:{number}" for uuid, tag, number in twin]
    random.shuffle(words)
    assert GtidSet.parse(" ,\n".join(words)) == ours(twin)


@given(twins, st.sampled_from(UUIDS), st.sampled_from(TAGS), st.integers(1, 31))
def test_contains_equals_the_twin(twin: Twin, uuid: str, tag: str, number: int) -> None:
    assert ours(twin).contains(Gtid(uuid, tag, number)) == ((uuid, tag, number) in twin)


@given(twins, st.integers(60, 300))
def test_shorten_keeps_to_its_limit(twin: Twin, limit: int) -> None:
    assert len(ours(twin).shorten(limit)) <= limit


@given(st.text(alphabet="0123456789abcdef-:, \ntag_", max_size=120))
def test_any_text_is_a_set_or_a_syntax_error(text: str) -> None:
    try:
        found = GtidSet.parse(text)
    except GtidSyntaxError:
        return
    assert GtidSet.parse(str(found)) == found
