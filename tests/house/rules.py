"""All house rules in one table: the name a failure shows, and the function that finds what breaks it.

Start here. Ruff, mypy and import-linter judge the rest; their tables are in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.house import architecture, coverage, hygiene, shapes, sizes, surface, words
from tests.house.tree import Finding

Rule = Callable[[Path], Iterator[Finding]]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "a file is short": sizes.long_files,
        "the limits stay where they are": sizes.loosened_limits,
        "each word has one meaning": words.banned_words,
        "one of them is no plural": words.plurals_by_hand,
        "comments hold no tickets": words.ticket_numbers,
        "the tree names no machine": words.traces_of_this_machine,
        "data is frozen": shapes.loose_dataclasses,
        "pure code asks nothing": shapes.impure_calls,
        "the agent travels light": shapes.agent_diet,
        "pure code needs no mock": shapes.mocks_of_pure_code,
        "every test runs": shapes.excused_tests,
        "a test folder holds tests": shapes.empty_folders,
        "we make no transaction": hygiene.errant_statements,
        "the architecture page draws the tree": architecture.wrong_picture,
        "the architecture page leads to places": architecture.wrong_places,
        "every package has its contract": architecture.forgotten_contracts,
        "coverage rows hold": coverage.broken_rows,
        "every fault has a row": coverage.missing_faults,
        "contract rows have a kind": coverage.unknown_kinds,
        "every command has a row": surface.unlisted_commands,
        "every option has a row": surface.unlisted_options,
        "every verdict has a row": surface.unlisted_verdicts,
        "every refusal has a row": surface.unlisted_refusals,
        "every key has a row": surface.unlisted_keys,
        "every JSON field has a row": surface.unlisted_fields,
    }
)
