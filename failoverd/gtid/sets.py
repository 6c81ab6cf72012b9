"""GTIDs and GTID sets as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from failoverd.gtid import intervals as algebra
from failoverd.gtid import text as writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from failoverd.gtid.intervals import Interval, Intervals
    from failoverd.gtid.text import Origin


@dataclass(frozen=True)
class Gtid:
    """One transaction's identity; uuid and tag are in lower case, the tag is "" for none."""

    uuid: str
    tag: str
    number: int

    @staticmethod
    def parse(text: str) -> Gtid:
        """Read "uuid:7" or "uuid:tag:7"; GtidSyntaxError otherwise."""
        parts = text.split(":")
        if len(parts) not in (2, 3):
            raise writing.GtidSyntaxError(text, "one transaction is written uuid:number or uuid:tag:number")
        tag = writing.read_tag(parts[1]) if len(parts) == 3 else ""
        if len(parts) == 3 and not tag:
            raise writing.GtidSyntaxError(text, "the tag is empty")
        return Gtid(writing.read_uuid(parts[0]), tag, writing.read_number(parts[-1]))

    def __str__(self) -> str:
        return f"{self.uuid}:{self.tag}:{self.number}" if self.tag else f"{self.uuid}:{self.number}"


@dataclass(frozen=True)
class GtidSet:
    """A set of transactions, always canonical: equal sets are equal values with equal text and hash.

    Order is inclusion and therefore partial: neither a <= b nor b <= a may hold. `entries` is sorted by uuid, then
    tag, and holds no empty interval list; build sets with `parse`, `single`, `of` or the builder.
    """

    entries: tuple[tuple[Origin, Intervals], ...] = ()

    @staticmethod
    def parse(text: str) -> GtidSet:
        """Read MySQL's text: any case, white space, tags, repeated uuids; GtidSyntaxError names what is wrong."""
        return GtidSet.of({origin: algebra.canonical(found) for origin, found in writing.parse(text).items()})

    @staticmethod
    def of(parts: Mapping[Origin, Intervals]) -> GtidSet:
        """Make a set out of canonical interval lists by (uuid, tag); empty lists are left out."""
        return GtidSet(tuple(sorted((origin, found) for origin, found in parts.items() if found)))

    @staticmethod
    def single(uuid: str, tag: str, number: int) -> GtidSet:
        """Make the set of one transaction."""
        gtid = Gtid(writing.read_uuid(uuid), writing.read_tag(tag), writing.read_number(str(number)))
        return GtidSet((((gtid.uuid, gtid.tag), ((number, number),)),))

    def __str__(self) -> str:
        return writing.render(self.entries)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __len__(self) -> int:
        return self.count()

    def count(self) -> int:
        """How many transactions the set holds."""
        return sum(algebra.count(found) for _, found in self.entries)

    def shorten(self, limit: int = 200) -> str:
        """Give text for people: whole if it fits, else cut at a separator with the count of transactions."""
        return writing.shorten(str(self), self.count(), limit)

    def parts(self) -> Iterator[tuple[str, str, tuple[Interval, ...]]]:
        """Walk over (uuid, tag, intervals), sorted; intervals are (first, last) with both ends inside."""
        for (uuid, tag), found in self.entries:
            yield uuid, tag, found

    def uuids(self) -> frozenset[str]:
        """The servers that the transactions come from."""
        return frozenset(uuid for (uuid, _), _ in self.entries)

    def of_uuid(self, uuid: str) -> GtidSet:
        """The part that comes from one server, with all its tags."""
        wanted = uuid.lower()
        return GtidSet(tuple(entry for entry in self.entries if entry[0][0] == wanted))

    def without_uuid(self, uuid: str) -> GtidSet:
        """All but the part that comes from one server."""
        unwanted = uuid.lower()
        return GtidSet(tuple(entry for entry in self.entries if entry[0][0] != unwanted))

    def contains(self, gtid: Gtid) -> bool:
        """Whether the set holds this transaction."""
        found = self._by_origin().get((gtid.uuid, gtid.tag), ())
        return algebra.within(((gtid.number, gtid.number),), found)

    def __or__(self, other: GtidSet) -> GtidSet:
        if not other.entries or self.entries == other.entries:
            return self
        if not self.entries:
            return other
        both = self._by_origin()
        for origin, found in other.entries:
            both[origin] = algebra.union(both.get(origin, ()), found)
        return GtidSet(tuple(sorted(both.items())))

    def __and__(self, other: GtidSet) -> GtidSet:
        return self._each(other, algebra.intersection)

    def __sub__(self, other: GtidSet) -> GtidSet:
        return self._each(other, algebra.difference)

    def __le__(self, other: GtidSet) -> bool:
        theirs = other._by_origin()
        return all(algebra.within(found, theirs.get(origin, ())) for origin, found in self.entries)

    def __ge__(self, other: GtidSet) -> bool:
        return other <= self

    def __lt__(self, other: GtidSet) -> bool:
        return self != other and self <= other

    def __gt__(self, other: GtidSet) -> bool:
        return other < self

    def _each(self, other: GtidSet, work: Callable[[Intervals, Intervals], Intervals]) -> GtidSet:
        theirs = other._by_origin()
        worked = ((origin, work(found, theirs.get(origin, ()))) for origin, found in self.entries)
        return GtidSet(tuple(entry for entry in worked if entry[1]))

    def _by_origin(self) -> dict[Origin, Intervals]:
        return dict(self.entries)
