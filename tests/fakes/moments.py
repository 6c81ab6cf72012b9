"""What happens at a given moment of a manager's operation: its death, or anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.fakes.whole import Manager


class Died(BaseException):
    """The process is gone: nothing of it runs any more."""


def dies() -> None:
    """Be gone."""
    raise Died


def at(manager: Manager, moment: str, happens: Callable[[], object]) -> list[str]:
    """Let something happen the first time an operation of this manager reaches that moment; the moments it met."""
    met: list[str] = []

    def reached(one: str) -> None:
        first = one == moment and one not in met
        met.append(one)
        if first:
            happens()

    manager.world = replace(manager.world, moment=reached)
    return met
