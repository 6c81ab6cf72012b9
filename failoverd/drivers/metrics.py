"""What Prometheus reads: gauges made from the last status documents, anew for each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

Document = Mapping[str, Any]
Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One gauge: its name, its sentence, its labels, and what it takes from a cluster's status."""

    name: str
    about: str
    labels: tuple[str, ...]
    samples: Callable[[Document], Iterator[Sample]]


def of_cluster(value: Callable[[Document], object]) -> Callable[[Document], Iterator[Sample]]:
    """One number of the cluster; nothing where it is not known."""

    def samples(document: Document) -> Iterator[Sample]:
        found = value(document)
        if found is not None:
            yield (document["name"],), float(str(int(found) if isinstance(found, bool) else found))

    return samples


def of_servers(value: Callable[[Document], object]) -> Callable[[Document], Iterator[Sample]]:
    """One number of each server; nothing where it is not known."""

    def samples(document: Document) -> Iterator[Sample]:
        for server in document["servers"]:
            found = value(server)
            if found is not None:
                number = int(found) if isinstance(found, bool) else found
                yield (document["name"], server["name"]), float(str(number))

    return samples


def verdicts(document: Document) -> Iterator[Sample]:
    """The verdict in force is 1; others are not shown."""
    yield (document["name"], document["verdict"]), 1.0


def refusals(document: Document) -> Iterator[Sample]:
    """What stands against acting now."""
    for refusal in document["refusals"]:
        yield (document["name"], refusal["id"]), 1.0


def writable(server: Document) -> bool | None:
    """Whether a server takes writes; not known where it does not answer."""
    return server["read_only"] is False if server["reachable"] else None


CLUSTER, SERVER = ("cluster",), ("cluster", "server")
METRICS = (
    Metric(
        "failoverd_healthy",
        "1 while the verdict is healthy.",
        CLUSTER,
        of_cluster(lambda d: d["verdict"] == "healthy"),
    ),
    Metric("failoverd_verdict", "1 for the verdict in force.", ("cluster", "verdict"), verdicts),
    Metric("failoverd_refusal", "1 for each refusal that stands.", ("cluster", "refusal"), refusals),
    Metric("failoverd_epoch", "The epoch of the last look.", CLUSTER, of_cluster(lambda d: d["epoch"])),
    Metric(
        "failoverd_managed",
        "1 while some manager is active.",
        CLUSTER,
        of_cluster(lambda d: d["active_manager"] is not None),
    ),
    Metric("failoverd_standbys", "Managers in line.", CLUSTER, of_cluster(lambda d: len(d["standby_managers"]))),
    Metric(
        "failoverd_coordination",
        "1 unless coordination is lost.",
        CLUSTER,
        of_cluster(lambda d: d["coordination"] != "lost"),
    ),
    Metric("failoverd_paused", "1 while paused.", CLUSTER, of_cluster(lambda d: d["paused"] is not None)),
    Metric(
        "failoverd_operation",
        "1 while an operation is open.",
        CLUSTER,
        of_cluster(lambda d: d["operation"] is not None),
    ),
    Metric("failoverd_server_up", "1 where the server answers.", SERVER, of_servers(lambda s: s["reachable"])),
    Metric("failoverd_server_writable", "1 where it takes writes.", SERVER, of_servers(writable)),
    Metric(
        "failoverd_server_lag_seconds",
        "How far it is behind its source.",
        SERVER,
        of_servers(lambda s: s["lag_seconds"]),
    ),
    Metric(
        "failoverd_server_problems", "Problems that the status names.", SERVER, of_servers(lambda s: len(s["problems"]))
    ),
    Metric("failoverd_server_agent", "1 where its agent answers.", SERVER, of_servers(lambda s: s["agent"] == "ok")),
)
AGE = "failoverd_look_age_seconds"
SCORE = "failoverd_readiness_score"
NO_SCORES: Mapping[str, float] = MappingProxyType({})


def exposition(
    documents: Mapping[str, Document], ages: Mapping[str, float], scores: Mapping[str, float] = NO_SCORES
) -> bytes:
    """The text of one scrape; `ages` are the seconds since each cluster was last spoken of, `scores` how ready each one
    was found to be.
    """
    registry = CollectorRegistry()
    age = Gauge(AGE, "Seconds since this manager last said something.", CLUSTER, registry=registry)
    for cluster, seconds in ages.items():
        age.labels(cluster).set(seconds)
    score = Gauge(SCORE, "How ready the cluster was found to be, 0 to 100.", CLUSTER, registry=registry)
    for cluster, points in scores.items():
        score.labels(cluster).set(points)
    for metric in METRICS:
        gauge = Gauge(metric.name, metric.about, metric.labels, registry=registry)
        for document in documents.values():
            for labels, value in metric.samples(document):
                gauge.labels(*labels).set(value)
    return bytes(generate_latest(registry))
