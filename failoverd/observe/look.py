"""One look at a cluster: every server side by side, and where the primary is silent, the second routes too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from failoverd.model.cloning import unfinished
from failoverd.model.errors import TimedOut
from failoverd.model.policy import ClusterPolicy, DetectionPolicy
from failoverd.model.sight import ServerState, Sight, Unreachable, Why
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.awaited import Awaited, silent
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import GRACE, HASTE, HASTY_LOOKS, as_sight, ask_all
from failoverd.observe.routes import Routes, ask_hosts, ask_routes
from failoverd.ports import ClaimedServer

# What has arrived already is heard in this (seconds), also when the time is over.
NO_TIME = 0.05


@dataclass(frozen=True, slots=True)
class Interest:
    """What a look is about: the recorded primary, in how many looks in a row it was missed, whether agents are asked
    anyway: with `alone` that of the primary's host only. `proven_at` is when the silence of the others will mean
    something, by our clock. With `anew` the primary is read by a complete login, whatever its open session says.
    """

    primary: str | None = None
    misses: int = 0
    hosts: bool = False
    proven_at: float | None = None
    alone: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """A sight for every server that was asked, and the seconds from question to answer where that is known."""

    sights: Mapping[str, Sight]
    seconds: Mapping[str, float]

    def over(self, before: Round) -> Round:
        """What both say; this one where both do."""
        return Round({**before.sights, **self.sights}, {**before.seconds, **self.seconds})


def look(eyes: Eyes, policy: ClusterPolicy, interest: Interest, awaited: Awaited | None = None) -> TopologySnapshot:
    """Read every server; where the primary is silent also ask the agents and let the replicas' hosts log in to it.

    Servers that are `awaited` are not waited for as long as the primary answers; every look notes who was silent.

    A primary that was missed before is asked about on all routes at once: its own silence may take a whole time-out.
    For the same reason a first silence is not asked about: nothing follows from it yet, and the next look comes at
    once.
    """
    started, primary, awaited = eyes.clock.now(), interest.primary, awaited or Awaited()
    routes = Routes(MappingProxyType({}))
    if primary is not None and interest.misses:
        found, routes = at_once(eyes, policy, primary, patience_for(policy.detection, interest, started), interest.anew)
        awaited.note(found.sights)
    else:
        found = read_unawaited(eyes, policy, interest, awaited)
        if primary is not None and speaks(found.sights.get(primary)):
            routes = ask_routes(eyes, policy, primary)
        elif interest.hosts:
            routes = ask_hosts(eyes, policy, primary if interest.alone else None)
    sights, seconds = MappingProxyType(dict(found.sights)), MappingProxyType(dict(found.seconds))
    return TopologySnapshot(policy.name, started, sights, routes.hosts, routes.probes, answered_in=seconds)


def patience_for(detection: DetectionPolicy, interest: Interest, now: float) -> float:
    """Seconds that a missed primary gets in the look that begins now.

    The look that completes the misses lasts until the others can have their silence proven: one that ended a moment
    before would have to be followed by another one.
    """
    if interest.misses >= HASTY_LOOKS * detection.misses:
        return detection.timeout
    least = detection.timeout * HASTE
    if interest.proven_at is None or interest.misses + 1 < detection.misses:
        return least
    return min(max(least, interest.proven_at - now), detection.timeout)


def speaks(sight: Sight | None) -> bool:
    """Whether a failed look came to an answer, of the host at least: a time-out did not. A server that is not listed
    was not looked at.
    """
    return isinstance(sight, Unreachable) and not silent(sight)


def read_unawaited(eyes: Eyes, policy: ClusterPolicy, interest: Interest, awaited: Awaited) -> Round:
    """A sight for every listed server, of which those that are awaited are not waited for."""
    left = awaited.ask(eyes, policy, interest.primary) if interest.primary is not None else {}
    anew = interest.primary if interest.anew else None
    found = read_all(eyes, policy, names=tuple(s.name for s in policy.servers if s.name not in left), anew=anew)
    awaited.note(found.sights)
    both = {**found.sights, **left}
    return Round({s.name: both[s.name] for s in policy.servers}, found.seconds)


def at_once(eyes: Eyes, policy: ClusterPolicy, primary: str, patience: float, anew: bool) -> tuple[Round, Routes]:
    """Sights and second routes side by side; the primary gets this many seconds."""
    calls: dict[str, Callable[[], Round | Routes]] = {
        "sights": lambda: read_all(eyes, policy, {primary: patience}, anew=primary if anew else None),
        "routes": lambda: ask_routes(eyes, policy, primary, patience),
    }
    answers = eyes.tasks.gather(calls, policy.detection.timeout + 2 * GRACE)
    found, routes = answers["sights"], answers["routes"]
    now = eyes.clock.now()
    if not isinstance(found, Round):
        why = f"no look came back: {found}"
        found = Round({s.name: Unreachable(s.name, Why.OWN_SIDE, why, now) for s in policy.servers}, {})
    if silent(found.sights.get(primary)):
        # While the primary was waited for, what the others said has grown old: a silence may be proven by now.
        there = tuple(name for name, sight in found.sights.items() if isinstance(sight, ServerState))
        found = read_all(eyes, policy, names=there).over(found)
    return found, routes if isinstance(routes, Routes) else Routes(MappingProxyType({}))


def read_all(
    eyes: Eyes,
    policy: ClusterPolicy,
    patience: Mapping[str, float] | None = None,
    names: tuple[str, ...] | None = None,
    anew: str | None = None,
) -> Round:
    """A sight for every listed server, or for these; `patience` is for those who get less time than the others, in
    seconds. The one named by `anew` is read by a complete login.
    """
    timeout, less = policy.detection.timeout, patience or {}
    asked = tuple(s.name for s in policy.servers) if names is None else names
    seconds: dict[str, float] = {}
    answers = heard(eyes, policy, asked, seconds) if patience is None and anew is None else None
    if answers is None:
        begun = eyes.clock.now()

        def ask(name: str) -> Sight:
            read = eyes.servers.connect_again if name == anew else eyes.servers.look
            sight = read(policy.name, name, less.get(name, timeout))
            seconds[name] = eyes.clock.now() - begun
            return sight

        answers = ask_all(eyes.tasks, asked, ask, timeout)
    now = eyes.clock.now()
    sights = {name: halved(slow_is_hung(as_sight(name, answer, now), answer)) for name, answer in answers.items()}
    return Round(sights, {name: took for name, took in dict(seconds).items() if isinstance(sights[name], ServerState)})


def heard(
    eyes: Eyes, policy: ClusterPolicy, names: tuple[str, ...], seconds: dict[str, float]
) -> Mapping[str, Sight | Exception] | None:
    """Every server asked at once and heard one after the other, which costs no threads; None where not all could be
    asked on an open session. One that is silent takes the whole time-out, and what the others said waits for us there:
    how long those took is in nobody's `seconds`.
    """
    began = eyes.clock.now()
    end = began + policy.detection.timeout
    begun = [eyes.servers.begin_look(policy.name, name) for name in names]
    if not all(begun):
        return None
    answers: dict[str, Sight | Exception] = {}
    waited = False
    for name in names:
        try:
            answers[name] = eyes.servers.look(policy.name, name, max(end - eyes.clock.now(), NO_TIME))
        except Exception as error:  # noqa: BLE001 - as side by side: an error is the answer
            answers[name] = error
        waited = waited or not isinstance(answers[name], ServerState)
        if not waited:
            seconds[name] = eyes.clock.now() - began
    return answers


def halved(sight: Sight) -> Sight:
    """A server that holds half of a copy is nobody's replica and no witness: its sets are not what its data is."""
    if not isinstance(sight, ServerState) or not unfinished(sight):
        return sight
    text = f"{sight.name} holds half of a copy: what overwrites it has begun and not ended"
    return Unreachable(sight.name, Why.CLONING, text, sight.read_at)


def slow_is_hung(sight: Sight, answer: object) -> Sight:
    """A look that did not come back by its deadline means a server that takes us and does not answer."""
    if isinstance(sight, Unreachable) and isinstance(answer, TimedOut):
        return replace(sight, why=Why.HUNG)
    return sight


def read_claimed(
    eyes: Eyes, before: TopologySnapshot, claims: Mapping[str, ClaimedServer], timeout: float
) -> TopologySnapshot:
    """A snapshot whose claimed servers were read on their claimed sessions; a server that cannot be read is unreachable
    in it.

    Servers that are not claimed keep no state: what is not claimed is not eligible and its sets may still move.
    """
    answers = ask_all(eyes.tasks, claims, lambda name: claims[name].read(), timeout)
    now = eyes.clock.now()
    sights: dict[str, Sight] = {}
    for name, sight in before.sights.items():
        if name in claims:
            sights[name] = as_sight(name, answers[name], now)
        elif isinstance(sight, ServerState):
            sights[name] = Unreachable(name, Why.NOT_ASKED, "not claimed in this operation", now)
        else:
            sights[name] = sight
    return replace(before, sights=MappingProxyType(sights), taken_at=now)
