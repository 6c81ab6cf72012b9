"""FREEZE of a switchover: wait for a good moment, close the old primary within the budget, let the elect catch up.

Before the promote-intent every wait is bounded by the freeze budget; whoever runs out of it fails, and all is undone.
"""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.execute.load import too_busy
from failoverd.execute.pace import Pace
from failoverd.model.counted import counted
from failoverd.model.errors import ServerError, StepFailed, TimedOut
from failoverd.model.plans import Verb
from failoverd.model.sight import Thread
from failoverd.model.steps import CatchUp, CloseWrites, GetReady, KeepOut, LetIn
from failoverd.model.work import Work
from failoverd.ports import ClaimedServer

# A good moment is given up after this (seconds); the plan's own limit is longer.
PATIENCE = 600.0
# So often it is told meanwhile that this manager is there (seconds): who answers for it must not seem to be gone.
ATTENDING = 1.0
# One wait for the candidate while nothing is frozen, and the rest between two (seconds).
SLICE = 0.5
REST = 0.1
# The candidate is right behind when it executes what the primary has within this share of the freeze budget.
NEAR = 0.25
# Two looks this far apart tell old work from what a busy primary always has going on: the server lists its open
# transactions anew only when nobody has asked for 0.1 s.
APART = 0.15
# What a person says who wants it taken back.
GIVING_UP = frozenset({Verb.UNDO, Verb.ABORT})
# No limit is shorter than that (seconds).
LEAST = 0.001
# So long may people's own SELECTs take to warm the candidate, all of them together (seconds).
WARMING = 120.0
# Past the point of no return nobody counts seconds any more.
UNHURRIED = 10.0


def get_ready(step: GetReady, hands: Hands) -> str:
    """Wait until the candidate is right behind and the primary is calm; nothing is frozen meanwhile."""
    elect, old = hands.claimed(step.server), hands.claimed(step.source)
    clock, told, pace = hands.clock, "", Pace(hands.clock)
    warm_up(elect, hands)
    end, attended = clock.now() + PATIENCE, clock.now()
    while True:
        hands.lease.check()
        heed(hands)
        why, took = not_ready(elect, old, hands, pace)
        wanted = hands.conduct.wishes.waited_for()
        if not why and not wanted:
            return f"{step.server} was {took:.3f} s behind"
        why = f"{wanted} is waited for" if wanted else why
        if why != told:
            hands.tell(f"waiting: {why}")
            hands.conduct.wait(why)
        told = why
        if wanted:  # people may take their time
            end = clock.now() + PATIENCE
        if clock.now() - attended > ATTENDING:
            hands.conduct.attend()
            attended = clock.now()
        if clock.now() > end:
            raise StepFailed(f"no good moment came within {PATIENCE:g} s", why)
        clock.sleep(REST)


def warm_up(elect: ClaimedServer, hands: Hands) -> None:
    """Let the candidate read what people want in its memory before clients come. What fails there is told, no more."""
    end = hands.clock.now() + WARMING
    for query in hands.policy.switchover.preheat:
        heed(hands)
        hands.conduct.wait(f"{elect.name} is warmed: {query}")
        begun = hands.clock.now()
        try:
            elect.asked(query, max(end - begun, LEAST))
            hands.tell(f"warmed in {hands.clock.now() - begun:.3f} s: {query}")
        except (ServerError, StepFailed) as error:
            if isinstance(error, ServerError) and not error.code:
                raise
            hands.tell(f"not warmed: {query}: {error}")
        hands.conduct.attend()


def heed(hands: Hands) -> None:
    """Give up where a person wants this operation taken back: nothing is frozen yet. Who asked is told at its end."""
    hands.conduct.heed()
    for _, request in hands.coordination.requests(hands.cluster):
        if request.verb in GIVING_UP and request.operation == hands.operation.id:
            hands.given_up_for = f"{request.by.user} on {request.by.host} wants it taken back"
            raise StepFailed("given up", hands.given_up_for)


