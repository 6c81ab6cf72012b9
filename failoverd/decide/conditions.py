"""What the rules ask of a situation, one function each: a detail for the sentence, or None where it does not hold."""

from __future__ import annotations

from failoverd.decide.reopening import obstacle, restarted
from failoverd.decide.situation import SHUT_DOOR, Situation
from failoverd.decide.testimony import Word
from failoverd.model.counted import counted
from failoverd.model.sight import ServerState, Unreachable, Waits, Why

# An open session can still commit for about three seconds after the port began to refuse; without an agent's word
# nobody knows whether one does.
REFUSED_WAIT = 5.0
# The server's own word for having no connection left, to one that speaks its protocol.
TOO_MANY_CONNECTIONS = 1040


def two_writable(s: Situation) -> str | None:
    """Two servers that take writes."""
    found = s.snapshot.writable()
    return " and ".join(w.name for w in found) if len(found) > 1 else None


def login_refused(s: Situation) -> str | None:
    """Every server lives and refuses our password: the fault is ours."""
    sights = s.snapshot.sights.values()
    denied = all(isinstance(one, Unreachable) and one.why is Why.ACCESS_DENIED for one in sights)
    return "" if sights and denied else None


def first_primary(s: Situation) -> str | None:
    """Nothing recorded, one writable server, and everybody else follows it."""
    return "" if s.history.recorded is None and not unclear(s) else None


def unclear(s: Situation) -> str:
    """What keeps a cluster without a record from having an obvious primary; empty when nothing does."""
    writable = s.snapshot.writable()
    if not writable:
        return "no server takes writes"
    wanted = [spec.name for spec in s.policy.servers if not spec.maintenance]
    unread = [name for name in wanted if s.snapshot.state(name) is None]
    if unread:
        return f"{', '.join(unread)} cannot be read"
    astray = [name for name in wanted if name not in s.below(writable[0])]
    return f"nothing leads from {', '.join(astray)} to {writable[0].name}" if astray else ""


def records_unread(s: Situation) -> str | None:
    """The records cannot be read, and no server is the primary for all to see."""
    return f"({s.history.unread}), and {unclear(s)}" if s.history.unread and unclear(s) else None


def nothing_recorded(s: Situation) -> str | None:
    """Nothing recorded, and no obvious primary."""
    return unclear(s) if s.history.recorded is None else None


def unlisted(s: Situation) -> str | None:
    """The recorded primary is no member any more."""
    return "" if s.recorded.name not in s.snapshot.sights else None


def other_identity(s: Situation) -> str | None:
    """Another server answers where the primary should be."""
    if s.primary is None or s.primary.server_uuid == s.recorded.server_uuid:
        return None
    return f"{s.primary.server_uuid} in place of {s.recorded.server_uuid}"


def other_writable(s: Situation) -> str | None:
    """Another server than the recorded one takes writes, and no record says so."""
    found = [w.name for w in s.snapshot.writable() if w.name != s.recorded.name]
    return found[0] if found else None


def answers_writable(s: Situation) -> str | None:
    """The recorded primary takes writes."""
    return "" if s.primary is not None and s.primary.writable else None


def may_reopen(s: Situation) -> str | None:
    """Read-only after a restart, and nobody holds more than it."""
    return "" if restarted(s) and not obstacle(s) else None


def must_not_reopen(s: Situation) -> str | None:
    """Read-only after a restart, and opening it could re-issue transactions."""
    return obstacle(s) if restarted(s) else None


def answers_closed(s: Situation) -> str | None:
    """Read-only since no restart: a person did that."""
    return None if s.primary is None else _closed_by(s.primary)


def _closed_by(state: ServerState) -> str:
    if state.super_read_only:
        return "super_read_only"
    return "read_only" if state.read_only else "offline_mode"


def spoke(s: Situation) -> str | None:
    """An error that only a living server sends."""
    return s.missed.text if s.missed.why in {Why.ALIVE, Why.ACCESS_DENIED} else None


def leaving(s: Situation) -> str | None:
    """An orderly stop whose restart may still come."""
    if not s.orderly() or s.elapsed >= s.policy.detection.shutdown_grace:
        return None
    return f"{s.elapsed:.1f} s of {s.policy.detection.shutdown_grace:g} s"


def within_grace(s: Situation) -> str | None:
    """Crash grace has not passed: the restart of a crashed server may be quicker than a failover."""
    grace = s.policy.detection.crash_grace
    return f"{s.elapsed:.1f} s of {grace:g} s" if s.elapsed < grace else None


def gone(s: Situation) -> str | None:
    """No process is left, and a second route agrees."""
    return s.agreeing()[0] if s.gone() else None


