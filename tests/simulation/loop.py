"""Virtual time: a heap of events, and green threads of processes that can be killed, frozen and woken.

One thing happens at a time; what happens next is the earliest event, and of equals the one that was asked for first.
A process that is frozen keeps its events until it wakes; one that is dead loses them.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")
Act = Callable[[], None]


class Thread(greenlet):
    """A green thread that knows its process."""

    process: Process


class Stuck(Exception):
    """More events than any life needs: something turns in a circle."""


class Process:
    """Whoever runs green threads: a manager, or the world itself. `rate` is how fast its clock runs."""

    def __init__(self, loop: Loop, name: str, rate: float = 1.0) -> None:
        self.loop = loop
        self.name = name
        self.rate = rate
        self.alive = True
        self.frozen = False
        self.held: list[Act] = []
        self.threads: set[greenlet] = set()
        self.died_of: BaseException | None = None

    def kill(self) -> None:
        """End at once: nothing of it ever runs again."""
        self.alive = False
        self.held.clear()

    def freeze(self) -> None:
        """Stop where it is."""
        self.frozen = True

    def thaw(self) -> None:
        """Go on: everything that came meanwhile is there at once."""
        if not self.frozen:
            return
        self.frozen = False
        held, self.held = self.held, []
        for act in held:
            self.loop.at(self.loop.now, act, self)

    def run(self, act: Act) -> None:
        """Do it now, later when frozen, never when dead."""
        if self.frozen:
            self.held.append(act)
        elif self.alive:
            self.loop.acting = self
            act()

    def spawn(self, call: Act) -> None:
        """Begin a green thread of this process."""

        def live() -> None:
            try:
                call()
            except GreenletExit:
                pass
            except BaseException as error:  # noqa: BLE001 - kept for whoever judges this life
                self.died_of = self.died_of or error
                self.alive = False
            self.threads.discard(getcurrent())

        thread = Thread(live, parent=self.loop.hub)
        thread.process = self
        self.threads.add(thread)
        self.loop.at(self.loop.now, thread.switch, self)


class Loop:
    """The events of one life."""

    LIMIT = 400_000

    def __init__(self) -> None:
        self.now = 0.0
        self.hub = getcurrent()
        self.events = 0
        self._heap: list[tuple[float, int, Process | None, Act]] = []
        self._numbers = itertools.count()
        self.processes: list[Process] = []
        self.acting: Process | None = None
        self.begun: float | None = None

    def at(self, when: float, act: Act, owner: Process | None = None) -> None:
        """Let something happen then."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._numbers), owner, act))

    def process(self, name: str, rate: float = 1.0) -> Process:
        """A new process."""
        made = Process(self, name, rate)
        self.processes.append(made)
        return made

    def run(self, until: float, stop: Callable[[], bool] | None = None) -> None:
        """Let everything happen up to that time, or until `stop` says so."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            if self.begun is not None:
                self._pace(heap[0][0])
            when, _, owner, act = heapq.heappop(heap)
            self.now = when
            self.events += 1
            if self.events > self.LIMIT:
                raise Stuck(f"{self.events} events by {when:.1f} s")
            if owner is None:
                act()
            elif owner.alive and not owner.frozen:  # nearly everything: spare the call
                self.acting = owner
                act()
            else:
                owner.run(act)
            if stop is not None and stop():
                return
        if self.begun is not None:
            self._pace(until)
        self.now = max(self.now, until)

    def keep_pace(self) -> None:
        """Go with real time from now on, so that tests of real servers can be run on simulated ones."""
        self.begun = time.monotonic() - self.now

    def catch_up(self) -> None:
        """Let happen what is due by real time."""
        if self.begun is not None:
            self.run(max(time.monotonic() - self.begun, self.now))

    def _pace(self, when: float) -> None:
        if self.begun is not None:
            time.sleep(max(0.0, self.begun + when - time.monotonic()))

    def sleep(self, owner: Process, seconds: float) -> None:
        """Let this green thread rest; from outside of any, let the world go on meanwhile."""
        me = getcurrent()
        if me is self.hub:
            self.run(self.now + seconds)
            return
        leave_if_dead(owner)
        self.at(self.now + seconds, me.switch, owner)
        self.hub.switch()
        leave_if_dead(owner)

    def who(self) -> Process:
        """Whose code is running."""
        me = getcurrent()
        found = me.process if isinstance(me, Thread) else self.acting
        if found is None:
            raise LookupError("nobody is acting")
        return found

    def end(self) -> None:
        """End all green threads; what they still have to say is heard by nobody."""
        for process in self.processes:
            process.alive = False
            for thread in list(process.threads):
                thread.throw(GreenletExit)
        self._heap.clear()


def leave_if_dead(owner: Process) -> None:
    """A dead process does nothing more, not even tidying up."""
    if not owner.alive:
        raise GreenletExit


class Box(Generic[T]):
    """One answer that is waited for by one green thread of `owner`."""

    __slots__ = ("_answer", "_error", "_late", "_owner", "_waiting", "full")

    def __init__(self, owner: Process) -> None:
        self._owner = owner
        self._waiting: greenlet | None = None
        self._answer: Any = None
        self._error: Exception | None = None
        self._late = False
        self.full = False

    def put(self, answer: T) -> None:
        """The answer has come."""
        if not self.full:
            self.full, self._answer = True, answer
            self._wake()

    def fail(self, error: Exception) -> None:
        """An error has come in its place."""
        if not self.full:
            self.full, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        loop = self._owner.loop
        if getcurrent() is loop.hub:
            self._owner.run(waiting.switch)
        else:
            loop.at(loop.now, waiting.switch, self._owner)

    def late(self) -> None:
        """The wait is over without an answer."""
        if not self.full:
            self._late = True
            self._wake()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether something came within that time; without a time the other side sees to it."""
        if self.full or self._late:
            return self.full
        owner, loop, me = self._owner, self._owner.loop, getcurrent()
        if seconds is not None:
            loop.at(loop.now + seconds, self.late)
        if me is loop.hub:
            while not self._over():
                loop.run(loop.now + 0.01, self._over)
            return self.full
        leave_if_dead(owner)
        self._waiting = me
        loop.hub.switch()
        self._waiting = None
        leave_if_dead(owner)
        return self.full

    def _over(self) -> bool:
        return self.full or self._late

    def value(self) -> T:
        """What came; an error can be had once."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # what it has passed through would keep it, and it all that
        return cast("T", self._answer)


class Signal:
    """threading.Event on virtual time."""

    def __init__(self, owner: Process) -> None:
        self._owner = owner
        self._set = False
        self._boxes: list[Box[None]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        boxes, self._boxes = self._boxes, []
        for box in boxes:
            box.put(None)

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if self._set:
            return True
        box: Box[None] = Box(self._owner)
        self._boxes.append(box)
        box.wait(None if timeout is None else timeout / self._owner.rate)
        return self._set


class Turnstile:
    """threading.RLock on virtual time: one green thread at a time."""

    def __init__(self, owner: Process) -> None:
        self._owner = owner
        self._holder: greenlet | None = None
        self._depth = 0
        self._boxes: list[Box[None]] = []

    def __enter__(self) -> bool:
        me = getcurrent()
        while self._holder is not None and self._holder is not me:
            box: Box[None] = Box(self._owner)
            self._boxes.append(box)
            box.wait()
        self._holder, self._depth = me, self._depth + 1
        return True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._holder = None
            if self._boxes:
                self._boxes.pop(0).put(None)


class Condition:
    """threading.Condition on virtual time; nobody else runs between two waits, so entering it is nothing."""

    def __init__(self, owner: Process) -> None:
        self._owner = owner

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        """Nothing was held."""

    def wait(self, timeout: float) -> None:
        self._owner.loop.sleep(self._owner, timeout / self._owner.rate)

    def notify_all(self) -> None:
        """Whoever waits looks by itself soon."""
