"""Filters as the server lists them, said again for another channel."""

from __future__ import annotations

import pytest

from failoverd.drivers.mysql.filters import change_filter, differing
from failoverd.model.errors import StepFailed


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("REPLICATE_DO_DB", "app,a b", "(`app`, `a b`)"),
        ("REPLICATE_IGNORE_DB", "", "()"),
        ("REPLICATE_DO_TABLE", "app.t,app.u", "(`app`.`t`, `app`.`u`)"),
        ("REPLICATE_WILD_DO_TABLE", "app.tmp%,app.x\\_y", "('app.tmp%%', 'app.x\\\\_y')"),
        ("REPLICATE_REWRITE_DB", "(a,b),(c,d)", "((`a`, `b`), (`c`, `d`))"),
    ],
)
def test_a_filter_is_said_as_it_was_listed(name: str, rule: str, said: str) -> None:
    assert change_filter(name, rule).text == f"CHANGE REPLICATION FILTER {name} = {said} FOR CHANNEL %s"
    assert change_filter(name, rule).changes


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("REPLICATE_IGNORE_TABLE", "app.q,z"),
        ("REPLICATE_DO_DB", "a`b"),
        ("REPLICATE_DO_DB", "a,,b"),
        ("REPLICATE_WILD_DO_TABLE", "app.x'y"),
        ("REPLICATE_WILD_DO_TABLE", "app.a,b.c.d"),
        ("REPLICATE_REWRITE_DB", "(a,b),(c"),
        ("REPLICATE_REWRITE_DB", "(a,b,c)"),
    ],
)
def test_a_name_that_could_be_two_is_refused(name: str, rule: str) -> None:
    with pytest.raises(StepFailed, match="cannot be copied"):
        change_filter(name, rule)


def test_unknown_filters_are_refused() -> None:
    with pytest.raises(KeyError):
        change_filter("REPLICATE_ANYTHING", "a")


def test_only_what_differs_is_said() -> None:
    main = [{"name": "REPLICATE_DO_DB", "rule": "a"}, {"name": "REPLICATE_IGNORE_DB", "rule": "x"}]
    ours = [{"name": "REPLICATE_DO_DB", "rule": "a"}, {"name": "REPLICATE_DO_TABLE", "rule": "a.b"}]
    assert differing(main, ours) == (("REPLICATE_IGNORE_DB", "x"), ("REPLICATE_DO_TABLE", ""))
    assert differing(main, main) == ()
