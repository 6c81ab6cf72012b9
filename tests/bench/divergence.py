"""How long it takes to keep what only one server has: raw log, mysqlbinlog's text, and JSON with every row.

`python -m tests.bench divergence [TRANSACTIONS]` (10,000 by default) writes that many transactions of one row on one
replica alone and runs `failoverd errant --export` on it under one manager. Ends with 1 when the limit is broken.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from failoverd.lab import Lab, Options
from failoverd.lab.managers import Managers

COUNT, LIMIT = 10_000, 10.0  # transactions, and seconds for the whole command
# One interval of looks (1 s), the look, and the status that tells of it.
NAMED = 2.0
TARGET = Path(__file__).parents[2] / "build/bench/divergence.json"
TABLE = "CREATE TABLE app.alone (n BIGINT PRIMARY KEY, w INT, filler VARCHAR(200))"
FILL = (
    "CREATE PROCEDURE app.fill(IN many INT) BEGIN DECLARE n INT DEFAULT 0; WHILE n < many DO"
    " INSERT INTO app.alone VALUES (n, n * 7, REPEAT('x', 150)); SET n = n + 1; END WHILE; END"
)


def measured(count: int) -> dict[str, object]:
    """Bring a lab up, make the transactions, keep them; the figures."""
    lab = Lab.up(Options(name="bench-divergence", replicas=1, durable=False))
    managers = Managers(lab)
    try:
        managers.start("mgr1")
        managers.wait_ready(standbys=0, timeout=60.0)
        lab.sql("db1", TABLE)
        lab.sql("db1", FILL)
        lab.sql("db1", "GRANT SELECT ON app.* TO failoverd@'%'")  # each row is compared with the primary's
        while lab.sql("db2", "SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_NAME = 'fill'") != ((1,),):
            time.sleep(0.05)
        lab.sql("db2", "SET GLOBAL read_only = OFF")
        found = noticed(lab, managers)
        lab.sql("db2", f"CALL app.fill({count})", deadline=600.0)
        lab.sql("db2", "SET GLOBAL super_read_only = ON")
        begun, wall = time.monotonic(), time.time()
        answer = managers.command("errant", "shop", "db2", "--export", "--show", "0", "--json", deadline=600.0)
        seconds = time.monotonic() - begun
        (told,) = json.loads(answer.stdout)["servers"]
        kept = Path(told["export"])
        with (kept / "transactions.json").open(encoding="utf-8") as file:
            rows = sum(len(one["rows"]) for one in json.load(file)["transactions"])
        written = {path.name: round(path.stat().st_mtime - wall, 2) for path in sorted(kept.iterdir())}
        size = {path.name: path.stat().st_size for path in sorted(kept.iterdir())}
    finally:
        managers.stop()
        lab.down()
    return {
        "transactions": told["transactions"],
        "rows": rows,
        "seconds": round(seconds, 2),
        "one errant transaction named after": found[0],
        "and kept after": found[1],
        "written after": written,
        "bytes": size,
    }


def noticed(lab: Lab, managers: Managers) -> tuple[float, float]:
    """Seconds from a commit on the replica alone until the status names it, and until the manager has kept it."""
    lab.sql("db2", "INSERT INTO app.alone VALUES (-1, 0, '')")
    begun = time.monotonic()
    while not any(problem["id"] == "errant" for s in managers.kept("mgr1")["servers"] for problem in s["problems"]):
        time.sleep(0.02)
    named = time.monotonic() - begun
    while not list(lab.folder.glob("*/state/divergence/*/manifest.json")):
        time.sleep(0.02)
    return round(named, 2), round(time.monotonic() - begun, 2)


def main(words: Sequence[str]) -> int:
    """Measure, tell, judge."""
    count = int(words[0]) if words else COUNT
    found = measured(count)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=2), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    whole = (found["transactions"], found["rows"]) == (count + 1, count + 1)
    in_time = float(str(found["seconds"])) <= LIMIT * max(count / COUNT, 1.0)
    return 0 if whole and in_time and float(str(found["one errant transaction named after"])) <= NAMED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
