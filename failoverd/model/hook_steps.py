"""The steps that run people's own programs."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.hooks import STAGES, Point
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage


@dataclass(frozen=True, slots=True)
class RunHooks:
    """Run all hooks of one point, in order. They belong to no server, so `server` is empty."""

    point: Point
    new: str = ""
    server: str = ""

    @property
    def stage(self) -> Stage:
        """The stage that the point belongs to."""
        return STAGES[self.point]

    def title(self) -> str:
        """What it does, for people."""
        return f"run the hooks {self.point}" + (f" for {self.new}" if self.new else "")

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible from outside: the journal says what was begun."""
        return False


@dataclass(frozen=True, slots=True)
class FenceByHook:
    """Shut the old primary out by people's own means, as its power; only where nothing else has proven a fence."""

    server: str
    stage = Stage.FENCE

    def title(self) -> str:
        """What it does, for people."""
        return f"fence {self.server} by hook, where nothing else has"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible from outside: whether another fence was proven is known to the operation alone."""
        return False


@dataclass(frozen=True, slots=True)
class RebuildByHook:
    """Overwrite all that a closed server has by people's own programs; it starts anew with other data."""

    server: str
    primary: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"rebuild {self.server} by hook"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible: what was rebuilt looks like any other replica."""
        return False
