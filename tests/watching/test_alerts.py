"""Each alert fires for what it is named after and for nothing else, judged by Prometheus's own tool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "conf/prometheus/failoverd.rules.yml"
PAGE = ROOT / "docs/watching.md"
HOURS = 5
ALWAYS = f"x{HOURS * 60}"

# What two managers of one healthy cluster say, each of them a scrape of its own.
CLUSTER = {
    **dict.fromkeys(("look_age_seconds", "paused", "operation"), 0),
    **dict.fromkeys(("healthy", "managed", "standbys", "coordination", "journal_writable"), 1),
    "epoch": 7,
}
SERVER = {
    "server_up": 1,
    "server_agent": 1,
    "server_problems": 0,
    "server_lag_seconds": 0,
    "server_probe_seconds": 0.002,
}


@dataclass(frozen=True)
class Case:
    """What differs from the healthy cluster from the first minute on, and which alerts fire for it at its time.

    A series is named without what all have: `healthy`, `server_up db2`, `verdict blind`; `*` is every one of them.
    """

    name: str
    fires: frozenset[str]
    changes: Mapping[str, str]
    minutes: int


def case(name: str, fires: str, change: str = "", minutes: int = 30) -> Case:
    """A row of the table: alerts by their names without the first word, and one series with what it is now."""
    series, _, value = change.partition("=")
    alerts = frozenset(f"Failoverd{one}" for one in fires.split())
    return Case(name, alerts, {series: value} if change else {}, minutes)


CASES = (
    case("healthy", ""),
    case("all metrics are gone", "Gone ClusterUnwatched", "*=stale"),
    case("managers that do not answer", "ManagerDown", "up=0"),
    case("a look that is old", "Gone ClusterUnwatched LookOld", "look_age_seconds=60"),
    case("nobody is active", "NobodyActive", "managed=0"),
    case("coordination is lost", "CoordinationLost", "coordination=0"),
    case("a journal that cannot be written", "JournalUnwritable", "journal_writable=0"),
    case("no standby", "NoStandby", "standbys=0"),
    case("no standby for a moment", "", "standbys=0", 5),
    case("not healthy", "NotHealthy", "healthy=0"),
    case("not healthy for a moment", "", "healthy=0", 2),
    case("paused for long", "PausedLong", "paused=1", 250),
    case("paused for two hours", "", "paused=1", 120),
    case("an operation that stays open", "OperationOpen", "operation=1"),
    case("a dead primary", "PrimaryInTrouble", "verdict primary-dead=1"),
    case("blind", "CannotSee", "verdict blind=1"),
    case("inconsistent", "CannotSee", "verdict inconsistent=1"),
    case("suspect", "", "verdict suspect=1"),
    case("a refusal", "Refusal", "refusal cooldown=1"),
    case("nobody takes writes", "NoPrimary", "server_writable db1=0"),
    case("two take writes", "TwoWriters", "server_writable db2=1"),
    case("a server that is down", "ServerDown", "server_up db2=0"),
    case("an agent that is away", "AgentMissing", "server_agent db2=0"),
    case("a replica far behind", "ReplicaBehind", "server_lag_seconds db2=90"),
    case("a server that is slow to answer", "ProbeSlow", "server_probe_seconds db2=0.4"),
    case("a server with problems", "ServerProblem", "server_problems db2=2"),
    case("a failover", "FailedOver", "last_operation_timestamp_seconds failover=60"),
    case("a failover long ago", "", "last_operation_timestamp_seconds failover=60", 90),
    case("transactions lost", "LostTransactions", "last_operation_lost_transactions failover=3"),
)

LABELS = {"verdict": "verdict", "refusal": "refusal", "last": "kind", "server": "server"}


def series(name: str, instance: str) -> str:
    """The full name of a series."""
    metric, _, of = name.partition(" ")
    common = f'job="failoverd",instance="{instance}"'
    if metric == "up":
        return f"up{{{common}}}"
    more = f',{LABELS[metric.partition("_")[0]]}="{of}"' if of else ""
    return f'failoverd_{metric}{{{common},cluster="shop"{more}}}'


def healthy() -> dict[str, str]:
    """Every series with its value."""
    said = {"up": "1", "server_writable db1": "1", "server_writable db2": "0"}
    said |= {name: str(value) for name, value in CLUSTER.items()}
    return said | {f"{name} {server}": str(value) for name, value in SERVER.items() for server in ("db1", "db2")}


def document(one: Case) -> dict[str, object]:
    """One test of promtool's: the series, and how many of each alert fire at that time."""
    values = {name: f"{value}{ALWAYS}" for name, value in healthy().items()}
    if "*" in one.changes:
        values = {name: f"{value.removesuffix(ALWAYS)}x3 stale" for name, value in values.items()}
    else:
        values |= {name: f"{healthy().get(name, '0')} {value}{ALWAYS}" for name, value in one.changes.items()}
    fired = 'group by (alertname) (ALERTS{alertstate="firing"})'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(one.fires)]
    return {
        "interval": "1m",
        "name": one.name,
        "input_series": [
            {"series": series(name, instance), "values": value}
            for name, value in values.items()
            for instance in ("10.0.0.1:8008", "10.0.0.2:8008")
        ],
        "promql_expr_test": [{"expr": fired, "eval_time": f"{one.minutes}m", "exp_samples": samples}],
    }


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_rules_are_right() -> None:
    made = promtool("check", "rules", str(RULES))
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_what_fires(one: Case, tmp_path: Path) -> None:
    page = tmp_path / "tests.yml"
    page.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [document(one)]}))
    made = promtool("test", "rules", str(page))
    assert made.returncode == 0, made.stdout + made.stderr


def test_every_alert_has_a_case_and_a_place_on_the_page() -> None:
    named = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    assert named == {name for one in CASES for name in one.fires}
    assert named == set(re.findall(r"^\| `(Failoverd\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
