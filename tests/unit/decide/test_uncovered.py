"""What a check leaves open, by the cluster's settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failoverd.decide.uncovered import ROWS, uncovered
from failoverd.model.hooks import HookPolicy
from failoverd.model.policy import ClusterPolicy
from failoverd.model.traffic import TrafficPolicy, Vip

PLAIN = ClusterPolicy("shop", ())
VIP = Vip("10.0.0.100", 24, "eth0")
ALWAYS = {"together", "fence", "rows"}


@pytest.mark.parametrize(
    ("policy", "more"),
    [
        (PLAIN, {"unreceived", "clients"}),
        (replace(PLAIN, durability="lossless"), {"clients"}),
        (replace(PLAIN, traffic=TrafficPolicy(vip=VIP)), {"unreceived"}),
        (replace(PLAIN, hooks=HookPolicy("/hooks.d", 10.0, (("fence", 1),))), {"unreceived", "clients", "hooks"}),
    ],
    ids=["as it comes", "lossless", "an address", "hooks"],
)
def test_what_is_left_open(policy: ClusterPolicy, more: set[str]) -> None:
    assert {row.id for row in uncovered(policy)} == ALWAYS | more


def test_every_row_has_an_id_of_its_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)
