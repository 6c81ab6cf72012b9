"""Features of servers that people should know about before an incident: a table, each row with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from failoverd.model.features import Features
from failoverd.model.finding import Finding, Severity
from failoverd.model.policy import ClusterPolicy

NDB = "ndbcluster"
ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: `found` gives a detail for the sentence, or None where the server does not use it."""

    id: str
    severity: Severity
    sentence: str
    hint: str
    found: Callable[[Features], str | None]


def _engines(features: Features) -> str | None:
    told = [f"{e.tables} of {e.name}, {e.example} for one" for e in features.engines if e.name.lower() != NDB]
    return "; ".join(told) or None


def _ndb(features: Features) -> str | None:
    return next((e.example for e in features.engines if e.name.lower() == NDB), None)


def _prepared(features: Features) -> str | None:
    return str(features.prepared) if features.prepared else None


def _asleep(features: Features) -> str | None:
    return ", ".join(features.asleep) or None


ROWS: tuple[Row, ...] = (
    Row(
        "group-plugin",
        ERROR,
        "{name} has group replication loaded: failoverd does not manage groups",
        "UNINSTALL PLUGIN group_replication, or leave the cluster to what manages the group",
        lambda f: "" if f.group else None,
    ),
    Row(
        "ndb",
        ERROR,
        "{name} has tables of NDB, {detail} for one: failoverd does not manage NDB clusters",
        "leave it to NDB's own replication",
        _ndb,
    ),
    Row(
        "other-engines",
        WARNING,
        "{name} has tables without transactions: {detail}; a crash can leave half of a change in them",
        "ALTER TABLE ... ENGINE=InnoDB",
        _engines,
    ),
    Row(
        "prepared-xa",
        WARNING,
        "prepared transactions on {name}: {detail}; they can commit on a server that was closed, so a switchover waits",
        "XA RECOVER, then XA COMMIT or XA ROLLBACK by whoever began them",
        _prepared,
    ),
    Row(
        "events-disabled",
        WARNING,
        "events on {name} stay disabled when it is promoted: {detail}",
        "enable them by a hook in on-promoted.d; a report of a failover tells the statements",
        _asleep,
    ),
)


def used(policy: ClusterPolicy, features: Mapping[str, Features], rows: tuple[Row, ...] = ROWS) -> Iterator[Finding]:
    """One finding for each row that fires on a server."""
    for server, told in features.items():
        for row in rows:
            detail = row.found(told)
            if detail is not None:
                sentence = row.sentence.format(name=server, detail=detail)
                yield Finding(row.id, policy.name, server, sentence, row.hint, row.severity)


def probe_works(
    policy: ClusterPolicy,
    primary: str,
    features: Mapping[str, Features],
    held: Mapping[str, frozenset[str]],
) -> Iterator[Finding]:
    """What the write probe lacks on the primary: its table, or our right to write there."""
    probe = policy.detection.write_probe
    if probe is None or primary not in features or primary not in held:
        return
    having, database = held[primary], probe.table.partition(".")[0]
    places = ("", f" ON {probe.table}", f" ON {database}.*")
    wanted = [
        right
        for right in ("INSERT", "UPDATE")
        if not having & {f"{word}{place}" for word in (right, "ALL", "ALL PRIVILEGES") for place in places}
    ]
    lacks = [] if probe.table in features[primary].tables else ["its table, or any right to see it"]
    lacks += [f"the right {right}" for right in wanted]
    if lacks:
        sentence = f"the write probe on {primary} lacks {', '.join(lacks)}: writes that hang are found late"
        hint = (
            f"CREATE TABLE {probe.table} (id INT PRIMARY KEY, writer VARCHAR(255), written_at DATETIME(6));"
            f" GRANT INSERT, UPDATE ON {probe.table} TO our account"
        )
        yield Finding("write-probe", policy.name, primary, sentence, hint, WARNING)


def clones_work(policy: ClusterPolicy, features: Mapping[str, Features]) -> Iterator[Finding]:
    """Servers without the plugin where the policy clones those that come back: found before it is needed. We load no
    plugin ourselves: whoever may write to mysql.plugin can load any library into a server.
    """
    lacking = [name for name, told in features.items() if not told.clone] if policy.rejoin == "clone" else []
    for name in lacking:
        sentence = f"{name} has no clone plugin: it can neither be overwritten nor give its data (rejoin: clone)"
        hint = (
            "plugin_load_add = mysql_clone.so in its configuration; until its next start, with super_read_only OFF"
            " meanwhile: INSTALL PLUGIN clone SONAME 'mysql_clone.so'"
        )
        yield Finding("clone-plugin", policy.name, name, sentence, hint, WARNING)
