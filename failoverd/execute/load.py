"""Whether a primary is calm enough for a switchover: its load, and what people's own query says."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.load import BUSY
from failoverd.model.policy import SwitchoverPolicy
from failoverd.ports import ClaimedServer

# People's own query is given up after this (seconds), by the server itself.
ASKING = 1.0


def too_busy(old: ClaimedServer, limits: SwitchoverPolicy, hands: Hands) -> str:
    """Why the primary is too busy now, empty where it is not. StepFailed where its load is critical: no other attempt
    is made then.
    """
    for variable, limit in limits.critical_load:
        load = old.load(variable)
        if load > limit:
            hands.given_up_for = f"{variable} of {old.name} is {load:g}, critical above {limit}"
            raise StepFailed("given up", hands.given_up_for)
    for variable, limit in {BUSY: limits.max_threads_running, **dict(limits.max_load)}.items():
        load = old.load(variable)
        if load > limit:
            return f"{variable} of {old.name} is {load:g}, the limit is {limit}"
    return throttled(old, limits.throttle_query)


def throttled(old: ClaimedServer, query: str) -> str:
    """Why people's own query holds it up; a query that is not answered does, too."""
    if not query:
        return ""
    try:
        said = old.asked(query, ASKING)
    except ServerError as error:
        if not error.code:
            raise
        return f"the throttle query is not answered: {error}"
    return f"the throttle query says {said:g}" if said > 0 else ""
