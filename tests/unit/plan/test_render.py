"""A plan in words."""

from __future__ import annotations

from failoverd.model.plans import Kind, Plan
from failoverd.model.verdict import Refusal
from failoverd.plan.render import render_plan


def test_no_line_ends_in_blanks_and_every_refusal_is_named() -> None:
    refusals = (Refusal("cooldown", "too early", "10 s", "3600 s"), Refusal("paused", "by anna"))
    text = render_plan(Plan("shop", Kind.FAILOVER, "db1", "", (), refusals=refusals))
    assert text.splitlines() == [
        "shop: failover of db1",
        "  new primary: nobody",
        "  refused, cooldown: too early (10 s, limit 3600 s)",
        "  refused, paused: by anna",
    ]


def test_a_cluster_without_a_record() -> None:
    assert render_plan(Plan("shop", Kind.REOPEN, "", "", ())).startswith("shop: reopening of nobody\n")
