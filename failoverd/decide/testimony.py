"""What a second route says about the primary: alive, silent, or nothing at all. An abstention never agrees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from failoverd.model.host import ProbeOutcome, ProbeReport, StandbyWord
from failoverd.model.sight import Channel, ServerState, Thread

# A receiver's silence counts after this many of its own heartbeat periods and a little for the way.
SILENT_PERIODS = 2.0
SILENT_EXTRA = 0.2
# Errors of a connecting receiver that say the other side does not answer: 0 has not failed yet, the others are the
# client library's own (no socket, no connection, gone away, lost). Any other number came from a server that speaks, or
# from the replica's own side.
NO_ANSWER = frozenset({0, 2002, 2003, 2006, 2013, 2055})
LIVING = frozenset({ProbeOutcome.OK, ProbeOutcome.ALIVE})


class Word(StrEnum):
    """What a second route says."""

    ALIVE = "alive"
    SILENT = "silent"
    ABSTAINS = "abstains"


@dataclass(frozen=True, slots=True)
class Testimony:
    """One second route: who says what by which route, how old in seconds, and the sentence for people."""

    origin: str
    route: str
    word: Word
    age: float
    sentence: str


def testify(replica: ServerState, primary_uuid: str) -> Testimony:
    """What a replica's receiver says about the primary.

    Only a running receiver whose source is the primary itself testifies; its age is the replica's own clock against the
    last heartbeat or growth; it is silent only after two periods of its own setting and 200 ms.
    """
    channel = replica.main
    age = channel.heartbeat_age if channel is not None and channel.heartbeat_age is not None else 0.0
    word, why = _heard(channel, primary_uuid)
    return Testimony(replica.name, f"receiver of {replica.name}", word, age, f"{replica.name} {why}")


def _heard(channel: Channel | None, primary_uuid: str) -> tuple[Word, str]:
    if channel is None:
        return Word.ABSTAINS, "follows nobody"
    if channel.source_uuid != primary_uuid:
        return Word.ABSTAINS, "follows another server"
    if channel.receiver is Thread.NO:
        return Word.ABSTAINS, "has its receiver stopped"
    if channel.heartbeat_age is None:
        return Word.ABSTAINS, "never had a heartbeat"
    if channel.receiver is Thread.CONNECTING and channel.receiver_trouble.code not in NO_ANSWER:
        return Word.ABSTAINS, f"cannot connect for a reason of its own (error {channel.receiver_trouble.code})"
    patience = patience_with(channel)
    heard = f"last heard from it {channel.heartbeat_age:.1f} s ago"
    if channel.heartbeat_age > patience:
        return Word.SILENT, f"{heard}, more than the {patience:.1f} s that prove silence"
    if channel.receiver is Thread.CONNECTING:
        return Word.ABSTAINS, f"is connecting and {heard}: too little to tell"
    return Word.ALIVE, f"{heard}"


def patience_with(channel: Channel) -> float:
    """After how many seconds a receiver's silence means something."""
    return SILENT_PERIODS * channel.heartbeat_period + SILENT_EXTRA


def proven_at(replicas: Iterable[ServerState], primary_uuid: str) -> float | None:
    """When, by our clock, all receivers that still say alive will have been silent for long enough if they hear nothing
    more; None where none says so.
    """
    due = [
        state.read_at - state.main.heartbeat_age + patience_with(state.main)
        for state in replicas
        if state.main is not None
        and state.main.heartbeat_age is not None
        and _heard(state.main, primary_uuid)[0] is Word.ALIVE
    ]
    return max(due, default=None)


def disconnected(replica: ServerState, primary_uuid: str) -> bool:
    """Whether a receiver of the primary is not connected: too little alone, enough beside an agent's hard word."""
    channel = replica.main
    return channel is not None and channel.source_uuid == primary_uuid and channel.receiver is not Thread.YES


def from_probe(probe: ProbeReport, now: float) -> Testimony:
    """What a complete login from another host says about the primary."""
    word = Word.ALIVE if probe.outcome in LIVING else Word.SILENT
    code = f" (error {probe.code})" if probe.code else ""
    sentence = f"a login from the host of {probe.origin} ends {probe.outcome}{code}"
    return Testimony(probe.origin, f"probe from {probe.origin}", word, max(now - probe.read_at, 0.0), sentence)


def from_standby(told: StandbyWord, primary_uuid: str, now: float) -> Testimony:
    """What a standby manager's look says about the primary. One that reaches no other server either may be cut off
    itself: its silence is nothing.
    """
    word, why = _seen(told, primary_uuid)
    route = f"standby {told.manager}"
    return Testimony(told.manager, route, word, max(now - told.asked_at, 0.0), f"standby {told.manager} {why}")


def _seen(told: StandbyWord, primary_uuid: str) -> tuple[Word, str]:
    code = f" (error {told.code})" if told.code else ""
    if told.server_uuid not in {"", primary_uuid}:
        return Word.ABSTAINS, "finds another server at its address"
    if told.outcome in LIVING:
        return Word.ALIVE, f"looked and found it {told.outcome}{code}"
    if not told.others:
        return Word.ABSTAINS, f"reaches no server at all, its look ended {told.outcome}{code}"
    return Word.SILENT, f"looked too, and its look ended {told.outcome}{code}"
