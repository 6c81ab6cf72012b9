"""A real Prometheus scrapes two managers through a failover; every query of the dashboard and every alert is asked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.real_mysqld import free_port
from tests.acceptance.rehearsal import MANAGERS, eventually, rehearsal

CONF = Path(__file__).parents[2] / "conf"


class Prometheus:
    """A Prometheus with our own files, but for where the managers are and how often they are asked."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def asked(self, path: str, **query: str) -> Any:
        """The data of an answer."""
        with urllib.request.urlopen(f"{self._url}/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> list[tuple[dict[str, str], float]]:
        """What a query gives now: labels and values."""
        return [(row["metric"], float(row["value"][1])) for row in self.asked("query", query=query)["result"]]

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.asked("alerts")["alerts"] if alert["state"] == "firing"}


@contextmanager
def prometheus(lab: Lab, folder: Path) -> Iterator[Prometheus]:
    """It runs in the namespace of this machine, from where the lab's hosts are reached."""
    port = free_port()
    document = yaml.safe_load((CONF / "prometheus/scrape.yml").read_text(encoding="utf-8"))
    (job,) = document["scrape_configs"]
    job |= {
        "scrape_interval": "1s",
        "static_configs": [{"targets": [f"{lab.hosts[m].address}:8008" for m in MANAGERS]}],
    }
    document["global"]["evaluation_interval"] = "1s"
    shutil.copy(CONF / "prometheus/failoverd.rules.yml", folder)
    (folder / "prometheus.yml").write_text(json.dumps(document), encoding="utf-8")
    words = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait(timeout=10)


def seen(one: Prometheus, query: str) -> list[tuple[dict[str, str], float]]:
    """What a query gives; nothing while Prometheus is still starting."""
    try:
        return one.value(query)
    except OSError:
        return []


def dashboard() -> list[tuple[str, str]]:
    """Every query of the dashboard with its panel's title."""
    document = json.loads((CONF / "grafana/failoverd.json").read_text(encoding="utf-8"))
    found = [(panel["title"], target["expr"]) for panel in document["panels"] for target in panel["targets"]]
    return [(title, query.replace("$cluster", ".*")) for title, query in found]


def empty(watched: Prometheus) -> list[str]:
    """The panels that have had nothing to show in the last minutes."""
    return [title for title, query in dashboard() if not watched.value(f"last_over_time(({query})[10m:1s])")]


def test_a_failover_is_seen_on_the_dashboard_and_every_alert_can_be_asked(lab: LabFactory, tmp_path: Path) -> None:
    one = lab(settings={"manager": {"listen": "0.0.0.0:8008"}})
    with prometheus(one, tmp_path) as watched, rehearsal(one) as play:
        play.begin()
        eventually(lambda: seen(watched, "failoverd_healthy"), lambda rows: len(rows) == 2, "both managers scraped")
        play.kill_primary()
        shown = play.ended()
        outage = 'max(failoverd_last_operation_outage_seconds{kind="failover"})'
        ((_, told),) = eventually(lambda: watched.value(outage), bool, "what it cost")
        assert abs(told - shown["outage_seconds"]) < 0.001
        writable = 'max by (server) (failoverd_server_writable{server="%s"}) == 1'
        eventually(lambda: watched.value(writable % shown["new_primary"]), bool, "the new primary")
        eventually(watched.firing, lambda alerts: "FailoverdFailedOver" in alerts, "an alert")
        os.kill(one.mysqld_pid(shown["new_primary"]), signal.SIGKILL)
        eventually(lambda: watched.value('failoverd_refusal{refusal="cooldown"}'), bool, "what stands against another")
        eventually(lambda: empty(watched), lambda titles: titles == [], "data for every panel")
        rules = [rule for group in watched.asked("rules")["groups"] for rule in group["rules"]]
        assert rules
        assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
        for name in MANAGERS:
            play.managers.end(name)
        eventually(lambda: watched.value('ALERTS{alertname="FailoverdGone"}'), bool, "the dead man")
