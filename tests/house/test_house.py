"""The house rules on this tree."""

from __future__ import annotations

import pytest

from tests.house.rules import RULES
from tests.house.tree import ROOT


@pytest.mark.parametrize("name", RULES)
def test_the_tree_keeps_the_rule(name: str) -> None:
    try:
        findings = sorted(map(str, RULES[name](ROOT)))
    except SyntaxError as error:
        pytest.fail(f"{error.filename}:{error.lineno}: {error.msg}", pytrace=False)
    if findings:
        pytest.fail(f"{name}:\n" + "\n".join(findings), pytrace=False)
