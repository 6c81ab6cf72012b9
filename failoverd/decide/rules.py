"""The rule table: the first row whose condition holds is the verdict. docs/verdicts.md is made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.decide import conditions as c
from failoverd.decide.rejoining import returned_writable
from failoverd.decide.situation import Situation
from failoverd.model.verdict import Advice, VerdictName

Condition = Callable[[Situation], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row; its sentence may name {primary} and the condition's {detail}, `hint` is what a person does about it.

    A row that `yields` lets the rows below decide where something stands against its act: for it, doing nothing would
    be worse than what they do.
    """

    id: str
    verdict: VerdictName
    advice: Advice
    sentence: str
    when: Condition
    hint: str
    yields: bool = False


_V, _A = VerdictName, Advice
CLOSE_ALL_BUT_ONE = "close all but one with super_read_only; judge what the others took before they follow it again"
_MOVED = "let one server take writes and all others follow it; only a person knows which"
_NONE = "nothing"
_FAILED = "look at the report of the failover, and at the old primary before it comes back"

RULES: tuple[Rule, ...] = (
    Rule(
        "returned-writable",
        _V.INCONSISTENT,
        _A.REJOIN,
        "{detail} came back and takes writes beside {primary}",
        returned_writable,
        "nothing: it is closed at once; what it took meanwhile is judged before it is attached",
    ),
    Rule(
        "two-writable",
        _V.INCONSISTENT,
        _A.ALERT,
        "{detail} take writes at the same time",
        c.two_writable,
        CLOSE_ALL_BUT_ONE,
    ),
    Rule(
        "login-refused",
        _V.BLIND,
        _A.ALERT,
        "every server refuses our login: access denied",
        c.login_refused,
        "mend mysql.user or its password; failoverd check --grants prints what the account needs",
    ),
    Rule(
        "first-primary",
        _V.HEALTHY,
        _A.RECORD,
        "{primary} takes writes and all others follow it",
        c.first_primary,
        _NONE,
    ),
    Rule(
        "records-unread",
        _V.BLIND,
        _A.ALERT,
        "the record of the primary cannot be read {detail}",
        c.records_unread,
        "mend ZooKeeper, or the way to it; failoverd check says whether it answers",
    ),
    Rule(
        "nothing-recorded",
        _V.INCONSISTENT,
        _A.ALERT,
        "no primary is recorded, and {detail}",
        c.nothing_recorded,
        _MOVED,
    ),
    Rule(
        "unlisted",
        _V.INCONSISTENT,
        _A.ALERT,
        "the recorded primary {primary} is not in the configuration",
        c.unlisted,
        "list it again, or move the primary with failoverd switchover before it is taken out",
    ),
    Rule(
        "other-identity",
        _V.INCONSISTENT,
        _A.ALERT,
        "{primary} is another server now: {detail}",
        c.other_identity,
        "look who listens at its address; a rebuilt server becomes a replica first",
    ),
    Rule(
        "other-writable",
        _V.INCONSISTENT,
        _A.ALERT,
        "{detail} takes writes, recorded is {primary}",
        c.other_writable,
        _MOVED,
    ),
    Rule(
        "went-back",
        _V.INCONSISTENT,
        _A.ALERT,
        "{primary} lacks transactions that it had, {detail}",
        c.went_back,
        "stop its clients: replicas will skip what it commits now; compare it with them before anything else",
    ),
    Rule(
        "disk-read-only",
        _V.PRIMARY_UNFIT,
        _A.FAIL_OVER,
        "the file system of {primary} has been read-only {detail}",
        c.disk_read_only,
        "mend the disk; failover.on.unfit: failover lets another server take over",
    ),
    Rule(
        "disk-full",
        _V.PRIMARY_UNFIT,
        _A.FAIL_OVER,
        "the file system of {primary} has been full {detail}",
        c.disk_full,
        "make room, by PURGE BINARY LOGS too; failover.on.unfit: failover lets another server take over",
    ),
    Rule(
        "writes-hang",
        _V.PRIMARY_HUNG,
        _A.FAIL_OVER,
        "{primary} answers and commits nothing: {detail}",
        c.writes_hang,
        "end the session that holds the lock (a backup?); failover.on.hung: failover lets another server take over",
    ),
    Rule(
        "nobody-acknowledges",
        _V.PRIMARY_HUNG,
        _A.ALERT,
        "{primary} waits for its replicas and commits nothing: {detail}",
        c.nobody_acknowledges,
        "mend the replicas; semi_sync.on_no_ackers: degrade lets commits go on without them",
    ),
    Rule(
        "write-probe",
        _V.PRIMARY_HUNG,
        _A.FAIL_OVER,
        "{primary} answers, and no write comes to its end: {detail}",
        c.write_hangs,
        "look for what its writes wait for, also for a lock on the probe's table",
    ),
    Rule("healthy", _V.HEALTHY, _A.NOTHING, "{primary} answers and takes writes", c.answers_writable, _NONE),
    Rule(
        "crash-loop",
        _V.PRIMARY_DEAD,
        _A.FAIL_OVER,
        "{primary} came back from a crash, as it did before: {detail}",
        c.back_from_crashes,
        "read its error log; detection.crash_loop says how many crashes are too many",
        yields=True,
    ),
    Rule("restarted", _V.PRIMARY_UNFIT, _A.REOPEN, "{primary} is read-only after a restart", c.may_reopen, _NONE),
    Rule(
        "restarted-behind",
        _V.PRIMARY_UNFIT,
        _A.ALERT,
        "{primary} is read-only after a restart and must not be opened: {detail}",
        c.must_not_reopen,
        "bring the server that holds more up: what it has is brought to the primary first, or it takes its place",
    ),
    Rule(
        "closed",
        _V.PRIMARY_UNFIT,
        _A.ALERT,
        "somebody closed {primary} for writes ({detail})",
        c.answers_closed,
        "whoever closed it opens it: SET GLOBAL read_only=OFF, or offline_mode=OFF",
    ),
    Rule(
        "connections-used-up",
        _V.SUSPECT,
        _A.ALERT,
        "{primary} lives and has no connection left: {detail}",
        c.full_up,
        "end sessions or raise max_connections; mysql.admin_port gives us a door of our own",
    ),
    Rule(
        "alive-after-all",
        _V.SUSPECT,
        _A.ALERT,
        "{primary} lives and refuses us: {detail}",
        c.spoke,
        "mend what the error names; until then nobody sees whether it takes writes",
    ),
    Rule(
        "own-side",
        _V.BLIND,
        _A.ALERT,
        "the fault is on our side, not on {primary}: {detail}",
        c.own_side,
        "mend this manager's host: its resolver, its files, its load",
    ),
    Rule(
        "crashed-again",
        _V.PRIMARY_DEAD,
        _A.FAIL_OVER,
        "{primary} has crashed again: {detail}",
        c.crashed_again,
        _FAILED,
        yields=True,
    ),
    Rule(
        "orderly-stop", _V.SUSPECT, _A.LOOK_AGAIN, "{primary} was stopped by order, waiting {detail}", c.leaving, _NONE
    ),
    Rule("crash-grace", _V.SUSPECT, _A.LOOK_AGAIN, "{primary} is missed, waiting {detail}", c.within_grace, _NONE),
    Rule(
        "gone",
        _V.PRIMARY_DEAD,
        _A.FAIL_OVER,
        "no mysqld is left on the host of {primary}, and {detail}",
        c.gone,
        _FAILED,
    ),
    Rule(
        "process-without-port",
        _V.SUSPECT,
        _A.LOOK_AGAIN,
        "the mysqld of {primary} lives and its port refuses: it is ending or starting",
        c.process_without_port,
        _NONE,
    ),
    Rule(
        "few-misses",
        _V.SUSPECT,
        _A.LOOK_AGAIN,
        "{primary} did not answer, {detail} times in a row",
        c.few_misses,
        _NONE,
    ),
    Rule(
        "vetoed",
        _V.SUSPECT,
        _A.ALERT,
        "{primary} does not answer us, but {detail}",
        c.vetoed,
        "mend the way from this manager to it; it serves others",
    ),
    Rule(
        "no-second-route",
        _V.BLIND,
        _A.ALERT,
        "{primary} does not answer, and nobody else can tell why",
        c.nobody_else,
        "look from another host; failoverd failover --override blind is a person's word that it is gone",
    ),
    Rule(
        "refused-lately",
        _V.SUSPECT,
        _A.LOOK_AGAIN,
        "{primary} refuses connections, its open sessions may still commit, waiting {detail}",
        c.refused_lately,
        "install its agent: its word spares the wait",
    ),
    Rule("frozen", _V.PRIMARY_FROZEN, _A.FAIL_OVER, "{primary} lives and answers nobody: {detail}", c.frozen, _FAILED),
    Rule("silent", _V.PRIMARY_DEAD, _A.FAIL_OVER, "{primary} answers nobody: {detail}", c.silent, _FAILED),
)
