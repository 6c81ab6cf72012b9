"""A manager in a process of its own, driven by lines: it can be frozen, thawed and killed. Answers are one JSON line
each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from failoverd.drivers.wakeups import Bell
from failoverd.drivers.zookeeper.coordination import ZooKeeperCoordination
from failoverd.drivers.zookeeper.writes import Create, own, write
from failoverd.model.errors import FailoverdError
from failoverd.model.history import Recorded
from failoverd.ports import Lease
from tests.contract.coordination_worlds import active, zookeeper_manager
from tests.contract.operations import operation


def main() -> None:
    """ADDRESS ROOT NAME SESSION: become active, say the epoch, then obey until the end of the input."""
    address, root, name, session = sys.argv[1:5]
    manager = zookeeper_manager(address, root, name, Bell(), float(session))
    lease = active(manager)
    print(json.dumps({"epoch": lease.epoch}), flush=True)
    acts: dict[str, Callable[[], None]] = {
        "check": lease.check,
        "publish": lambda: manager.publish_primary(lease, "shop", Recorded("stale", "u", lease.epoch)),
        "begin": lambda: manager.begin(lease, operation("stale")),
        "force": lambda: _force(manager, lease, root),
    }
    for line in sys.stdin:
        try:
            acts[line.strip()]()
            answer = {"did": line.strip()}
        except FailoverdError as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps(answer), flush=True)


def _force(manager: ZooKeeperCoordination, lease: Lease, root: str) -> None:
    """A write as a manager without any clock of its own would send it: only ZooKeeper can refuse it."""
    held = own(lease)
    held._why, held._deadline, held._suspended_at = "", float("inf"), None
    write(manager._session, held, Create(f"{root}/shop/forced"))


if __name__ == "__main__":
    main()
