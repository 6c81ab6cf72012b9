"""What Prometheus reads: gauges made from the last status documents, anew for each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from failoverd.gtid import GtidSet

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


def active(document: Document) -> Iterator[Sample]:
    """Who holds the lock."""
    if document["active_manager"] is not None:
        yield (document["name"], document["active_manager"]), 1.0


def refusals(document: Document) -> Iterator[Sample]:
    """What stands against acting now."""
    for refusal in document["refusals"]:
        yield (document["name"], refusal["id"]), 1.0


def journal(document: Document) -> bool | None:
    """Whether the journal takes records; not known while coordination is lost."""
    if document["coordination"] == "lost":
        return None
    return all(refusal["id"] != "journal-unwritable" for refusal in document["refusals"])


def writable(server: Document) -> bool | None:
    """Whether a server takes writes; not known where it does not answer."""
    return server["read_only"] is False if server["reachable"] else None


def waiting(server: Document) -> int | None:
    """Transactions that a server has received and not executed."""
    received, executed = server["gtid_received"], server["gtid_executed"]
    return None if received is None else (GtidSet.parse(received) - GtidSet.parse(executed)).count()


def answered_in(document: Document) -> Iterator[Sample]:
    """How long servers took to answer in the last published look."""
    for server, seconds in document["answered_in"].items():
        yield (document["name"], server), seconds


def last(value: Callable[[Document], object]) -> Callable[[Document], Iterator[Sample]]:
    """One number of the newest operation of each kind that this manager ended; nothing before one."""

    def samples(document: Document) -> Iterator[Sample]:
        for operation in document["last_operations"]:
            found = value(operation)
            if found is not None:
                yield (document["name"], operation["kind"], operation["outcome"]), float(str(found))

    return samples


def seconds_of(text: str | None) -> float | None:
    """A published time as seconds of the clock that Prometheus counts by."""
    return datetime.fromisoformat(text).timestamp() if text else None


CLUSTER, SERVER, LAST = ("cluster",), ("cluster", "server"), ("cluster", "kind", "outcome")
METRICS = (
    Metric(
        "failoverd_look_age_seconds",
        "Seconds since this manager last said something; above 15 nothing else here means now.",
        CLUSTER,
        of_cluster(lambda d: d["age"]),
    ),
    Metric(
        "failoverd_healthy", "1 while the verdict is healthy.", CLUSTER, of_cluster(lambda d: d["verdict"] == "healthy")
    ),
    Metric(
        "failoverd_healthy_age_seconds",
        "Seconds since this manager last found it healthy.",
        CLUSTER,
        of_cluster(lambda d: d["healthy_age"]),
    ),
    Metric("failoverd_verdict", "1 for the verdict in force.", ("cluster", "verdict"), verdicts),
    Metric("failoverd_refusal", "1 for each refusal that stands.", ("cluster", "refusal"), refusals),
    Metric(
        "failoverd_ready",
        "1 while a failover could be done: see /health/ready.",
        CLUSTER,
        of_cluster(lambda d: d["ready"]),
    ),
    Metric("failoverd_epoch", "The epoch of the last look.", CLUSTER, of_cluster(lambda d: d["epoch"])),
    Metric(
        "failoverd_managed",
        "1 while some manager is active.",
        CLUSTER,
        of_cluster(lambda d: d["active_manager"] is not None),
    ),
    Metric(
        "failoverd_active",
        "1 for the manager that is active.",
        ("cluster", "manager"),
        active,
    ),
    Metric("failoverd_standbys", "Managers in line.", CLUSTER, of_cluster(lambda d: len(d["standby_managers"]))),
    Metric(
        "failoverd_coordination",
        "1 unless coordination is lost.",
        CLUSTER,
        of_cluster(lambda d: d["coordination"] != "lost"),
    ),
    Metric(
        "failoverd_journal_writable",
        "0 where the last operation that was begun could not be written down.",
        CLUSTER,
        of_cluster(journal),
    ),
    Metric("failoverd_paused", "1 while paused.", CLUSTER, of_cluster(lambda d: d["paused"] is not None)),
    Metric(
        "failoverd_operation",
        "1 while an operation is open.",
        CLUSTER,
        of_cluster(lambda d: d["operation"] is not None),
    ),
    Metric(
        "failoverd_last_operation_timestamp_seconds",
        "When the newest operation of each kind that this manager ended came to its end.",
        LAST,
        last(lambda o: seconds_of(o["ended"])),
    ),
    Metric(
        "failoverd_last_operation_outage_seconds",
        "How long nobody took writes in it.",
        LAST,
        last(lambda o: o["outage_seconds"]),
    ),
    Metric(
        "failoverd_last_operation_lost_transactions",
        "Transactions known to be lost in it.",
        LAST,
        last(lambda o: o["lost"]["transactions"]),
    ),
    Metric("failoverd_server_up", "1 where the server answers.", SERVER, of_servers(lambda s: s["reachable"])),
    Metric(
        "failoverd_server_probe_seconds",
        "How long it took to answer the last look that was told, at least every five seconds.",
        SERVER,
        answered_in,
    ),
    Metric("failoverd_server_writable", "1 where it takes writes.", SERVER, of_servers(writable)),
    Metric(
        "failoverd_server_lag_seconds",
        "How far it is behind its source.",
        SERVER,
        of_servers(lambda s: s["lag_seconds"]),
    ),
    Metric(
        "failoverd_server_waiting_transactions",
        "Transactions that it has received and not executed.",
        SERVER,
        of_servers(waiting),
    ),
    Metric(
        "failoverd_server_problems", "Problems that the status names.", SERVER, of_servers(lambda s: len(s["problems"]))
    ),
    Metric("failoverd_server_agent", "1 where its agent answers.", SERVER, of_servers(lambda s: s["agent"] == "ok")),
)
SCORE = "failoverd_readiness_score"
NO_SCORES: Mapping[str, float] = MappingProxyType({})


def exposition(documents: Iterable[Document], scores: Mapping[str, float] = NO_SCORES) -> bytes:
    """The text of one scrape; a cluster that was not looked at yet has no samples. `scores` are how ready each cluster
    was found to be.
    """
    registry, seen = CollectorRegistry(), [document for document in documents if "verdict" in document]
    score = Gauge(SCORE, "How ready the cluster was found to be, 0 to 100.", CLUSTER, registry=registry)
    for cluster, points in scores.items():
        score.labels(cluster).set(points)
    for metric in METRICS:
        gauge = Gauge(metric.name, metric.about, metric.labels, registry=registry)
        for document in seen:
            for labels, value in metric.samples(document):
                gauge.labels(*labels).set(value)
    return bytes(generate_latest(registry))
