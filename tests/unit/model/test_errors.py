"""Errors carry what happened, where, and what to do, and one line says it all."""

from __future__ import annotations

import pytest

from failoverd.model.errors import AgentError, ConnectFailed, FailoverdError, PlanRefused, ServerError
from failoverd.model.sight import Why
from failoverd.model.verdict import Refusal


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FailoverdError("no such server"), "no such server"),
        (FailoverdError("no such server", "db9"), "no such server: db9"),
        (FailoverdError("no such server", "db9", "there are db1, db2"), "no such server: db9 (there are db1, db2)"),
        (FailoverdError("no such server", hint="look"), "no such server (look)"),
    ],
)
def test_text(error: FailoverdError, text: str) -> None:
    assert str(error) == text


def test_what_a_program_may_ask() -> None:
    assert ServerError("x", code=1205).code == 1205
    failed = ConnectFailed("x", why=Why.REFUSED)
    assert (failed.why, failed.code) == (Why.REFUSED, 0)
    assert AgentError("x", code="BUSY").code == "BUSY"
    refused = PlanRefused("refused", (Refusal("a", "too early"), Refusal("b", "paused")), "wait")
    assert "too early; paused" in str(refused)
    assert [r.id for r in refused.refusals] == ["a", "b"]
