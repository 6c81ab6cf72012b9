"""How long a clean old primary takes to replicate again, from the moment that its mysqld accepts connections.

`python -m tests.bench returning [ROUNDS]` (3 by default) kills a primary under load, lets it go when another one serves
and watches it come back, started by hand and by a supervisor. Ends with 1 when the limit is broken.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from failoverd.lab import Lab, Options
from tests.acceptance.rehearsal import Rehearsal, eventually, rehearsal, replication
from tests.acceptance.test_rejoin import answers

ROUNDS, LIMIT = 3, 5.0  # seconds from the first answer to both threads running
TARGET = Path(__file__).parents[2] / "build/bench/returning.json"


def measured(*, supervised: bool) -> float:
    """One round on a lab of its own; seconds."""
    lab = Lab.up(Options(name="bench-returning", replicas=2))
    try:
        lab.supervise("db1", on=supervised)
        with rehearsal(lab) as play:
            play.begin(("mgr1",))
            os.kill(lab.mysqld_pid("db1"), signal.SIGKILL)
            elect = str(play.ended()["new_primary"])
            eventually(
                lambda: [one["kind"] for one in play.journal()], lambda k: k[0] == "rejoin", "the end of the hold"
            )
            return back(play, elect, by_hand=not supervised)
    finally:
        lab.down()


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
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=2), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if max(max(seconds) for seconds in found.values()) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
