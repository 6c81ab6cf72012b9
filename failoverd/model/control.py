"""Talking to an operation while it runs: what people want of it, and where it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from failoverd.model.load import Loads
from failoverd.model.plans import Kind
from failoverd.model.policy import SwitchoverPolicy


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people want of a running operation; None and empty where nobody has said anything.

    `held` and `throttled` both keep it from freezing anything, and are ended by different words; `released` is true
    where somebody has said go, whatever else was waited for. `given_up_by` is who wants it taken back. Durations are
    seconds.
    """

    held: bool = False
    released: bool = False
    throttled: bool = False
    given_up_by: str = ""
    candidate: str = ""
    freeze_budget: float | None = None
    max_lag: float | None = None
    max_load: Loads | None = None
    critical_load: Loads | None = None

    def against(self, elect: str) -> str:
        """Why this elect must not be opened; empty where nobody wants it otherwise."""
        if self.given_up_by:
            return f"{self.given_up_by} wants it taken back"
        if self.candidate not in {"", elect}:
            return f"{self.candidate} is wanted instead"
        return ""

    def waited_for(self) -> str:
        """Which word it waits for before anything is frozen; empty where it waits for none."""
        if self.held:
            return "go (held)"
        return "no-throttle (throttled)" if self.throttled else ""

    def within(self, policy: SwitchoverPolicy) -> SwitchoverPolicy:
        """The limits of the configuration with those in their place that people have set since."""
        return replace(
            policy,
            freeze_budget=policy.freeze_budget if self.freeze_budget is None else self.freeze_budget,
            max_lag=policy.max_lag if self.max_lag is None else self.max_lag,
            max_load=policy.max_load if self.max_load is None else self.max_load,
            critical_load=policy.critical_load if self.critical_load is None else self.critical_load,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an operation stands.

    `plan` is what it does, in lines; `limits` what it was begun with. `doing` is its step in words, `waiting` what it
    waits for. `outstanding` are transactions that the candidate lacks, `rate` how many it executes in a second.
    `frozen_at` is when writes were closed (our clock, seconds), None while they are open. `chosen` is true past the
    point of no return.
    """

    operation: str
    cluster: str
    kind: Kind
    plan: tuple[str, ...]
    elect: str
    servers: tuple[str, ...]
    limits: SwitchoverPolicy
    stage: str = ""
    doing: str = ""
    waiting: str = ""
    outstanding: int | None = None
    rate: float | None = None
    frozen_at: float | None = None
    chosen: bool = False

    def waits(self, why: str) -> Standing:
        """The same, waiting for this."""
        return replace(self, waiting=why)

    @property
    def eta(self) -> float | None:
        """About how long the candidate still needs (seconds); None where that cannot be said."""
        if self.outstanding is None or not self.rate:
            return None
        return self.outstanding / self.rate


class Controls(Protocol):
    """Where people talk to one operation while it runs."""

    def wishes(self) -> Wishes:
        """What they want now."""

    def stands(self, standing: Standing) -> None:
        """Tell them where it stands from now on."""

    def stands_unless(self, standing: Standing, against: Callable[[Wishes], str]) -> str:
        """The same unless their wishes are against it at that very moment: then nothing changes, and the reason is
        returned.
        """

    def close(self) -> None:
        """The operation has ended: nobody talks to it any more."""


class ControlRooms(Protocol):
    """Opens the place for each operation."""

    def open(self, name: str, standing: Standing, wishes: Wishes) -> Controls:
        """Let people of this host talk to it. Never raises: where they cannot, that is said, and the operation runs."""


class Unattended:
    """Controls at which nobody sits."""

    def wishes(self) -> Wishes:
        """None."""
        return Wishes()

    def stands(self, standing: Standing) -> None:
        """Nobody listens."""

    def stands_unless(self, standing: Standing, against: Callable[[Wishes], str]) -> str:
        """Nobody is against it."""
        return ""

    def close(self) -> None:
        """There is nothing to be closed."""
