"""Following what a manager does for a person: its steps as they are journalled, how it gets on, and its answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from failoverd.model.documents import part, parts, word
from failoverd.model.errors import CoordinationError, FailoverdError
from failoverd.model.published import journalled_progress
from failoverd.service.world import World

Document = Mapping[str, object]
Tell = Callable[[str], None]

# How long a command waits for an answer of the active manager, and between two questions for it (seconds).
ANSWER_SECONDS = 600.0
POLL = 0.1
# How often it reads the whole journal for what to tell: each time costs the manager, too, where both share a processor.
GLANCE = 1.0


class Following:
    """A request that was handed on. What was told is not told again when an interrupted `answer` is asked for anew."""

    def __init__(self, world: World, request_id: str, tell: Tell) -> None:
        self._world = world
        self._request_id = request_id
        self._tell = tell
        self._steps = 0
        self._progress: tuple[str, ...] = ()

    def answer(self) -> Document:
        """Wait for the answer of the active manager, telling what it does. FailoverdError where it did not do it."""
        clock = self._world.eyes.clock
        glance = clock.now()
        end = glance + ANSWER_SECONDS
        while clock.now() < end:
            answer = None
            with contextlib.suppress(CoordinationError):  # it goes on without us: its answer is asked for again
                answer = self._world.coordination.answered(self._world.cluster, self._request_id)
                if answer is None and clock.now() >= glance:
                    glance = clock.now() + GLANCE
                    end = end if not self._glance() else clock.now() + ANSWER_SECONDS
            if answer is not None and "error" in answer:
                raise FailoverdError("the active manager did not do it", str(answer["error"]))
            if answer is not None:
                self._more(answer)
                return answer
            clock.sleep(POLL)
        why = f"within {ANSWER_SECONDS:g} s"
        raise CoordinationError("the active manager did not answer", why, "failoverd ops show")

    def _glance(self) -> bool:
        """Tell what is new; whether somebody is at it, who may be held up for as long as people like."""
        coordination, cluster = self._world.coordination, self._world.cluster
        open_id = coordination.open_operation(cluster)
        if not open_id:
            return False
        shown = coordination.operation(open_id) or {}
        self._more(shown)
        waits = word(part(coordination.status(cluster) or {}, "operation"), "progress")
        now = (waits, journalled_progress(shown))
        for text in now:
            if text and text not in self._progress:
                self._tell(text)
        self._progress = now
        return coordination.holder(cluster) is not None

    def _more(self, shown: Document) -> None:
        """Tell the steps behind those that have been told."""
        steps = parts(shown, "steps")
        for step in steps[self._steps :]:
            self._tell(f"{step['stage']} {step['title']}: {step['outcome']} ({step['detail']})")
        self._steps = max(self._steps, len(steps))
