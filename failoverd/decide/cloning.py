"""Whether a server's data may be overwritten with another's, and whose copy is taken."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.decide import grants
from failoverd.decide.candidate import OWN_CHANNELS
from failoverd.decide.rejoining import connected, overwritten, serving, wanted
from failoverd.decide.situation import Situation
from failoverd.model.cloning import CloneSide
from failoverd.model.hooks import Point
from failoverd.model.sight import ServerState, Why

# What a copy of the primary's data is a cure for: attaching is refused for these, and a clone makes them void.
CURED = frozenset({"diverged", "logs-gone", "durability-unproven", "half-cloned"})


@dataclass(frozen=True, slots=True)
class Choice:
    """The donor that is taken, empty where none can be: then `why` says what stands against each."""

    donor: str = ""
    why: str = ""


def donors(s: Situation) -> tuple[str, ...]:
    """Who could give its data, best first: healthy replicas in the configuration's order, then the primary.

    A replica that holds anything the primary lacks would only spread it, and channels of its own would come along.
    """
    primary, name = serving(s), s.request.to if s.request is not None else ""
    if primary is None:
        return ()
    fit = {state.name for state in s.snapshot.reached() if healthy(s, primary, state)}
    replicas = [spec.name for spec in s.policy.servers if spec.name in fit and not spec.maintenance]
    return (*(found for found in replicas if found != name), primary.name)


def healthy(s: Situation, primary: ServerState, state: ServerState) -> bool:
    """Whether a server replicates from the primary itself or through others, has nothing of its own and no channels."""
    if state.name == primary.name or state.name not in s.below(primary):
        return False
    more = state.holds - primary.executed
    own = all(channel.name in OWN_CHANNELS for channel in state.channels)
    return connected(state) and state.applies and own and not more.without_uuid(primary.server_uuid)


def choose(s: Situation) -> Choice:
    """The first donor against whom nothing speaks."""
    sides = {side.server: side for side in s.sides}
    name = s.request.to if s.request is not None else ""
    recipient = sides.get(name)
    if recipient is None:
        return Choice(why=f"{name} could not be asked")
    lack = unfit(recipient, grants.RECIPIENT)
    if lack:
        return Choice(why=lack)
    found = []
    for donor in (sides[one] for one in donors(s) if one in sides):
        why = unfit(donor, grants.DONOR) or unlike(s, donor, recipient)
        if not why:
            return Choice(donor.server)
        found.append(why)
    return Choice(why="; ".join(found) or f"nobody can give {name} its data")


def unfit(side: CloneSide, wanted_for: str) -> str:
    """What one server lacks for its part; empty for nothing."""
    if side.problem:
        return side.problem
    if not side.loaded:
        return f"{side.server} has no clone plugin: plugin_load_add = mysql_clone.so in its configuration"
    lacking = [p.name for p in grants.lacking(grants.held(side.grants), grants.for_clone(wanted_for))]
    return f"our account on {side.server} lacks {', '.join(lacking)}" if lacking else ""


def unlike(s: Situation, donor: CloneSide, recipient: CloneSide) -> str:
    """Why these two do not go together: CLONE takes equal versions, and the copy needs room."""
    if donor.version != recipient.version:
        return f"{donor.server} is {donor.version} and {recipient.server} is {recipient.version}"
    facts = s.snapshot.facts(recipient.server)
    if facts is None or facts.disk_free is None:
        return ""
    room = facts.disk_free + recipient.size
    return f"{recipient.server} has room for {room} bytes, {donor.server} has {donor.size}" if room < donor.size else ""


def impossible(s: Situation) -> str:
    """Why the clone that a request wants cannot be made; empty where it can, or where nobody was asked yet."""
    if not overwritten(s) or not s.sides or serving(s) is None:
        return ""
    choice = choose(s)
    return "" if choice.donor else choice.why


def nobody_rebuilds(s: Situation) -> str:
    """Why no program can rebuild the server of a request that wants it; empty where one stands ready."""
    hooks = s.policy.hooks
    if s.request is None or s.request.rebuild is None or hooks.count(Point.REBUILD):
        return ""
    place = f"{hooks.folder}/{Point.REBUILD}" if hooks.folder else "hooks_dir, which is not set"
    return f"no program stands in {place}"


def half(s: Situation) -> str:
    """That the server of a request holds half of a copy, and nothing else than a clone is asked for."""
    name = s.request.to if s.request is not None else ""
    missed = s.snapshot.missed(name)
    return missed.text if wanted(s) is None and missed.why is Why.CLONING and not overwritten(s) else ""
