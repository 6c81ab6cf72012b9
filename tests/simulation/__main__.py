"""Live many seeds on all cores, or one with its story: `python -m tests.simulation 100000`, `... --story 4711`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.life import Life, live
from tests.simulation.mutations import MUTATIONS, Catch, caught
from tests.simulation.runs import Sum, breaks, run, shrink
from tests.simulation.script import script_of

PORTION = 200


def asked() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(prog="tests.simulation")
    parser.add_argument("seeds", nargs="?", type=int, default=2000, help="how many lives")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--seconds", type=float, default=None, help="stop after so much time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--story", type=int, default=None, help="tell the whole life of one seed")
    parser.add_argument("--mutations", action="store_true", help="which lives find the mistakes of the table")
    return parser.parse_args()


def portion(first: int, count: int, until: float | None) -> Sum:
    """A share of the seeds, in a process of its own."""
    return run(range(first, first + count), until)


def many(wanted: argparse.Namespace) -> Sum:
    """All seeds, in portions over all cores."""
    total = Sum()
    until = None if wanted.seconds is None else time.monotonic() + wanted.seconds
    end = wanted.start + wanted.seeds
    with ProcessPoolExecutor(max_workers=wanted.jobs) as pool:
        work = [pool.submit(portion, n, min(PORTION, end - n), until) for n in range(wanted.start, end, PORTION)]
        for number, one in enumerate(work, 1):
            lived = one.result()
            total.add(lived)
            for life in lived.failing:  # at once: many lives take hours
                print(f"seed {life.script.seed}: {life.broken[0]}", flush=True)
            if number % 25 == 0 and number < len(work):
                print(total.text(), flush=True)
    return total


def tell(life: Life) -> None:
    """A failing seed: what broke, and the smallest set of faults that breaks it."""
    promises = frozenset(b.promise for b in life.broken)
    small = shrink(life.script, breaks(promises))
    print(f"\nseed {life.script.seed}: {small.blow}, fencing {small.fencing}")
    for fault in small.faults:
        print(f"  fault: {fault}")
    for broken in live(small).broken:
        print(f"  {broken}")


def look_for(number: int, seconds: float) -> Catch:
    """One mistake, in a process of its own."""
    return caught(MUTATIONS[number], seconds)


def mutations(seconds: float, jobs: int) -> int:
    """Every mistake with the seed that finds it; exit code 1 where one is not found."""
    missed = 0
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        found = [pool.submit(look_for, number, seconds) for number in range(len(MUTATIONS))]
        for mutation, one in zip(MUTATIONS, found, strict=True):
            catch = one.result()
            missed += not catch.seed
            print(f"{mutation.name}: seed {catch.seed}, {catch.tried} tried,{catch.broken or ' not found'}", flush=True)
    return 1 if missed else 0


def main() -> int:
    """Exit code 1 when a promise was broken."""
    wanted = asked()
    if wanted.mutations:
        return mutations(wanted.seconds or 120.0, wanted.jobs)
    if wanted.story is not None:
        life = live(script_of(wanted.story), story=True)
        print(life.script, *life.story, *(str(b) for b in life.broken), sep="\n")
        return 1 if life.broken else 0
    total = many(wanted)
    print(total.text())
    for life in total.failing[:10]:
        tell(life)
    return 1 if total.failing else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of names are walked in the same order in every process
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
