"""Which operations stay in the journal."""

from __future__ import annotations

import pytest

from failoverd.drivers.journal_codec import too_old, worth_keeping

DAY = 86400.0


@pytest.mark.parametrize(
    ("place", "age", "stays"),
    [
        (0, 4000 * DAY, True),  # the newest ones, however old they are
        (19, 4000 * DAY, True),
        (20, 399 * DAY, True),
        (20, 401 * DAY, False),
        (199, 1 * DAY, True),
        (200, 1 * DAY, False),
    ],
)
def test_by_count_and_by_age(place: int, age: float, stays: bool) -> None:
    assert worth_keeping(place, age) is stays


def test_what_has_no_end_stays() -> None:
    told = [{"operation": f"op-{n}", "started": "2020-01-01T00:00:00.000Z", "ended": None} for n in range(300)]
    assert too_old(told, 2e9) == set()
    ended = [{**one, "ended": "2020-01-01T00:00:01.000Z"} for one in told]
    assert len(too_old(ended, 2e9)) == 280
