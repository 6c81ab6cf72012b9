"""Programs of people's own at the turning points of an operation: which points there are, and what each of them may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from failoverd.model.stage import Stage


class Point(StrEnum):
    """A turning point, named as its folder below `hooks_dir`."""

    ON_VALIDATED = "on-validated"
    BEFORE_FREEZE = "before-freeze"
    FENCE = "fence"
    REBUILD = "rebuild"
    ON_FROZEN = "on-frozen"
    ON_PROMOTED = "on-promoted"
    ON_TRAFFIC_MOVED = "on-traffic-moved"
    ON_SUCCESS = "on-success"
    ON_FAILURE = "on-failure"
    ON_UNDONE = "on-undone"
    ON_STATUS = "on-status"
    ON_VERDICT = "on-verdict"


# The stage that each point belongs to; those after the end belong to none of their own.
STAGES: Mapping[Point, Stage] = {
    Point.ON_VALIDATED: Stage.CHECK,
    Point.BEFORE_FREEZE: Stage.CHECK,
    Point.FENCE: Stage.FENCE,
    Point.REBUILD: Stage.RECOVER,
    Point.ON_FROZEN: Stage.FREEZE,
    Point.ON_PROMOTED: Stage.TRAFFIC,
    Point.ON_TRAFFIC_MOVED: Stage.TRAFFIC,
    Point.ON_SUCCESS: Stage.VERIFY,
    Point.ON_FAILURE: Stage.VERIFY,
    Point.ON_UNDONE: Stage.VERIFY,
    Point.ON_STATUS: Stage.VERIFY,
    Point.ON_VERDICT: Stage.CHECK,
}
# Those may say no: nothing has been changed yet.
VETOING = frozenset({Point.BEFORE_FREEZE})
# Those that ask, shut out or lead clients are run again by whoever goes on with an operation, under the same key,
# unless they ended well; all others are begun once. A file's name may say otherwise by its ending.
REPEATABLE = frozenset(
    {
        Point.BEFORE_FREEZE,
        Point.FENCE,
        Point.ON_PROMOTED,
        Point.ON_TRAFFIC_MOVED,
        Point.ON_STATUS,
        Point.ON_VERDICT,
    }
)
ENDINGS: Mapping[str, bool] = {".repeatable": True, ".once": False}


@dataclass(frozen=True, slots=True)
class HookPolicy:
    """Where hooks are, for how long each may run (seconds; those that rebuild a server need longer), and how many stand
    at each point, as (point, number).
    """

    folder: str = ""
    timeout: float = 10.0
    points: tuple[tuple[str, int], ...] = ()
    rebuild_timeout: float = 6 * 3600.0

    def count(self, point: Point) -> int:
        """How many hooks stand at that point."""
        return dict(self.points).get(str(point), 0)

    def limit(self, point: Point) -> float:
        """How long one hook of that point may run."""
        return self.rebuild_timeout if point is Point.REBUILD else self.timeout


@dataclass(frozen=True, slots=True)
class HookCall:
    """One run of one hook: its file's name, what is told about (`FAILOVERD_*` without the prefix), and a document."""

    folder: str
    point: Point
    name: str
    told: Mapping[str, str]
    document: str
    timeout: float


# Called about twice a second while a hook runs, with its latest line; what it raises ends the hook.
Heed = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class HookResult:
    """How a hook ended: whether it ended well, in words how, and the beginning of what it said."""

    name: str
    ok: bool
    how: str
    output: str = ""


def repeats(point: Point, name: str) -> bool:
    """Whether a hook may be run again by whoever goes on with an operation."""
    said = (again for ending, again in ENDINGS.items() if name.endswith(ending))
    return next(said, point in REPEATABLE)
