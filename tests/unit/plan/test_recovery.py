"""As few sources as possible, and each asked only for its part."""

from __future__ import annotations

from failoverd.model.sources import Route, Source
from failoverd.plan.estimate import eta
from failoverd.plan.failover import plan_opening, plan_reopen
from failoverd.plan.recovery import choose_sources
from failoverd.plan.times import bringing
from tests.scenarios.words import gtids
from tests.scenarios.world import build


def source(server: str, route: Route, text: str, size: int = 0) -> Source:
    return Source(server, route, gtids(text), size)


def chosen(need: str, *sources: Source) -> list[tuple[str, str]]:
    return [(s.server, s.route.name) for s in choose_sources(gtids(need), sources)]


def test_one_that_has_everything_is_enough() -> None:
    small = source("db1", Route.OLD_PRIMARY_LOGS, "db1:1-5")
    whole = source("db3", Route.PEER_RELAY_LOGS, "db1:1-9")
    assert chosen("db1:1-9", small, whole) == [("db3", "PEER_RELAY_LOGS")]


def test_between_equals_the_more_trusted() -> None:
    routes = [source(f"db{n}", route, "db1:1-9") for n, route in enumerate(reversed(Route), 1)]
    for most in range(len(Route), 0, -1):
        assert chosen("db1:2-3", *routes[:most]) == [(f"db{most}", Route(len(Route) - most).name)]


def test_parts_do_not_overlap_and_carry_their_share_of_bytes() -> None:
    many = source("db2", Route.PEER_BINARY_LOGS, "db1:1-8", 8000)
    rest = source("db3", Route.PEER_BINARY_LOGS, "db1:5-10", 6000)
    parts = choose_sources(gtids("db1:1-10"), (many, rest))
    assert [(p.server, p.gtids, p.size) for p in parts] == [
        ("db2", gtids("db1:1-8"), 8000),
        ("db3", gtids("db1:9-10"), 2000),
    ]


def test_what_nobody_has_is_left_over() -> None:
    assert chosen("db1:1-2") == []
    assert chosen("db1:1-2", source("db2", Route.REPLICATION, "db1:9")) == []
    assert chosen("", source("db2", Route.REPLICATION, "db1:9")) == []


def test_an_outer_limit_is_far_above_a_healthy_run() -> None:
    """200,000 transactions of 500 MB took 46 to 240 seconds: the limit of their step must lie above."""
    assert bringing(gtids("db1:1-200000"), 500_000_000, 30.0) > 4 * 240
    assert bringing(gtids(""), 0, 30.0) == 30.0


def test_a_guess_counts_the_slowest_of_each_group() -> None:
    stuck = build(["db1 down", "db2 replica receiver=connecting", "db3 replica", "history misses=1 down=0"])
    plan = plan_opening(stuck.snapshot, stuck.history, stuck.policy)
    assert 2.0 < eta(plan.groups, stuck.snapshot, {}) < 2.1
    quick = build(["db1 down", "db2 replica", "history misses=1 down=0"])
    plan = plan_opening(quick.snapshot, quick.history, quick.policy)
    assert eta(plan.groups, quick.snapshot, {}) < 0.2


def test_a_refused_reopening_has_no_steps() -> None:
    world = build(["db1 up ro started=1", "db2 replica", "history started=900 paused=x"])
    assert plan_reopen(world.snapshot, world.history, world.policy).titles()[-1] == "PROMOTE: publish db1 as primary"
    assert not plan_reopen(world.snapshot, world.history, world.policy, ()).refusals
