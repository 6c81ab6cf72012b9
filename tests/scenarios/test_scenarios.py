"""Transcripts of decisions and plans, held against production code; SCENARIOS=rewrite writes what comes out now.

Every row of every table must matter to some transcript: taking it away in memory must change an output.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from failoverd.decide.judge import TABLES, Tables
from failoverd.verify.invariants import INVARIANTS
from tests.scenarios.commands import PRODUCTION, Rows, run
from tests.scenarios.transcript import Scenario, key, rewritten, scenarios
from tests.scenarios.words import Impossible
from tests.scenarios.world import World, build

FILES = sorted(Path(__file__).parent.glob("*.txt"))
NAMES = ("rules", "refusals", "obstacles", "problems")
# The commands whose output shows a table; the others need not be run to see that a row is gone.
SHOWN_BY = {
    "rules": ("judge",),
    "refusals": ("judge", "plan", "closing", "reopen", "rejoin"),
    "obstacles": ("closing", "plan"),
    "problems": ("judge",),
    "invariants": ("verify",),
}


@cache
def everything() -> tuple[tuple[Scenario, World], ...]:
    return tuple((one, build(one.world)) for path in FILES for one in scenarios(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    found = scenarios(path)
    assert found, f"{path.name} holds no command"
    outputs = {one.line: run(one.command, build(one.world)) for one in found}
    if os.environ.get("SCENARIOS") == "rewrite":
        path.write_text(rewritten(path, outputs), encoding="utf-8")
        return
    wrong = [f"{one.name} {one.command}\n{outputs[one.line]}" for one in found if outputs[one.line] != one.expected]
    assert not wrong, "\n\n".join(wrong)


def test_there_are_many() -> None:
    assert len(everything()) >= 240


def without(name: str, index: int) -> Rows:
    if name == "invariants":
        return TABLES, INVARIANTS[:index] + INVARIANTS[index + 1 :]
    table = getattr(TABLES, name)
    return replace(TABLES, **{name: table[:index] + table[index + 1 :]}), INVARIANTS


def rows() -> list[tuple[str, int, str]]:
    found = [(name, i, row.id) for name in NAMES for i, row in enumerate(getattr(TABLES, name))]
    return found + [("invariants", i, row.id) for i, row in enumerate(INVARIANTS)]


@pytest.mark.parametrize(("name", "index", "row"), rows(), ids=str)
def test_every_row_matters(name: str, index: int, row: str) -> None:
    less = without(name, index)
    shown = [pair for pair in everything() if pair[0].command.split()[0] in SHOWN_BY[name]]
    assert any(run(one.command, world, less) != one.expected for one, world in shown), (
        f"no transcript notices that {row} is gone from the {name}"
    )


@cache
def neighbours(index: int) -> tuple[int, ...]:
    """Scenarios with the same command whose worlds differ from this one by a single line."""
    mine = everything()[index][0]
    found = []
    for other, (one, _) in enumerate(everything()):
        differing = {key(line) for line in set(one.world) ^ set(mine.world)}
        if one.command == mine.command and len(differing) == 1:
            found.append(other)
    return tuple(found)


def fires(index: int, less: Rows) -> bool:
    """Whether a row matters to a scenario: without it, something else comes out."""
    one, world = everything()[index]
    return run(one.command, world, less) != one.expected


@pytest.mark.parametrize(("name", "index", "row"), rows(), ids=str)
def test_every_row_has_a_near_miss(name: str, index: int, row: str) -> None:
    """One line of the world is changed, and the row that mattered does not matter any more."""
    less = without(name, index)
    shown = [i for i, (one, _) in enumerate(everything()) if one.command.split()[0] in SHOWN_BY[name]]
    assert any(fires(i, less) and any(not fires(n, less) for n in neighbours(i)) for i in shown), (
        f"no transcript shows by how little {row} of the {name} is missed"
    )


def test_every_rule_has_a_near_miss() -> None:
    """Each rule decides somewhere, and is passed over where a rule further down decides."""
    order = [rule.id for rule in TABLES.rules]
    decided = [one.expected.split(" by ")[1].split(":")[0] for one, _ in everything() if one.command == "judge"]
    assert set(order) <= set(decided)
    last = {order[-1]}
    missed = {rule for rule in order if any(order.index(other) > order.index(rule) for other in decided)}
    assert set(order) - last == missed


def test_identities_of_rows_are_unique() -> None:
    for name in NAMES:
        ids = [row.id for row in getattr(TABLES, name)]
        assert len(ids) == len(set(ids))


IMPOSSIBLE = {
    "two-identities": ("db1 up", "db2 replica uuid=db1"),
    "purged-beyond": ("db1 up", "db2 replica purged=db1:1-200"),
    "answers-without-process": ("db1 up", "agent db1 dead"),
    "down-never-missed": ("db1 down", "db2 replica"),
    "up-and-missed": ("db1 up", "db2 replica", "history misses=2"),
    "follows-itself": ("db1 up", "db2 replica from=db2"),
    "probes-itself": ("db1 up", "probe db1 ok"),
    "twice": ("db1 up", "db1 up"),
    "stranger": ("db1 up", "probe db7 ok"),
    "negative-age": ("db1 up", "db2 replica delay=-1"),
    "typing-error": ("db1 up", "db2 replica recieved=db1:1-2"),
    "odd-name": ("primary up",),
    "agent-says-maybe": ("db1 up", "agent db1 maybe"),
}


@pytest.mark.parametrize("lines", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_worlds_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(Impossible):
        build(lines)


def test_a_rewritten_file_reads_the_same(tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    for path in FILES:
        outputs = {one.line: one.expected for one in scenarios(path)}
        copy.write_text(rewritten(path, outputs), encoding="utf-8")
        again = [(one.world, one.command, one.expected) for one in scenarios(copy)]
        assert again == [(one.world, one.command, one.expected) for one in scenarios(path)]


def test_a_wrong_output_is_noticed() -> None:
    one, world = everything()[0]
    assert run(one.command, world, PRODUCTION) == one.expected
    assert run(one.command, world, (Tables(rules=TABLES.rules[-1:]), INVARIANTS)) != one.expected


def test_tables_without_rules_are_an_error() -> None:
    one, world = next(pair for pair in everything() if pair[0].command == "judge")
    assert run(one.command, world, (Tables(rules=()), INVARIANTS)).startswith("InvariantBroken")
