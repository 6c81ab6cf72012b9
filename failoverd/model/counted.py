"""A number with its word, as sentences need it."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`: the number with `one`, or with `many`, which is `one` and an s where it is not given."""
    return f"{number} {one if number == 1 else many or one + 's'}"
