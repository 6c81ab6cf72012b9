"""What a server uses that bears on a failover and that no look tells: asked once, when people check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Engine:
    """Tables of one storage engine other than InnoDB: how many our account may see, and one of them."""

    name: str
    tables: int
    example: str


@dataclass(frozen=True, slots=True)
class Features:
    """What one server told; `asleep` are events that stay disabled there, `prepared` is how many transactions wait for
    XA COMMIT, `tables` those that were asked for and are there, `group` and `clone` whether these plugins are loaded.
    What our account may not see is not in it.
    """

    engines: tuple[Engine, ...] = ()
    prepared: int = 0
    asleep: tuple[str, ...] = ()
    group: bool = False
    clone: bool = False
    tables: frozenset[str] = frozenset()
