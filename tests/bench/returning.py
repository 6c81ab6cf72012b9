"""How long an old primary takes to replicate again, or to be closed, from the moment that it accepts connections.

`python -m tests.bench returning [ROUNDS]` (3 by default) kills a primary under load, waits until it is let go when
another one serves and watches it come back, started by hand and by a supervisor. Then one whose host was out of reach,
which nobody could fence: it comes back taking writes. Ends with 1 when a limit is broken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from failoverd.lab import Lab, Options
from tests.acceptance.rehearsal import Rehearsal, eventually, rehearsal, replication, takes_writes
from tests.acceptance.test_rejoin import answers, out_of_reach

ROUNDS, LIMIT = 3, 5.0  # seconds from the first answer to both threads running
CLOSED, CLOSED_LIMIT = "out of reach: closed", 2.0  # seconds from its link's return until nobody can write there
TARGET = Path(__file__).parents[2] / "build/bench/returning.json"


@contextmanager
def watched() -> Iterator[Rehearsal]:
    """A lab of its own."""
    lab = Lab.up(Options(name="bench-returning", replicas=2))
    try:
        with rehearsal(lab) as play:
            yield play
    finally:
        lab.down()


def measured(*, supervised: bool) -> float:
    """One round; seconds."""
    with watched() as play:
        play.lab.supervise("db1", on=supervised)
        play.begin(("mgr1",))
        os.kill(play.lab.mysqld_pid("db1"), signal.SIGKILL)
        elect = str(play.ended()["new_primary"])
        eventually(lambda: [one["kind"] for one in play.journal()], lambda k: k[0] == "rejoin", "the end of the hold")
        return back(play, elect, by_hand=not supervised)


def closed() -> float:
    """One round with an old primary that comes back taking writes; seconds."""
    with watched() as play:
        play.begin(("mgr1",))
        out_of_reach(play)
        play.lab.fault.link("db1", up=True)
        begun = time.monotonic()
        while takes_writes(play.lab, "db1"):
            time.sleep(0.02)
        return round(time.monotonic() - begun, 2)


def back(play: Rehearsal, elect: str, *, by_hand: bool) -> float:
    """Seconds from its first answer until it follows the elect with both threads."""
    if by_hand:
        play.lab.start_mysqld("db1")
    eventually(lambda: answers(play, "db1"), bool, "an answer of db1")
    begun, wanted = time.monotonic(), (play.lab.hosts[elect].address, "Yes", "Yes")
    while follows(play) != wanted:
        time.sleep(0.02)
    return round(time.monotonic() - begun, 2)


def follows(play: Rehearsal) -> tuple[object, ...]:
    """Whom it follows, and how its threads are."""
    row = replication(play.lab, "db1")
    return tuple(row.get(name) for name in ("Source_Host", "Replica_IO_Running", "Replica_SQL_Running"))


def main(words: Sequence[str]) -> int:
    """Measure, tell, judge."""
    rounds = int(words[0]) if words else ROUNDS
    found = {
        "started by hand": [measured(supervised=False) for _ in range(rounds)],
        "started by a supervisor": [measured(supervised=True) for _ in range(rounds)],
        CLOSED: [closed() for _ in range(rounds)],
    }
    kept = all(max(seconds) <= (CLOSED_LIMIT if name == CLOSED else LIMIT) for name, seconds in found.items())
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=2), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
