"""What the runner knows at any moment: looks that go on side by side, the client's list, the journal."""

from __future__ import annotations

from failoverd.drill.ground import Ground, Probe
from failoverd.model.rehearsed import Cast, Document, Measured, Rows, Sight, Taken
from failoverd.ports import Clock

_PAUSE = 0.1  # between two looks: seconds
_JOURNAL_EVERY = 1.0  # seconds: reading the journal is a command of its own


class Watch:
    """Looks again and again from `begin` to `end`; everybody may ask it."""

    def __init__(self, ground: Ground, clock: Clock) -> None:
        self._ground = ground
        self._clock = clock
        self._probe: Probe | None = None
        self._sights: list[Sight] = []
        self._journal: tuple[Document, ...] = ()
        self._read_at = float("-inf")
        self._ended_at: float | None = None
        self.cast = Cast("")
        self.began = 0.0
        self.struck: float | None = None

    def begin(self, cast: Cast, probe: Probe) -> None:
        """Who is who, and who writes."""
        self.cast, self._probe = cast, probe
        self.began = self._wall()

    def strike(self) -> None:
        """Times count from now."""
        self.struck = self._wall()

    def live(self) -> None:
        """Look until `end`."""
        while self._ended_at is None:
            self._sights.append(self._ground.look())
            self._clock.sleep(_PAUSE)

    def end(self) -> None:
        """A last look, and no more: whatever the client does not do from now on is nobody's outage."""
        self._sights.append(self._ground.look())
        self._ended_at = self._wall()

    def last(self) -> Sight | None:
        """The newest look."""
        return self._sights[-1] if self._sights else None

    def taken(self) -> Taken:
        """What the client has seen."""
        return self._probe.taken() if self._probe else Taken()

    def operations(self, *, anew: bool = False) -> tuple[Document, ...]:
        """The journal, not older than a second."""
        if anew or self._clock.now() - self._read_at > _JOURNAL_EVERY:
            self._journal = self._ground.operations()
            self._read_at = self._clock.now()
        return self._journal

    def measured(
        self, operations: tuple[Document, ...] = (), rows: Rows | None = None, *, final: bool = False
    ) -> Measured:
        """Everything so far."""
        taken = self.taken()
        return Measured(
            cast=self.cast,
            began=self.began,
            now=self._wall() if self._ended_at is None else self._ended_at,
            struck=self.struck,
            final=final,
            sights=tuple(sorted(self._sights, key=lambda sight: sight.at)),
            wrote=taken.wrote,
            refused=taken.refused,
            unknown=taken.unknown,
            reads=taken.reads,
            stale=taken.stale,
            rows=rows,
            operations=operations,
        )

    def _wall(self) -> float:
        return self._clock.wall().timestamp()
