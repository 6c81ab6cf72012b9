"""What a drill happens on, and who watches over it, as the runner needs them: a lab, or a real cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from failoverd.model.rehearsed import Cast, Document, Ran, Rows, Sight, Taken
from failoverd.model.runbook import FaultStep, Need


class Probe(Protocol):
    """The client that writes numbered rows and keeps its own list of what was acknowledged."""

    def start(self) -> None:
        """Begin to write; the table is made before."""

    def stop(self) -> None:
        """Write no more; returns when the row in hand is answered."""

    def taken(self) -> Taken:
        """Everything so far."""


class Ground(Protocol):
    """A cluster that can be broken and looked at. Every method but `look` raises FailoverdError."""

    @property
    def name(self) -> str:
        """`lab`, or the cluster's name."""

    def open(self) -> Cast:
        """Make it ready and watched; who has which role."""

    def slowness(self) -> float:
        """How many times longer than alone everything takes here, known after `open`; 1.0 where that is no excuse."""

    def lacks(self, need: Need) -> str:
        """Why a need is not met; empty where it is."""

    def probe(self) -> Probe:
        """The client, not yet started."""

    def look(self) -> Sight:
        """How things stand now, asked of the servers themselves."""

    def fault(self, step: FaultStep, names: tuple[str, ...], peers: tuple[str, ...]) -> str:
        """Break something at these, or take it back; what was done, in words."""

    def command(self, words: tuple[str, ...], seconds: float) -> Ran:
        """Run a failoverd command to its end."""

    def hook(self, program: str, around: Mapping[str, str], seconds: float) -> Ran:
        """Run a program of people's own to its end."""

    def caught_up(self) -> bool:
        """Whether every replica that answers holds all that the one writable server holds."""

    def operations(self) -> tuple[Document, ...]:
        """The operations that were begun since `open`, with their steps."""

    def rows(self, server: str) -> Rows:
        """The client's list against what that server holds; the client has stopped."""

    def facts(self) -> Mapping[str, str]:
        """Versions and settings that belong into the report."""

    def settings(self) -> Mapping[str, str]:
        """The settings that the cluster is handled by."""

    def close(self) -> tuple[str, ...]:
        """Take everything back that is still broken; what could not be, in words. Never raises, may be called again."""


class Voice(Protocol):
    """The person before the terminal."""

    def say(self, text: str) -> None:
        """A line of progress."""

    def agrees(self, question: str) -> bool:
        """Whether the person says yes."""

    def stops(self) -> str:
        """Why the drill must end now; empty while nobody says so."""
