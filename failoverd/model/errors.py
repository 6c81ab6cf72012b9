"""Every error that failoverd raises on purpose.

FailoverdError(what, detail, hint)
├── ConfigError          the configuration or the command line is wrong; nothing was touched
├── ServerError          a mysqld: `code` is its error number, 0 where the server said nothing
│   ├── ConnectFailed    no session could be had; `why` says what that means
│   ├── HeldElsewhere    another manager has its session lock, and nobody may take it away
│   └── TimedOut         no answer within the deadline: the outcome of the statement is unknown
├── AgentError           an agent: missing, of another version, or it refused; `code` is its word
├── CoordinationError    the lock, the epoch or the journal
│   ├── LockLost         this manager may change nothing any more
│   └── LockRefused      the lock could be had, and the records forbid to take it: a person is needed
├── FencedOut            somebody with a higher epoch has the server; never retried
├── PlanRefused          a table row forbids the operation; carries the refusals
├── StepFailed           a step of a plan could not be done
│   └── RecoveryIncomplete  transactions could not be brought or executed in time; carries them
└── InvariantBroken      the world contradicts what must always hold; never retried
"""

from __future__ import annotations

from failoverd.gtid import GtidSet
from failoverd.model.sight import Why
from failoverd.model.verdict import Refusal


class FailoverdError(Exception):
    """An error for people: what happened, where or why, and what to do about it."""

    def __init__(self, what: str, detail: str = "", hint: str = "") -> None:
        super().__init__(what, detail, hint)
        self.what = what
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.what}: {self.detail}" if self.detail else self.what
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(FailoverdError):
    """The configuration or the command line is wrong; nothing was touched (exit code 2)."""


class ServerError(FailoverdError):
    """A mysqld refused a statement; `code` is its error number or 0."""

    def __init__(self, what: str, detail: str = "", hint: str = "", *, code: int = 0) -> None:
        super().__init__(what, detail, hint)
        self.code = code


class ConnectFailed(ServerError):
    """No session could be had; `why` is what the failure says about the server."""

    def __init__(self, what: str, detail: str = "", *, why: Why, code: int = 0) -> None:
        super().__init__(what, detail, code=code)
        self.why = why


class HeldElsewhere(ServerError):
    """Another manager has the session lock, and nothing proves that it has been replaced: it is not taken away."""


class TimedOut(ServerError):
    """No answer within the deadline: whether the statement took effect is unknown until it is read back."""


class AgentError(FailoverdError):
    """An agent is missing, of another version, or refused; `code` is its word (`STALE_EPOCH`, `UNREACHABLE`, ...)."""

    def __init__(self, what: str, detail: str = "", hint: str = "", *, code: str = "UNREACHABLE") -> None:
        super().__init__(what, detail, hint)
        self.code = code


class BalancerError(FailoverdError):
    """A HAProxy could not be asked, or refused."""


class HookError(FailoverdError):
    """Hooks are not run where others could have put them."""


class CoordinationError(FailoverdError):
    """The lock, the epoch or the journal could not be reached or contradicts us."""


class LockLost(CoordinationError):
    """The lease has ended, for good: this manager starts again from the lock before it changes anything."""


class LockRefused(CoordinationError):
    """Our turn for the lock has come, and what is on record forbids to take it: lost, or older than ours.

    Nobody acts until a person has adopted them.
    """


class FencedOut(FailoverdError):
    """A server or an agent knows a higher epoch: we are the stale manager. Never retried."""


class PlanRefused(FailoverdError):
    """One or more rows of the refusal table forbid the operation; nothing was changed."""

    def __init__(self, what: str, refusals: tuple[Refusal, ...], hint: str) -> None:
        super().__init__(what, "; ".join(r.sentence for r in refusals), hint)
        self.refusals = refusals


class StepFailed(FailoverdError):
    """A step of a plan could not be done; what it leaves is read back before anything else."""


class RecoveryIncomplete(StepFailed):
    """Time without progress ran out, or a source failed; `left` are the transactions that are still lacking."""

    def __init__(self, what: str, detail: str, left: GtidSet) -> None:
        super().__init__(what, detail, "recovery-incomplete: mend what is named, or accept the loss by number")
        self.left = left


class InvariantBroken(FailoverdError):
    """The world contradicts what must always hold. Never retried; a person is needed."""
