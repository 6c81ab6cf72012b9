"""Events of the event scheduler that a promotion leaves disabled: a replica marks them so when it receives them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `definer` is USER@HOST, as the server says it."""

    schema: str
    name: str
    definer: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def enabling(self) -> str:
        """The statement that lets it run on the primary; without its definer it would run as whoever says this."""
        user, _, host = self.definer.rpartition("@")
        account = f"{_quoted(user)}@{_quoted(host)}"
        return f"ALTER DEFINER={account} EVENT {_quoted(self.schema)}.{_quoted(self.name)} ENABLE"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
