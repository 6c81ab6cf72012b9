"""The network: who reaches whom, how long a word takes, and where a fault may sit on its way."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.simulation.loop import Box, Loop, Process

T = TypeVar("T")
A = TypeVar("A")
RESEND = 0.2  # what a line does not take is sent again, and so it can arrive after its sender gave up
RESENDING = 10.0


class NoAnswer(Exception):
    """Nothing came back in time: whether the other side did it is unknown."""


class Cut(Exception):
    """The line broke at once: the other end is gone."""


@dataclass(slots=True)
class Twist:
    """What is wrong with one word: it comes `late` by so many seconds, its answer is lost, or it never arrives."""

    late: float = 0.0
    deaf: bool = False
    lost: bool = False


PLAIN = Twist()


@dataclass(slots=True)
class Word:
    """One call as faults see it: who asks whom for what."""

    sender: Process
    here: str
    there: str
    what: str
    changes: bool = False


class Again(Exception):
    """The other side needs more time: it looks again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


Hear = Callable[[Word], Twist]


@dataclass(slots=True)
class Sending(Generic[T]):
    """One word on its way, and the way back of its answer.

    Its methods are what happens next: a life sends thousands of words, and functions that name themselves would keep
    each of them until somebody looks for such circles.
    """

    net: Net
    word: Word
    twist: Twist
    end: float
    box: Box[T]
    serve: Callable[[], T]

    def arrive(self) -> None:
        """Be served, or be sent again: by the line until its sender gives up, and what changes something longer."""
        net, word, twist, loop = self.net, self.word, self.twist, self.net.loop
        if twist.lost or (net.cuts and not net.open(word.here, word.there)):
            loop.at(self.end, self.box.late)
            if not twist.lost and (word.changes or loop.now < self.end) and loop.now < self.end + RESENDING:
                loop.at(loop.now + RESEND, self.arrive)
            return
        try:
            self.answer()
        except Again as again:
            if loop.now + again.seconds >= self.end:
                loop.at(self.end, self.box.late)
            loop.at(loop.now + again.seconds, self.arrive)

    def answer(self) -> None:
        """Do it and let the answer go back, if the line and the faults let it. Again leaves as it is."""
        try:
            answer = self.serve()
        except Again:
            raise
        except NoAnswer:
            self.net.loop.at(self.end, self.box.late)
        except Exception as error:  # noqa: BLE001 - an error is the answer
            self._back(self.box.fail, error)
        else:
            self._back(self.box.put, answer)

    def _back(self, give: Callable[[A], None], answer: A) -> None:
        net, deaf = self.net, self.twist.deaf
        if not deaf and (not net.cuts or net.open(self.word.there, self.word.here)):
            give(answer)
            return
        loop = net.loop
        loop.at(self.end, self.box.late)
        if not deaf and loop.now < self.end:
            loop.at(loop.now + RESEND, lambda: self._back(give, answer))


@dataclass
class Net:
    """All lines. `cuts` holds ordered pairs; `hear` is asked about every word that is sent."""

    loop: Loop
    chance: random.Random
    cuts: dict[tuple[str, str], int] = field(default_factory=dict)
    hear: Hear | None = None

    def cut(self, here: str, there: str) -> None:
        """Let nothing pass in this direction."""
        self.cuts[here, there] = self.cuts.get((here, there), 0) + 1

    def mend(self, here: str, there: str) -> None:
        """Take one cut back."""
        left = self.cuts.get((here, there), 0) - 1
        if left > 0:
            self.cuts[here, there] = left
        else:
            self.cuts.pop((here, there), None)

    def open(self, here: str, there: str) -> bool:
        """Whether words pass in this direction."""
        return not self.cuts or here == there or (here, there) not in self.cuts

    def both(self, here: str, there: str) -> bool:
        """Whether a line can stand between them."""
        return self.open(here, there) and self.open(there, here)

    def way(self) -> float:
        """Seconds that a call takes, there and back."""
        return 0.0003 + 0.0007 * self.chance.random()

    def send(self, word: Word, serve: Callable[[], T], limit: float) -> Box[T]:
        """Send a word; the box is filled when the answer comes, and given up when `limit` seconds are over.

        `serve` is done at the other side when the word arrives, also if the sender is dead by then.
        """
        loop = self.loop
        twist = self.hear(word) if self.hear is not None else PLAIN
        box: Box[T] = Box(word.sender)
        end = loop.now + limit / word.sender.rate
        arrives = loop.now + self.way() + twist.late
        if arrives > end:
            loop.at(end, box.late)
        loop.at(arrives, Sending(self, word, twist, end, box, serve).arrive)
        return box

    def ask(self, word: Word, serve: Callable[[], T], limit: float) -> T:
        """Send a word and wait for its answer. Raises NoAnswer, or whatever the other side answers with."""
        box = self.send(word, serve, limit)
        if not box.wait():
            raise NoAnswer
        return box.value()
