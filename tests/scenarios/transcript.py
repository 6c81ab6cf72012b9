"""The form of a transcript: blocks between empty lines, a command over ---- over its output.

`given` with lines of a world, or `also` with lines that replace or join those of the last `given`, opens a scenario;
commands follow. A line that begins with # is for people. A line of a world replaces the one with the same subject
(and for agent, probe, standby and holding the same first words); `-` before a line takes such a one away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.words import Impossible

KEYED = {"agent": 2, "side": 2, "probe": 2, "standby": 2, "holding": 3}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One command on one world, with its expected output and its place."""

    path: Path
    line: int
    world: tuple[str, ...]
    command: str
    expected: str

    @property
    def name(self) -> str:
        return f"{self.path.stem}:{self.line}"


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of a file as they stand, and where they begin; `comments` are left where they were."""

    start: int
    lines: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    """Runs of lines between empty ones."""
    found: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            found.append(line.rstrip())
        elif found:
            yield Block(number - len(found), tuple(found))
            found = []


def scenarios(path: Path) -> list[Scenario]:
    """Every command of a file with its world."""
    base: tuple[str, ...] = ()
    world: tuple[str, ...] = ()
    found = []
    for block in blocks(path.read_text(encoding="utf-8")):
        lines = [line for line in block.lines if not line.startswith("#")]
        if not lines:
            continue
        if lines[0] == "given":
            base = world = tuple(lines[1:])
        elif lines[0] == "also":
            world = changed(base, lines[1:])
        else:
            command, expected = split(path, block)
            found.append(Scenario(path, block.start, world, command, expected))
    return found


def split(path: Path, block: Block) -> tuple[str, str]:
    """A command and its output."""
    lines = [line for line in block.lines if not line.startswith("#")]
    if len(lines) < 2 or lines[1] != "----":
        raise Impossible(f"{path.name}:{block.start}: a command is followed by ----")
    return lines[0], "\n".join(lines[2:])


def changed(base: tuple[str, ...], lines: list[str]) -> tuple[str, ...]:
    """The base with lines replaced, added, or taken away."""
    kept = {key(line): line for line in base}
    for line in lines:
        if line.startswith("- "):
            del kept[key(line.removeprefix("- "))]
        else:
            kept[key(line)] = line
    return tuple(kept.values())


def key(line: str) -> tuple[str, ...]:
    """What a line is about."""
    words = line.split()
    return tuple(words[: KEYED.get(words[0], 1)]) if words[0] != "agent" else tuple(words[:2])


def rewritten(path: Path, outputs: dict[int, str]) -> str:
    """The file's text with new outputs, by the line where each block begins."""
    out = []
    for block in blocks(path.read_text(encoding="utf-8")):
        lines = list(block.lines)
        if block.start in outputs:
            at = lines.index("----")
            lines = [*lines[: at + 1], *outputs[block.start].splitlines()]
        out.append("\n".join(lines))
    return "\n\n".join(out) + "\n"
