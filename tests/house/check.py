"""`make check`: every part side by side on the machine's cores, each with its seconds, and one clear line per failure.

Parts are processes; nothing here judges anything itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 300
NO_TEST_COLLECTED = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the check; folder is what it needs to exist, what is the sentence for its failure."""

    name: str
    command: tuple[str, ...]
    what: str
    folder: str = "failoverd"


# The unit tests that wait most, for processes and sockets: a part of their own, so that others run meanwhile.
EDGES = tuple(f"tests/unit/{room}" for room in ("drivers", "web"))
# The slow ones first, so that the quick ones fill the other core meanwhile.
PARTS = (
    Part("types", ("mypy",), "mypy --strict finds a wrong type"),
    Part("edges", ("pytest", *EDGES), "a unit test of an edge fails", "tests/unit"),
    Part("unit", ("pytest", "tests/unit", *(f"--ignore={one}" for one in EDGES)), "a unit test fails", "tests/unit"),
    Part("house", ("pytest", "tests/house"), "a house rule is broken", "tests/house"),
    Part("scenarios", ("pytest", "tests/scenarios"), "a transcript of a decision differs", "tests/scenarios"),
    Part("arrows", ("lint-imports", "--no-logo"), "an import points the wrong way"),
    Part("lint", ("ruff", "check", "--quiet"), "ruff finds a fault"),
    Part("format", ("ruff", "format", "--check", "--quiet"), "run: make format"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """How a part ended, as an exit code: not zero is a failure, with what it printed."""

    part: Part
    code: int
    seconds: float
    output: str


def run(part: Part, root: Path) -> Result:
    """Run one part to its end or its deadline; everything it printed is kept."""
    if not (root / part.folder).is_dir():
        return Result(part, NO_TEST_COLLECTED, 0.0, f"there is no folder {part.folder}")
    begun = time.monotonic()
    try:
        program = str(Path(sys.executable).parent / part.command[0])
        done = subprocess.run(
            (program, *part.command[1:]),
            cwd=root,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(part, 1, time.monotonic() - begun, f"not finished after {DEADLINE_SECONDS} s")
    return Result(part, done.returncode, time.monotonic() - begun, done.stdout + done.stderr)


def sentence(result: Result) -> str:
    """The part's one line."""
    name, seconds = result.part.name, f"{result.seconds:5.1f} s"
    if result.code == NO_TEST_COLLECTED:
        return f"  {name:<10} {seconds}  FAILED: {result.part.folder} holds no test"
    return f"  {name:<10} {seconds}  {'ok' if result.code == 0 else 'FAILED: ' + result.part.what}"


def refresh(root: Path) -> None:
    """Bring the environment up to what pyproject.toml names now; it takes no time where nothing has changed."""
    env = {**os.environ, "FAILOVERD_STEP": "check: Python environment"}
    subprocess.run(("sh", "packaging/setup/venv.sh"), cwd=root, env=env, check=True, timeout=DEADLINE_SECONDS)


def main(parts: tuple[Part, ...] = PARTS, root: Path = ROOT) -> int:
    """Exit code 0 when every part that can run holds."""
    begun = time.monotonic()
    failed: list[Result] = []
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 2) + 1) as pool:  # one of them mostly waits
        for future in as_completed([pool.submit(run, part, root) for part in parts]):
            result = future.result()
            print(sentence(result), flush=True)
            if result.code:
                failed.append(result)
    for result in failed:
        print(f"\n---- {result.part.name}\n{result.output.strip()}")
    names = ", ".join(result.part.name for result in failed)
    verdict = f"FAILED: {names}" if failed else "everything holds"
    print(f"check: {verdict} ({time.monotonic() - begun:.1f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    refresh(ROOT)
    sys.exit(main())
