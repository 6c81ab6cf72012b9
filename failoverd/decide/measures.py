"""What the refusals measure, one function each: a value against its limit, or None where nothing is in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.decide.reopening import danger, unknown
from failoverd.decide.situation import Situation
from failoverd.decide.testimony import Word
from failoverd.model.ackers import able_ones, possible, staying
from failoverd.model.counted import counted
from failoverd.model.hooks import Point
from failoverd.model.host import LogKind
from failoverd.model.plans import Kind
from failoverd.model.ranking import Ranking

# How long the manager waits after an attempt of its own that was refused on fixed positions or undone (seconds).
RETRY_PAUSE = 30.0
# How long a manager says that its settings differ from those in force before it acts by itself (seconds).
SETTINGS_PAUSE = 60.0
# A journal that could not be written is tried again this soon (seconds): after more than a turn, so that it is told.
UNWRITABLE_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a row found: a value, the limit it breaks, and the end of its sentence."""

    value: str = ""
    limit: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What a row may look at: the situation, who would win, and which operation it is about."""

    s: Situation
    ranking: Ranking
    kind: Kind = Kind.FAILOVER


def automatic(s: Situation) -> bool:
    """Whether nobody asked: the manager acts by itself."""
    return s.request is None or s.request.by.kind == "automatic"


def lately(passed: float, limit: float) -> bool:
    """Whether less than the limit has passed by the time of day. Somebody sets clocks: what lies in the future by more
    than the limit is a moment that never was, and holds nothing up.
    """
    return abs(passed) < limit


def cooldown(c: Case) -> Measured | None:
    """A failover soon after the last one hides something that a person should see."""
    last, limit = c.s.history.last_failover_at, c.s.policy.failover.cooldown
    if last is None or not lately(c.s.wall - last, limit):
        return None
    return Measured(f"{c.s.wall - last:.0f} s", f"{limit:g} s", f"{c.s.wall - last:.0f} s ago")


def tried_lately(c: Case) -> Measured | None:
    """An attempt that came to nothing is not repeated at once: each one stops receivers and takes that back.

    A primary that is back is opened at once after a failover that was undone: only reopenings hold that up.
    """
    history = c.s.history
    last = history.last_reopening_at if c.kind is Kind.REOPEN else history.last_attempt_at
    if last is None or not automatic(c.s) or not lately(c.s.wall - last, RETRY_PAUSE):
        return None
    return Measured(f"{c.s.wall - last:.0f} s", f"{RETRY_PAUSE:g} s", f"{c.s.wall - last:.0f} s ago")


def paused(c: Case) -> Measured | None:
    """Somebody asked for no acts by ourselves; a person's own request is not one."""
    pause = c.s.history.paused
    if pause is None or not automatic(c.s) or pause.over(c.s.wall):
        return None
    return Measured(detail=f"{pause.by}: {pause.reason}")


def maintenance(c: Case) -> Measured | None:
    """Somebody works on the primary and knows that it is down."""
    listed = any(spec.maintenance and spec.name == c.s.recorded.name for spec in c.s.policy.servers)
    return Measured() if listed and automatic(c.s) else None


def primary_alive(c: Case) -> Measured | None:
    """A living primary is moved by a switchover, which loses nothing; a failover would kill it."""
    if automatic(c.s):
        return None
    if c.s.primary is not None or c.s.missed.spoke:
        return Measured(detail="it answers")
    alive = () if c.s.gone() else c.s.said(Word.ALIVE)
    return Measured(detail=alive[0].sentence) if alive else None


def blind(c: Case) -> Measured | None:
    """Nobody but us says that the primary is gone."""
    if c.s.primary is not None or c.s.gone() or c.s.said(Word.SILENT):
        return None
    return Measured(f"{len(c.s.said(Word.SILENT))} second routes", "1")


def operation_open(c: Case) -> Measured | None:
    """An operation that was begun and has no end: what it has changed must be known first."""
    return Measured(detail=c.s.history.open_operation) if c.s.history.open_operation else None


