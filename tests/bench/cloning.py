"""How long a server of one gigabyte takes to be overwritten by a clone and attached, with nothing done by hand.

`python -m tests.bench cloning [MEGABYTES]` (1,000 by default) fills a primary, lets its replica diverge by one
transaction and runs `failoverd rejoin --clone --discard-errant` under one manager. Ends with 1 when no progress was
told, when the replica does not follow at the end, or when the limit is broken.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from failoverd.lab import Lab, Options
from failoverd.lab.managers import Managers

SIZE, LIMIT = 1_000, 300.0  # megabytes, and seconds for the whole command
TARGET = Path(__file__).parents[2] / "build/bench/cloning.json"
PROGRESS = re.compile(r"\d+ of \d+ MB copied")
READY = (
    "SET GLOBAL super_read_only = OFF",
    "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
    "SET GLOBAL super_read_only = ON",
)
FILL = "INSERT INTO app.large (filler) SELECT REPEAT(CHAR(97 + n), 1000000) FROM app.ten"
FOLLOWING = "SELECT COUNT(*) FROM performance_schema.replication_connection_status WHERE SERVICE_STATE = 'ON'"


def measured(size: int) -> dict[str, object]:
    """Bring a lab up, fill it, clone; the figures."""
    options = Options(
        name="bench-cloning", replicas=1, durable=False, supervised=True, performance_schema=True, disk_mb=4 * size
    )
    lab = Lab.up(options)
    managers = Managers(lab)
    try:
        managers.start("mgr1")
        managers.wait_ready(standbys=0, timeout=60.0)
        fill(lab, size)
        begun = time.monotonic()
        words = ("rejoin", "shop", "db2", "--clone", "--discard-errant", "--yes", "--json")
        answer = managers.command(*words, deadline=3600.0)
        seconds = time.monotonic() - begun
        told = json.loads(answer.stdout)
        ((following,),) = lab.sql("db2", FOLLOWING)
        ((held,),) = lab.sql("db2", "SELECT COUNT(*) FROM app.large")
    finally:
        managers.stop()
        lab.down()
    lines = [line for line in answer.stderr.splitlines() if PROGRESS.search(line)]
    (copy,) = [step for step in told["steps"] if step["title"].startswith("overwrite")]
    return {
        "outcome": told["outcome"],
        "following": following == 1,
        "megabytes": held,
        "seconds": round(seconds, 2),
        "copy": copy["detail"],
        "progress": lines,
    }


def fill(lab: Lab, size: int) -> None:
    """The data on the primary alone, as if the replica had been away for long; one transaction on the replica alone."""
    lab.sql("db1", "CREATE TABLE app.large (id INT AUTO_INCREMENT PRIMARY KEY, filler LONGTEXT)")
    lab.sql("db1", "CREATE TABLE app.ten (n INT); INSERT INTO app.ten VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    lab.sql("db1", "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
    lab.sql("db1", "GRANT BACKUP_ADMIN, CLONE_ADMIN ON *.* TO failoverd@'%'")
    for _ in range(size // 10):
        lab.sql("db1", f"SET SESSION sql_log_bin = 0; {FILL}", deadline=60.0)
    time.sleep(1.0)  # the replica gets what is small
    for statement in READY:
        lab.sql("db2", statement)
    lab.sql("db2", "SET GLOBAL read_only = OFF; CREATE TABLE app.only_here (n INT); SET GLOBAL super_read_only = ON")


def main(words: Sequence[str]) -> int:
    """Measure, tell, judge."""
    size = int(words[0]) if words else SIZE
    found = measured(size)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=2), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    whole = (found["outcome"], found["following"], found["megabytes"]) == ("done", True, size // 10 * 10)
    in_time = float(str(found["seconds"])) <= LIMIT * max(size / SIZE, 1.0)
    return 0 if whole and found["progress"] and in_time else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