def not_ready(elect: ClaimedServer, old: ClaimedServer, hands: Hands, pace: Pace) -> tuple[str, float]:
    """Why now is no good moment, empty where it is one; and how long the candidate took to get level."""
    policy, clock = hands.conduct.limits, hands.clock
    busy = too_busy(old, policy, hands)
    if busy:
        return busy, 0.0
    prepared = old.prepared()
    if prepared:
        return (
            f"{counted(len(prepared), 'XA transaction is prepared', 'XA transactions are prepared')} on {old.name}",
            0.0,
        )
    main = elect.read().main
    if main is not None and main.applier is Thread.NO:
        hands.given_up_for = f"the applier of {elect.name} does not run"
        raise StepFailed("given up", f"{hands.given_up_for}: {main.applier_trouble.text or 'somebody stopped it'}")
    lag = (main.lag_seconds if main is not None else None) or 0.0
    if lag > policy.max_lag:
        return f"{elect.name} is {lag:g} s behind, the limit is {policy.max_lag:g} s", lag
    near = policy.freeze_budget * NEAR
    begun, wanted = clock.now(), old.read().executed
    level = elect.wait_executed(wanted, SLICE)
    took = clock.now() - begun
    if not level or took > near:
        executed = elect.read().executed
        left = wanted - executed
        pace.moved(len(executed))
        hands.conduct.measure(len(left), pace)
        return f"{elect.name} is {took:.1f} s or more behind, {counted(len(left), 'transaction')}", took
    return "", took


def close_writes(step: CloseWrites, hands: Hands) -> str:
    """Let long work end first, as the policy says; then close, within the budget, and read what is there for good."""
    claim, clock = hands.claimed(step.server), hands.clock
    deeds: list[str] = []
    if not hands.intended:
        deeds = let_work_end(claim, hands)
        hands.begin_freeze()
    begun = clock.now()
    while not tried(claim, hands):
        deeds += end_all(claim, claim.work(), hands, clock.now() - begun)
        if not hands.intended and hands.left(0.0) < 1.0:  # the server waits in whole seconds only
            named = "; ".join(str(work) for work in claim.work())
            raise StepFailed(f"{step.server} could not be closed", named or "locks are in the way")
    hands.final = claim.final_set()
    return "; ".join((f"closed in {clock.now() - begun:.3f} s", *deeds))


def tried(claim: ClaimedServer, hands: Hands) -> bool:
    """Close it in the time that is left. An answer that does not come ends the attempt: what has become of it is read
    on a new claim, by the undo.
    """
    try:
        return claim.try_close(max(min(hands.left(UNHURRIED), UNHURRIED), LEAST))
    except TimedOut as error:
        raise StepFailed(f"{claim.name} could not be closed in time", str(error)) from error


def let_work_end(claim: ClaimedServer, hands: Hands) -> list[str]:
    """Wait for what was going on when this began; what begins meanwhile is short, or met by the next attempt."""
    policy, clock = hands.conduct.limits, hands.clock
    begun = clock.now()
    before = {work.key for work in claim.work()}
    deeds: list[str] = []
    while before:
        clock.sleep(APART)
        heed(hands)
        left = tuple(work for work in claim.work() if work.key in before)
        waited = clock.now() - begun
        before = {work.key for work in left}
        deeds += end_all(claim, left, hands, waited)
        if before and policy.long_transactions.does == "abort":
            hands.given_up_for = "long transactions: abort"
        if before and (hands.given_up_for or waited > policy.freeze_budget):
            named = "; ".join(str(work) for work in left)
            raise StepFailed(f"{claim.name} is busy for {waited:.1f} s, nothing was frozen", named)
    return deeds


def end_all(claim: ClaimedServer, found: tuple[Work, ...], hands: Hands, waited: float) -> list[str]:
    """End the sessions of long work where the policy says so and its time is over."""
    policy = hands.policy.switchover.long_transactions
    if policy.does != "kill-after" or waited < policy.after:
        return []
    return [f"ended {work}" for work in found if claim.end_work(work)]


def catch_up(step: CatchUp, hands: Hands) -> str:
    """The elect executes what the closed primary holds."""
    claim, begun = hands.claimed(step.server), hands.clock.now()
    if not claim.wait_executed(hands.final, max(hands.left(UNHURRIED), LEAST)):
        left = hands.final - claim.read().executed
        raise StepFailed(
            f"{step.server} did not catch up in time",
            counted(len(left), "transaction is left", "transactions are left"),
        )
    return f"level in {hands.clock.now() - begun:.3f} s"


def keep_out(step: KeepOut, hands: Hands) -> str:
    """Nobody can commit there any more by what was begun before; if anybody just did, the elect lacks it."""
    claim = hands.claimed(step.server)
    ended = claim.keep_out()
    late = claim.final_set() - hands.final
    if late:
        raise StepFailed(
            f"{step.server} has executed {counted(len(late), 'transaction')} after it was closed", late.shorten()
        )
    return f"offline, {counted(ended, 'session')} ended"


def let_in(step: LetIn, hands: Hands) -> str:
    """Clients may come back: to a replica, or to the primary that it is again."""
    claim = hands.claimed(step.server)
    if hands.intended and claim.read().main is None:
        raise StepFailed(f"{step.server} follows nobody yet", "", "it stays offline until it is a replica")
    claim.let_in()
    return "clients may connect"
