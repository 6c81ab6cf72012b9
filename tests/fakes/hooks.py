"""People's own programs in memory: which stand where, how they end, and what they were told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from failoverd.model.hooks import Heed, HookCall, HookPolicy, HookResult, Point


@dataclass
class FakeHooks:
    """Implements `ports.Hooks`; `ends` by POINT/NAME, well where nothing is said; `calls` all runs in order."""

    standing: dict[Point, tuple[str, ...]]
    ends: dict[str, HookResult] = field(default_factory=dict)
    calls: list[HookCall] = field(default_factory=list)
    posted: list[HookCall] = field(default_factory=list)
    before: Callable[[HookCall], None] = lambda _: None

    def policy(self) -> HookPolicy:
        """The configuration that fits."""
        return HookPolicy("/hooks", 10.0, tuple((str(point), len(names)) for point, names in self.standing.items()))

    def fails(self, which: str, how: str = "exit 1", output: str = "no") -> None:
        """Let one end badly."""
        self.ends[which] = HookResult(which.partition("/")[2], False, how, output)

    def names(self, folder: str, point: Point) -> tuple[str, ...]:
        return self.standing.get(point, ())

    def run(self, call: HookCall, heed: Heed | None = None) -> HookResult:
        self.calls.append(call)
        self.before(call)
        if heed is not None:
            heed("half of it")
        return self.ends.get(f"{call.point}/{call.name}", HookResult(call.name, True, "exit 0"))

    def post(self, calls: tuple[HookCall, ...]) -> None:
        self.posted += calls

    def told(self) -> list[str]:
        """What was run, in order."""
        return [f"{call.point}/{call.name}" for call in self.calls]
