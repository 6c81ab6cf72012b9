"""Algebra of sorted interval lists: every operation walks its operands once.

An interval is a pair (first, last), both ends inside. A canonical list is sorted, without overlaps and without
neighbours that touch: (1, 3), (4, 5) is always written (1, 5). All functions take and give canonical tuples,
except `canonical` itself, which makes one out of any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]


def canonical(intervals: Iterable[Interval]) -> Intervals:
    """Sort and join intervals of any order and overlap."""
    ordered = sorted(intervals)
    if not ordered:
        return ()
    joined: list[Interval] = []
    first, last = ordered[0]
    for start, end in ordered:
        if start <= last + 1:
            last = max(last, end)
        else:
            joined.append((first, last))
            first, last = start, end
    joined.append((first, last))
    return tuple(joined)


def union(left: Intervals, right: Intervals) -> Intervals:
    """All numbers of either; linear, because sorting two sorted runs is one merge."""
    if not left or left == right:
        return right
    if not right:
        return left
    return canonical(left + right)


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """The numbers in both."""
    common: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = left[i]
        start, end = right[j]
        if first <= end and start <= last:
            common.append((max(first, start), min(last, end)))
        if last < end:
            i += 1
        else:
            j += 1
    return tuple(common)


def difference(left: Intervals, right: Intervals) -> Intervals:
    """The numbers of the left one that the right one lacks."""
    rest: list[Interval] = []
    j, stop = 0, len(right)
    for first, last in left:
        while j < stop and right[j][1] < first:
            j += 1
        at, k = first, j
        while k < stop and right[k][0] <= last:
            if at < right[k][0]:
                rest.append((at, right[k][0] - 1))
            at = right[k][1] + 1
            k += 1
        if at <= last:
            rest.append((at, last))
        j = max(j, k - 1)
    return tuple(rest)


def within(left: Intervals, right: Intervals) -> bool:
    """Whether every number of the left one is in the right one."""
    j, stop = 0, len(right)
    for first, last in left:
        while j < stop and right[j][1] < first:
            j += 1
        if j == stop or right[j][0] > first or right[j][1] < last:
            return False
    return True


def count(intervals: Intervals) -> int:
    """How many numbers there are."""
    return sum(last - first + 1 for first, last in intervals)