def process_without_port(s: Situation) -> str | None:
    """The process lives while the port refuses: it is ending or starting."""
    living = s.facts is not None and s.facts.alive and s.missed.why in SHUT_DOOR
    return "" if living and s.elapsed < s.policy.detection.shutdown_grace else None


def own_side(s: Situation) -> str | None:
    """The fault was on our side: no evidence about the primary, and no time from which a grace could be counted."""
    return s.missed.text if s.missed.why in {Why.OWN_SIDE, Why.NOT_ASKED} else None


def few_misses(s: Situation) -> str | None:
    """Silence that is too short to mean anything."""
    needed = s.policy.detection.misses
    return f"{s.history.misses} of {needed}" if s.history.misses < needed else None


def vetoed(s: Situation) -> str | None:
    """Somebody else still hears the primary."""
    alive = s.said(Word.ALIVE)
    return alive[0].sentence if alive else None


def nobody_else(s: Situation) -> str | None:
    """No second route says anything."""
    return None if s.said(Word.SILENT) else ""


def refused_lately(s: Situation) -> str | None:
    """A refused port and no agent's word: open sessions may still commit."""
    if s.facts is not None or s.history.refused_since is None:
        return None
    waited = s.since(s.history.refused_since)
    return f"{waited:.1f} s of {REFUSED_WAIT:g} s" if waited < REFUSED_WAIT else None


def frozen(s: Situation) -> str | None:
    """Silent everywhere, and something lives there."""
    return s.said(Word.SILENT)[0].sentence if s.hung() and s.said(Word.SILENT) else None


def silent(s: Situation) -> str | None:
    """Silent everywhere."""
    found = s.said(Word.SILENT)
    return found[0].sentence if found else None


def went_back(s: Situation) -> str | None:
    """The recorded primary lacks what it was seen to have: a restored copy, or a crash that took acknowledged writes.

    It would give the same numbers to other transactions, which its replicas then skip.
    """
    if s.primary is None:
        return None
    lacking = s.history.last_executed - s.primary.executed
    return f"{len(lacking)}: {lacking.shorten()}" if lacking else None


def full_up(s: Situation) -> str | None:
    """All connections are taken."""
    return s.missed.text if s.missed.code == TOO_MANY_CONNECTIONS else None


def back_from_crashes(s: Situation) -> str | None:
    """It is up again and closed, after one crash too many: the next one is near."""
    return _crashes(s) if restarted(s) else None


def crashed_again(s: Situation) -> str | None:
    """It is down, after one crash too many: its restart is not worth waiting for."""
    return _crashes(s) if s.gone() and not s.orderly() else None


def _crashes(s: Situation) -> str | None:
    loop = s.policy.detection.crash_loop
    count = sum(1 for at in s.history.crashes if s.now - at <= loop.within)
    return f"{counted(count, 'time')} in {loop.within:g} s" if count >= loop.restarts else None


def disk_read_only(s: Situation) -> str | None:
    """Its agent finds the file system read-only."""
    return _disk(s, "read-only")


def disk_full(s: Situation) -> str | None:
    """Its agent finds no room on the file system."""
    return _disk(s, "full")


def _disk(s: Situation, what: str) -> str | None:
    trouble = s.history.disk
    if s.primary is None or trouble is None or trouble.what != what or not trouble.confirmed:
        return None
    return f"for {s.since(trouble.since):.0f} s"


def writes_hang(s: Situation) -> str | None:
    """Sessions wait for what the server itself must give, and nothing has been committed for long."""
    waits = _waits(s)
    return _stood_still(s, str(waits)) if waits is not None and waits.stuck else None


def nobody_acknowledges(s: Situation) -> str | None:
    """Commits wait for replicas: another primary would wait for the same ones."""
    waits = _waits(s)
    return _stood_still(s, str(waits)) if waits is not None and waits.acknowledgement else None


def write_hangs(s: Situation) -> str | None:
    """The write probe does not come to its end, and nobody else's writes do. One that waits for an acknowledgement
    shows among the sessions: that is the replicas' part.
    """
    waits, unwritten, still = _waits(s), s.history.unwritten, s.history.still_since
    if waits is None or waits.acknowledgement or unwritten is None or unwritten.ours or still is None:
        return None
    stood = min(s.since(unwritten.since), s.since(still))
    return f"{unwritten}, for {stood:.0f} s" if stood >= s.policy.detection.hung_after else None


def _waits(s: Situation) -> Waits | None:
    return s.primary.waits if s.primary is not None and s.primary.writable else None


def _stood_still(s: Situation, who: str) -> str | None:
    stood = s.since(s.history.stuck_since)
    return f"{who}, for {stood:.0f} s" if stood >= s.policy.detection.hung_after else None
