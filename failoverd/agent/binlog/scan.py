"""What a log holds, found out by the heads of its files wherever they say it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from failoverd.agent.binlog.logfile import LogFile, State, Torn
from failoverd.gtid import GtidSet, GtidSetBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Key = tuple[str, int, int]
"""Path, device and inode: the same file, even if a new one takes the old one's name."""

_CHECK_EVERY = 2000


class Walked:
    """What a walk of one file found, and where it stopped; kept so that the next walk reads only what was added."""

    def __init__(self, state: State, verified: bool) -> None:
        self.state = state
        self.holds = GtidSetBuilder()
        self.verified = verified


@dataclass(frozen=True)
class Contents:
    """One file: its size, what it holds, and where it is torn; `exact` is False where the heads of two files say it."""

    path: str
    size: int
    holds: GtidSet
    torn: Torn | None
    exact: bool


class Scanner:
    """Reads logs and remembers heads and walks between requests; one per agent, used under a lock of its owner."""

    def __init__(self) -> None:
        self._heads: dict[Key, GtidSet] = {}
        self._walks: dict[Key, Walked] = {}

    def scan(self, paths: list[str], verify: bool, check: Callable[[], None]) -> list[Contents]:
        """Say what each file of one log holds, oldest first; `check` is called often and may raise to end the scan.

        PREVIOUS_GTIDS of a file is everything before it: the difference to the next file's is what it holds. Only the
        last file, and files after which the sets do not grow, are walked; with `verify` all are.
        """
        heads = [self._head(path) for path in paths]
        self._forget(heads)
        found: list[Contents] = []
        for at, (key, size, previous) in enumerate(heads):
            check()
            following = heads[at + 1][2] if at + 1 < len(heads) else None
            told = previous is not None and following is not None and previous <= following
            if told and previous is not None and following is not None and not verify:
                found.append(Contents(key[0], size, following - previous, None, exact=False))
            else:
                found.append(self._walk(key, verify, check))
        return found

    def _head(self, path: str) -> tuple[Key, int, GtidSet | None]:
        status = os.stat(path)
        key = (path, status.st_dev, status.st_ino)
        if key not in self._heads:
            with contextlib.closing(LogFile(path)) as file:
                state = file.head()
                if state.previous is None:
                    # an unfinished head may still grow: not remembered
                    return key, status.st_size, None
                self._heads[key] = state.previous
        return key, status.st_size, self._heads[key]

    def _forget(self, heads: Iterable[tuple[Key, int, GtidSet | None]]) -> None:
        """Keep nothing of files that are gone, so that memory stays as large as the logs are many."""
        present = {key for key, _, _ in heads}
        folders = {os.path.dirname(key[0]) for key in present}
        for key in [*self._heads, *self._walks]:
            if os.path.dirname(key[0]) in folders and key not in present and not os.path.exists(key[0]):
                self._heads.pop(key, None)
                self._walks.pop(key, None)

    def _walk(self, key: Key, verify: bool, check: Callable[[], None]) -> Contents:
        with contextlib.closing(LogFile(key[0])) as file:
            known = self._walks.get(key)
            usable = known is not None and known.state.position <= file.size and known.verified >= verify
            walked = known if known is not None and usable else Walked(file.head(), verify)
            add = walked.holds.add
            for count, one in enumerate(file.transactions(walked.state, verify)):
                add(one.uuid, one.tag, one.number)
                if count % _CHECK_EVERY == 0:
                    check()
            self._walks[key] = walked
            return Contents(key[0], file.size, walked.holds.build(), file.torn(walked.state), exact=True)
