"""What the client was promised against what a server holds: the proof that nothing was lost."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.lab.lab import Lab
from failoverd.lab.writer import Account


@dataclass(frozen=True, slots=True)
class Comparison:
    """Row numbers: acknowledged in all, acknowledged and absent, and present without ever having been asked for."""

    acknowledged: int
    lost: tuple[int, ...]
    strange: tuple[int, ...]

    @property
    def clean(self) -> bool:
        """Whether everything promised is there and nothing else."""
        return not self.lost and not self.strange


def compare(lab: Lab, server: str, account: Account) -> Comparison:
    """Read the rows of one server out of band and compare them with what the client saw."""
    return compared({int(str(row[0])) for row in lab.sql(server, "SELECT n FROM app.numbered")}, account)


def compared(present: set[int], account: Account) -> Comparison:
    """The numbers that are there against what the client saw."""
    promised = account.numbers()
    return Comparison(
        acknowledged=len(promised),
        lost=tuple(sorted(promised - present)),
        strange=tuple(sorted(present - promised - set(account.unknown))),
    )


def writable(lab: Lab) -> tuple[str, ...]:
    """The servers whose mysqld runs and takes writes, read out of band."""
    alive = (server for server in lab.servers if lab.mysqld_pid(server))
    return tuple(s for s in alive if lab.sql(s, "SELECT @@read_only + @@super_read_only") == ((0,),))
