"""Before a planned change of the primary: who takes over, and what stands against it, as a table.

Nobody overrides a row here: nothing is urgent about a switchover, and each row names what to mend first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.decide.candidate import rank
from failoverd.decide.measures import Case, Measured, epoch_behind, operation_open
from failoverd.decide.situation import Situation
from failoverd.model.ackers import able_ones
from failoverd.model.counted import counted
from failoverd.model.policy import Promote, ServerSpec
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState, Thread
from failoverd.model.verdict import Refusal


@dataclass(frozen=True, slots=True)
class Row:
    """One reason against it; its sentence may name {primary} and the measure's {detail}."""

    id: str
    sentence: str
    measure: Callable[[Case], Measured | None]


def elect_of(c: Case) -> ServerState | None:
    """The state of whoever would take over."""
    return c.s.snapshot.state(c.ranking.elect) if c.ranking.elect else None


def primary_silent(c: Case) -> Measured | None:
    """A primary that does not answer can neither be closed nor followed to its end."""
    return Measured(detail=c.s.missed.text) if c.s.primary is None else None


def nobody_recorded(c: Case) -> Measured | None:
    """Nobody knows yet who the primary is."""
    return None if c.s.recorded.name else Measured()


def primary_closed(c: Case) -> Measured | None:
    """Somebody closed it, or it has just started: what is wrong with it comes first."""
    return Measured() if c.s.primary is not None and not c.s.primary.writable else None


def two_writable(c: Case) -> Measured | None:
    """Beside a second writer every set is a moving one."""
    others = [s.name for s in c.s.snapshot.writable() if s.name != c.s.recorded.name]
    return Measured(detail=", ".join(others)) if others else None


def already_primary(c: Case) -> Measured | None:
    """There is nothing to change."""
    wanted = c.s.request.to if c.s.request is not None else ""
    return Measured(detail=wanted) if wanted and wanted == c.s.recorded.name else None


def no_candidate(c: Case) -> Measured | None:
    """Nobody may take over."""
    if c.ranking.elect or already_primary(c) or not c.s.recorded.name:
        return None
    return Measured("0", "1", "; ".join(f"{name}: {why}" for name, why in c.ranking.why_not))


def not_following(c: Case) -> Measured | None:
    """Who does not get what the primary commits never catches up."""
    elect, primary = elect_of(c), c.s.primary
    if elect is None or primary is None:
        return None
    main = elect.main
    if main is None or not c.s.follows(elect, primary):
        return Measured(detail=f"{elect.name} follows {c.s.source_of(elect) or 'nobody'}")
    if main.receiver is not Thread.YES:
        return Measured(detail=f"the receiver of {elect.name} is not connected ({main.receiver})")
    if not elect.applies:
        return Measured(detail=f"the applier of {elect.name} does not run")
    return None


def purged_logs(c: Case) -> Measured | None:
    """A replica that the candidate cannot serve would be lost to the cluster."""
    elect = elect_of(c)
    if elect is None:
        return None
    lacking = [s.name for s in c.s.others() if s.name != elect.name and not elect.purged <= s.executed]
    return Measured(detail=f"{elect.name} has purged what {', '.join(lacking)} lacks") if lacking else None


def no_ackers(c: Case) -> Measured | None:
    """In lossless mode the new primary needs acknowledgers; the old one is among them."""
    policy, elect = c.s.policy, c.ranking.elect
    if not policy.lossless or policy.semi_sync.on_no_ackers == "degrade" or not elect:
        return None
    apart, wanted = frozenset({elect, *dict(c.ranking.errant)}), policy.semi_sync.wait_count
    found = len(able_ones(c.s.snapshot, policy, apart))
    return Measured(counted(found, "server"), f"{wanted}", f"{found} of {wanted}") if found < wanted else None


SWITCHING: tuple[Row, ...] = (
    Row("not-recorded", "nobody knows yet who the primary is: failoverd run finds out", nobody_recorded),
    Row("primary-dead", "{primary} does not answer: use failover ({detail})", primary_silent),
    Row("primary-closed", "{primary} takes no writes itself", primary_closed),
    Row("two-writable", "{detail} takes writes beside {primary}", two_writable),
    Row("operation-open", "operation {detail} has not ended", operation_open),
    Row("epoch-behind", "agents remember epoch {detail}: failoverd init --adopt", epoch_behind),
    Row("already-primary", "{detail} is the primary", already_primary),
    Row("no-candidate", "no server can take over: {detail}", no_candidate),
    Row("not-following", "the candidate does not follow {primary}: {detail}", not_following),
    Row("purged-logs", "a replica would be left behind: {detail}", purged_logs),
    Row("no-ackers", "too few servers are left that can acknowledge: {detail}", no_ackers),
)


def switching(s: Situation, rows: tuple[Row, ...] = SWITCHING) -> tuple[Ranking, tuple[Refusal, ...]]:
    """Who takes over, and every reason against it."""
    ranking = choose(s)
    case = Case(s, ranking)
    primary = s.recorded.name or "the primary"
    found = ((row, row.measure(case)) for row in rows)
    return ranking, tuple(
        Refusal(row.id, row.sentence.format(primary=primary, detail=m.detail), m.value, m.limit)
        for row, m in found
        if m is not None
    )


def choose(s: Situation) -> Ranking:
    """The wanted server, else the one that people prefer: whoever takes over will have everything anyway."""
    wanted = s.request.to if s.request is not None else ""
    if wanted == s.recorded.name:
        wanted = ""
    ranking = rank(s.snapshot, s.history, s.policy, wanted)
    if wanted or not ranking.elect:
        return ranking
    stopped = {name for name, _ in ranking.obstacles}
    able = [spec for spec in s.policy.servers if spec.name not in stopped | {s.recorded.name}]
    return rank(s.snapshot, s.history, s.policy, min(able, key=lambda spec: liking(s, spec)).name)


def liking(s: Situation, spec: ServerSpec) -> tuple[bool, bool, bool, bool, int]:
    """How much a server is wanted, the smaller the more: avoided ones last, then those that cannot follow now."""
    site = next((other.site for other in s.policy.servers if other.name == s.recorded.name), "")
    state, primary = s.snapshot.state(spec.name), s.primary
    follows = state is not None and primary is not None and s.follows(state, primary) and state.applies
    return (
        spec.promote is Promote.AVOID,
        not follows,
        spec.promote is not Promote.PREFER,
        spec.site != site,
        s.policy.servers.index(spec),
    )