def open_already(c: Case) -> Measured | None:
    """There is nothing to be opened."""
    return Measured() if c.s.primary is not None and c.s.primary.writable else None


def reopen_unsafe(c: Case) -> Measured | None:
    """Opening it would make a second writer, or re-issue transactions that others have with other content."""
    found = "" if open_already(c) else danger(c.s)
    return Measured(detail=found) if found else None


def reopen_unknown(c: Case) -> Measured | None:
    """A server that nobody has seen may hold more than it."""
    found = "" if open_already(c) else unknown(c.s)
    return Measured(detail=found) if found else None


def config_differs(c: Case) -> Measured | None:
    """The manager before us had other settings for this cluster: whoever changed them may still be at it."""
    history = c.s.history
    if not history.settings_of or not automatic(c.s):
        return None
    waited = c.s.since(history.settings_since)
    detail = f"{history.settings_of} had others until {waited:.0f} s ago"
    return Measured(f"{waited:.0f} s", f"{SETTINGS_PAUSE:g} s", detail) if waited < SETTINGS_PAUSE else None


def journal_unwritable(c: Case) -> Measured | None:
    """What cannot be written down must not be begun: nobody could end it after us. It is tried again."""
    history = c.s.history
    ago = c.s.since(history.unwritable_at)
    return Measured(detail=history.unwritable) if history.unwritable and ago < UNWRITABLE_PAUSE else None


def epoch_behind(c: Case) -> Measured | None:
    """An agent has acted under a higher epoch than ours: the records of coordination were lost, or are older."""
    ours, theirs = c.s.history.epoch, c.s.history.agents_epoch
    return Measured(f"{ours}", f"{theirs}", f"{theirs}, ours is {ours}") if 0 < ours < theirs else None


def not_claimed(c: Case) -> Measured | None:
    """Too few servers can be claimed to be sure that no other manager changes them."""
    reached, needed = len(c.s.others()), c.s.policy.claims_needed(c.s.recorded.name)
    return Measured(counted(reached, "server"), f"{needed}", f"{reached} of {needed}") if reached < needed else None


def fencing_impossible(c: Case) -> Measured | None:
    """Fencing is required, neither agent nor server can be reached to do it, and people have no means of their own."""
    if c.s.policy.failover.fencing != "required" or c.s.snapshot.facts(c.s.recorded.name) is not None:
        return None
    if c.s.policy.hooks.count(Point.FENCE):
        return None
    return None if c.s.primary is not None else Measured("no route", "an agent or a session", c.s.missed.text)


def errant_candidate(c: Case) -> Measured | None:
    """The only candidates have transactions that nobody else knows: promoting one would spread them."""
    only = c.ranking.stopped_only_by("errant") if not c.ranking.elect else ()
    counts = dict(c.ranking.errant)
    found = [f"{name} has {counts[name].shorten()}" for name in only if name in counts]
    return Measured(counted(len(found), "server"), "0", "; ".join(found)) if found else None


def other_channels(c: Case) -> Measured | None:
    """The only candidates replicate from elsewhere too: as primary they would mix two histories."""
    only = c.ranking.stopped_only_by("other-channels") if not c.ranking.elect else ()
    return Measured(detail=", ".join(only)) if only else None


def no_candidate(c: Case) -> Measured | None:
    """Nobody is left who may be promoted."""
    if c.ranking.elect or c.ranking.stopped_only_by("errant") or c.ranking.stopped_only_by("other-channels"):
        return None
    return Measured("0", "1", "; ".join(f"{name}: {why}" for name, why in c.ranking.why_not))


def recovery_incomplete(c: Case) -> Measured | None:
    """A surviving disk holds more, and it could not be read: going on would throw it away.

    A number that somebody has accepted covers what is known to be missing, never the disk of a host that answers.
    """
    unread, allowed = [h for h in c.s.snapshot.holdings if h.problem], _allowed(c.s)
    if allowed is None:
        return None
    sure = [h for h in unread if h.server == c.s.recorded.name and c.s.snapshot.facts(h.server) is not None]
    found = sure or (unread if len(c.ranking.missing) > allowed and c.ranking.elect else [])
    if not found:
        return None
    return Measured(detail="; ".join(f"{h.kind} logs of {h.server}: {h.problem}" for h in found))


