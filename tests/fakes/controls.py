"""Controls in memory: what a test says is heard as by a socket."""

from __future__ import annotations

from collections.abc import Callable

from failoverd.decide.controlling import Answer, obey
from failoverd.model.control import Standing, Wishes


class FakeControls:
    """One operation's controls; keeps every standing that it was told."""

    def __init__(self, standing: Standing, wishes: Wishes) -> None:
        self.told = [standing]
        self.wanted = wishes
        self.closed = False

    def say(self, line: str) -> Answer:
        """Say a line; nobody is there to be heard once the operation has ended."""
        assert not self.closed
        answer = obey(line, self.wanted, self.told[-1], 0.0, "anna")
        self.wanted = answer.wishes
        return answer

    def wishes(self) -> Wishes:
        return self.wanted

    def stands(self, standing: Standing) -> None:
        self.told.append(standing)

    def stands_unless(self, standing: Standing, against: Callable[[Wishes], str]) -> str:
        why = against(self.wanted)
        if not why:
            self.stands(standing)
        return why

    def close(self) -> None:
        self.closed = True


class FakeRooms:
    """Every room that was opened, the last one as `room`."""

    def __init__(self) -> None:
        self.opened: dict[str, FakeControls] = {}

    @property
    def room(self) -> FakeControls:
        """The room of the last operation."""
        return list(self.opened.values())[-1]

    def open(self, name: str, standing: Standing, wishes: Wishes) -> FakeControls:
        controls = self.opened[name] = FakeControls(standing, wishes)
        return controls
