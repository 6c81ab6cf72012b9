"""How long steps may take (seconds)."""

from __future__ import annotations

from failoverd.gtid import GtidSet

CLAIM = 3.0
# A receiver that is connecting to a host which swallows packets needs two seconds to stop.
RECEIVER = 5.0
STATEMENT = 5.0
FOLLOW = 10.0
# Ten thousand small transactions take seconds; a large log travels as long as it moves.
EXPORT = 60.0
# A large server is copied for hours; how long it may stand still is watched while it is.
CLONE = 86400.0
# What a server that was attached still lacks is watched for so long; after that it goes on without being watched. For
# a person who waits for it longer than where nobody has asked.
PROVE = 10.0
PROVE_TO_PEOPLE = 60.0
# Comparing one table that a person has named: it is read on both servers, again where those were at different sets.
COMPARE = 60.0
# How long a good moment is waited for, before anything is frozen.
READY = 3600.0
# Replicas that were just repointed are registered within a second of connecting.
ACKNOWLEDGED = 15.0
# The slowest measured apply rate is 452 transactions a second, on durable settings and a loaded machine; the slowest
# copy that is worth waiting for, one megabyte a second.
SLOWEST_APPLY = 50.0
SLOWEST_COPY = 1e6


def bringing(gtids: GtidSet, size: int, stall: float) -> float:
    """A bound for bringing and executing transactions, far above any healthy run.

    What ends a stuck one is the policy's time without progress, which the executor watches; this is the outer limit.
    """
    return stall + len(gtids) / SLOWEST_APPLY + size / SLOWEST_COPY
