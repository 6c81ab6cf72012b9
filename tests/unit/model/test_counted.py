"""A number with its word."""

from __future__ import annotations

import pytest

from failoverd.model.counted import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1200 rows")])
def test_one_of_them_is_no_plural(number: int, said: str) -> None:
    assert counted(number, "row") == said


def test_a_plural_of_its_own() -> None:
    assert counted(1, "session waits", "sessions wait") == "1 session waits"
    assert counted(3, "session waits", "sessions wait") == "3 sessions wait"
