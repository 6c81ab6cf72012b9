"""What people may do on the page: a table of actions, each handed on the way of the command line, with who asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.exceptions import HTTPException

from failoverd.config.complaints import Wrong
from failoverd.config.kinds import seconds_of
from failoverd.config.web import PAUSE, RESUME, SWITCHOVER
from failoverd.model.errors import FailoverdError
from failoverd.model.history import Pause
from failoverd.model.plans import Kind, Request, Requester
from failoverd.ports import Clock

Fields = Mapping[str, str]
_REASON: Final = 500


class Hand(Protocol):
    """What carries a person's wish to the managers. Methods raise FailoverdError."""

    @property
    def clock(self) -> Clock:
        """The time of day."""

    @property
    def host(self) -> str:
        """The host that the page is served from."""

    def servers(self, cluster: str) -> tuple[str, ...]:
        """The servers of a cluster."""

    def active(self, cluster: str) -> str | None:
        """The active manager, None where there is none."""

    def pause(self, cluster: str, pause: Pause) -> None:
        """Record a pause."""

    def unpause(self, cluster: str) -> None:
        """End the pause of a cluster."""

    def ask(self, request: Request) -> str:
        """Hand a request to the active manager; its id."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants something done with which cluster, and what the form says."""

    cluster: str
    user: str
    fields: Fields

    @property
    def reason(self) -> str:
        """Why; HTTPException where nothing is said."""
        said = " ".join(self.fields.get("reason", "").split())
        if not said:
            raise HTTPException(400, "a reason is needed: it goes into the record")
        return said[:_REASON]


def pause(hand: Hand, wish: Wish) -> str:
    """No act by itself meanwhile."""
    lasting = wish.fields.get("lasting", "")
    try:
        until = hand.clock.wall().timestamp() + seconds_of(lasting) if lasting else None
    except Wrong as wrong:
        raise HTTPException(400, f"{wrong.sentence}: {wrong.hint}") from wrong
    hand.pause(wish.cluster, Pause(f"{wish.user}@{hand.host} (page)", wish.reason, until))
    return ""


def resume(hand: Hand, wish: Wish) -> str:
    """Act again."""
    hand.unpause(wish.cluster)
    return ""


def switchover(hand: Hand, wish: Wish) -> str:
    """Another primary, by the active manager: it judges everything that stands against it anew."""
    to = wish.fields.get("to", "")
    if to and to not in hand.servers(wish.cluster):
        raise HTTPException(400, f"{wish.cluster} has no server '{to}'")
    if wish.fields.get("sure") != "yes":
        raise HTTPException(400, "say that you are sure: clients are held up for a moment")
    if hand.active(wish.cluster) is None:
        hint = f"failoverd switchover {wish.cluster} does it without one"
        raise FailoverdError("no manager is active that could do it", f"cluster {wish.cluster}", hint)
    by = Requester("person", wish.user, f"{hand.host} (page)", wish.reason)
    return hand.ask(Request(wish.cluster, Kind.SWITCHOVER, by, to, asked_at=hand.clock.wall().timestamp()))


# Each answers with the id of a request that an answer will come to, or with nothing where it is done already.
ACTIONS: Final[Mapping[str, Callable[[Hand, Wish], str]]] = {PAUSE: pause, RESUME: resume, SWITCHOVER: switchover}