def missing_transactions(c: Case) -> Measured | None:
    """More known transactions would be given up than anybody has accepted."""
    allowed, count = _allowed(c.s), len(c.ranking.missing)
    if allowed is None or count <= allowed or not c.ranking.elect:
        return None
    return Measured(counted(count, "transaction"), f"{allowed}", f"{count}: {c.ranking.missing.shorten()}")


def acks_unaccounted(c: Case) -> Measured | None:
    """A commit may have been acknowledged by servers that nobody counts: it would be lost without anybody knowing.

    Counting is not needed where the old primary's own logs were read to their end behind its fence, or where it answers
    and is closed itself: they hold every commit.
    """
    if not c.s.lossless or c.s.primary is not None or _logs_read(c.s):
        return None
    ackers = possible(c.s.policy, c.s.recorded)
    present = {state.name for state in c.s.others()} & ackers
    needed = len(ackers) - c.s.policy.semi_sync.wait_count + 1
    if len(present) >= needed:
        return None
    absent = ", ".join(sorted(ackers - present))
    return Measured(
        counted(len(present), "server"), f"{needed}", f"{len(present)} of {len(ackers)} counted, not {absent}"
    )


def _logs_read(s: Situation) -> bool:
    """Whether its logs were read to their end, or before anybody has asked, whether there is an agent to read them."""
    own = (h for h in s.snapshot.holdings if h.server == s.recorded.name and not h.kept)
    found = [h for h in own if h.kind is LogKind.BINARY]
    if not found:
        return s.snapshot.facts(s.recorded.name) is not None
    return any(h.complete and not h.problem for h in found)


def no_ackers(c: Case) -> Measured | None:
    """Nobody would acknowledge to whoever is opened: its commits would wait, or be lost with it.

    A failover leaves replicas with errant transactions alone, so they acknowledge to nobody afterwards.
    """
    policy, primary = c.s.policy, c.s.primary
    if not policy.lossless or policy.semi_sync.on_no_ackers == "degrade":
        return None
    if c.kind is Kind.FAILOVER or primary is None:
        apart = frozenset({c.ranking.elect, c.s.recorded.name, *dict(c.ranking.errant)})
        found = len(able_ones(c.s.snapshot, policy, apart))
    else:
        found = staying(c.s.snapshot, policy, primary).count
    wanted = policy.semi_sync.wait_count
    return Measured(counted(found, "server"), f"{wanted}", f"{found} of {wanted}") if found < wanted else None


def _allowed(s: Situation) -> int | None:
    if s.request is not None and s.request.accept_loss is not None:
        return s.request.accept_loss
    return s.policy.failover.max_loss


def site_guard(c: Case) -> Measured | None:
    """Many clusters fail at once: that is a site or a network, and moving all of them may be the wrong answer."""
    since, guard = c.s.history.failing_since, c.s.policy.site_guard
    if since is None or not automatic(c.s):
        return None
    others = [name for name, at in c.s.history.others_failing if abs(at - since) <= guard.within]
    count = len(others) + 1
    if count <= guard.clusters:
        return None
    return Measured(
        counted(count, "cluster"),
        f"{guard.clusters}",
        f"{count} within {guard.within:g} s, also {', '.join(others)}",
    )


def said(question: Callable[[Situation], str]) -> Callable[[Case], Measured | None]:
    """A measure out of a question that answers with a sentence, or with nothing."""

    def measure(c: Case) -> Measured | None:
        found = question(c.s)
        return Measured(detail=found) if found else None

    return measure


def rejoin_off(c: Case) -> Measured | None:
    """The configuration leaves it to people."""
    return Measured() if automatic(c.s) and c.s.policy.rejoin == "off" else None
