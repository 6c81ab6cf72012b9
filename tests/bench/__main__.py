"""`make bench`: every benchmark, its figures as a table and as JSON; 1 when one of them breaks its limits.

`python -m tests.bench NAME [SIZE]` runs a single one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tests.bench import (
    bringing,
    clients,
    cloning,
    detection,
    divergence,
    hard_switchover,
    large_log,
    logs,
    main_job,
    many,
    repointing,
    returning,
    switchover,
    takeover,
    viewers,
)

BENCHES: dict[str, Callable[[Sequence[str]], int]] = {
    "main_job": main_job.main,
    "detection": detection.main,
    "logs": logs.main,
    "large_log": large_log.main,
    "bringing": bringing.main,
    "switchover": switchover.main,
    "hard_switchover": hard_switchover.main,
    "repointing": repointing.main,
    "takeover": takeover.main,
    "divergence": divergence.main,
    "returning": returning.main,
    "clients": clients.main,
    "many": many.main,
    "cloning": cloning.main,
    "viewers": viewers.main,
}


def main(words: Sequence[str]) -> int:
    """Run the one that is named, or all; 2 for a name that is none."""
    if words and words[0] not in BENCHES:
        sys.stderr.write(f"no benchmark is called {words[0]}: there are {', '.join(BENCHES)}\n")
        return 2
    if words:
        return BENCHES[words[0]](words[1:])
    return max(bench([]) for bench in BENCHES.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
