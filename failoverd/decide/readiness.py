"""Is everything there that a failover will need: tables whose rows are what `check` says, each with a remedy.

What a verdict shows about single servers (decide/problems.py) is a part of it; the rows here are about settings, rights
and the cluster as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from failoverd.decide import candidate, conditions, grants, problems
from failoverd.decide.fitness import SERVER_ROWS, ServerRow
from failoverd.decide.rights import door_finding
from failoverd.decide.rules import CLOSE_ALL_BUT_ONE
from failoverd.decide.situation import Situation
from failoverd.model.counted import counted
from failoverd.model.finding import Finding, Severity
from failoverd.model.history import History, Recorded
from failoverd.model.host import AgentSilent
from failoverd.model.policy import ClusterPolicy, Reaction
from failoverd.model.ranking import Ranking
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot

# The rows of decide/problems.py that are said better here.
_SAID_HERE = frozenset({"agent"})
_LESS = frozenset({"other-channels"})


@dataclass(frozen=True, slots=True)
class Ground:
    """What the cluster-wide rows look at; `managers` are the active one and those in line, None where nobody asked."""

    situation: Situation
    held: Mapping[str, frozenset[str]]
    coordination: str = "ok"
    managers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One thing that can be wrong with the cluster as a whole."""

    id: str
    severity: Severity
    sentence: str
    hint: str
    found: Callable[[Ground], str | None]


def _when(holds: bool, detail: object = "") -> str | None:
    return str(detail) if holds else None


ERROR, WARNING, OK = Severity.ERROR, Severity.WARNING, Severity.OK


def _twice(ground: Ground, attribute: str) -> str | None:
    """Servers that share what must be each one's own."""
    seen: dict[object, str] = {}
    for state in ground.situation.snapshot.reached():
        value = getattr(state, attribute)
        first = seen.setdefault(value, state.name)
        if first != state.name:
            return f"{first} and {state.name} ({value})"
    return None


def _mixed(snapshot: TopologySnapshot) -> str | None:
    """Servers of more than one series, the first two numbers of a version."""
    series = {state.name: ".".join(state.version.split(".")[:2]) for state in snapshot.reached()}
    told = ", ".join(f"{name} {found}" for name, found in series.items())
    return told if len(set(series.values())) > 1 else None


def _ranking(ground: Ground) -> Ranking:
    """Who would win now; before the first manager has recorded a primary, the only writable server stands for it."""
    s, history = ground.situation, ground.situation.history
    writable = s.snapshot.writable()
    if history.recorded is None and len(writable) == 1:
        history = replace(history, recorded=Recorded(writable[0].name, writable[0].server_uuid, 0))
    return candidate.rank(s.snapshot, history, s.policy)


def _nobody(ground: Ground) -> str | None:
    if not ground.situation.snapshot.reached():
        return None  # each server's own row says why it could not be read
    ranking = _ranking(ground)
    losers = "; ".join(f"{name}: {why}" for name, why in ranking.why_not)
    return _when(not ranking.elect, losers or "there is no other server")


def _said_only(ground: Ground) -> str | None:
    policy = ground.situation.policy.failover
    return _when(policy.automatic and Reaction.ALERT in {policy.on.dead, policy.on.frozen}, "")


def _paused(ground: Ground) -> str | None:
    pause = ground.situation.history.paused
    return f"{pause.by}: {pause.reason}" if pause else None


def _layers(ground: Ground) -> str | None:
    """Which of the four layers are in force, and what each does not cover."""
    s = ground.situation
    names = [spec.name for spec in s.policy.servers]
    lock = "a file lock on this host only" if ground.coordination == "local" else "the lease and the epoch in ZooKeeper"
    locked = [name for name in names if s.snapshot.state(name) is not None]
    facts = {name: found for name in names if (found := s.snapshot.facts(name)) is not None}
    parts = [
        "nothing in ZooKeeper, which is away" if ground.coordination == "lost" else lock,
        f"session locks on {_whom(locked, names)}",
        f"agents that fence {_whom(list(facts), names)}",
    ]
    behind = [name for name, found in facts.items() if found.highest_epoch < s.recorded.epoch]
    if behind:  # a disk that was restored, or a host that nothing had to be changed on since
        parts.append(f"the agents of {', '.join(behind)} have not heard of epoch {s.recorded.epoch}")
    return "; ".join(parts)


def _whom(some: list[str], names: list[str]) -> str:
    without = [name for name in names if name not in some]
    return f"{', '.join(some) or 'nobody'}{', not ' + ', '.join(without) if without else ''}"


CLUSTER_ROWS: tuple[ClusterRow, ...] = (
    ClusterRow(
        "coordination-lost",
        ERROR,
        "ZooKeeper cannot be reached: nobody would act",
        "look at the ensemble and at the way to it",
        lambda g: _when(g.coordination == "lost"),
    ),
    ClusterRow(
        "no-manager",
        WARNING,
        "no manager is active: nobody would notice",
        "start failoverd run, as a service on at least two hosts",
        lambda g: _when(g.managers == ()),
    ),
    ClusterRow(
        "no-standby",
        WARNING,
        "there is no standby manager: {detail} is alone",
        "start failoverd run on another host",
        lambda g: g.managers[0] if g.coordination == "ok" and g.managers and len(g.managers) == 1 else None,
    ),
    ClusterRow(
        "local-coordination",
        WARNING,
        "coordination is local: there is no standby, and commands work on this host only",
        "name a ZooKeeper ensemble in the section zookeeper",
        lambda g: _when(g.coordination == "local"),
    ),
    ClusterRow(
        "no-candidate",
        ERROR,
        "nobody could be promoted: {detail}",
        "mend one of them",
        _nobody,
    ),
    ClusterRow(
        "two-writable",
        ERROR,
        "{detail} take writes at the same time: nobody fails over while they do",
        CLOSE_ALL_BUT_ONE,
        lambda g: conditions.two_writable(g.situation),
    ),
    ClusterRow(
        "mixed-versions",
        WARNING,
        "servers are of different series: {detail}; an older one cannot follow a newer one safely",
        "upgrade replicas first and the primary last, and say promote: avoid for the newer ones meanwhile",
        lambda g: _mixed(g.situation.snapshot),
    ),
    ClusterRow(
        "same-uuid",
        ERROR,
        "servers share a server_uuid: {detail}",
        "stop one, remove its auto.cnf, start it again",
        lambda g: _twice(g, "server_uuid"),
    ),
    ClusterRow(
        "same-id", ERROR, "servers share a server_id: {detail}", "give each its own", lambda g: _twice(g, "server_id")
    ),
    ClusterRow(
        "not-automatic",
        WARNING,
        "the manager does not fail over by itself",
        "failover.automatic: true, or be there to run failoverd failover",
        lambda g: _when(not g.situation.policy.failover.automatic),
    ),
    ClusterRow(
        "alert-only",
        WARNING,
        "a dead or frozen primary leads to an alert only",
        "failover.on says what each verdict leads to",
        _said_only,
    ),
    ClusterRow("paused", WARNING, "paused by {detail}", "failoverd acts again when the pause ends", _paused),
    ClusterRow(
        "unfenced-window",
        OK,
        "fencing is best-effort: a primary whose whole host is cut off but lives may go on taking writes",
        "failover.fencing: required waits for a proven fence instead",
        lambda g: _when(g.situation.policy.failover.fencing == "best-effort"),
    ),
    ClusterRow("fencing-layers", OK, "a stale manager or primary is shut out by {detail}", "", _layers),
    ClusterRow("candidate", OK, "{detail} would win now", "", lambda g: _ranking(g).elect or None),
)

AGENT_HINTS: Mapping[str, str] = {
    "missing": "failoverd agent install {cluster} {name}",
    "old": "failoverd agent install {cluster} {name} --upgrade",
    "unreachable": "look at sshd there, ssh.user and ssh.key_file, and at the host's key in ssh.known_hosts",
}


def findings(
    snapshot: TopologySnapshot,
    history: History,
    policy: ClusterPolicy,
    held: Mapping[str, frozenset[str]],
    coordination: str = "ok",
    managers: tuple[str, ...] | None = None,
) -> tuple[Finding, ...]:
    """Everything that `check` says about a cluster: what is wrong, and one word for each server where nothing is.

    `held` are the privileges found on each server that was asked, as `grants.held` reads them. `coordination` is the
    published word; `managers` the active one and those in line, None where nobody asked.
    """
    situation = Situation(snapshot, history, policy, snapshot.taken_at, 0.0)
    ground = Ground(situation, held, coordination, managers)
    found = list(about_cluster(ground))
    for spec in policy.servers:
        said = tuple(about_server(ground, spec.name))
        found += said
        if all(finding.severity is OK for finding in said):
            found.append(Finding("ready", policy.name, spec.name, _evidence(snapshot, spec.name), severity=OK))
    return tuple(found)


def _evidence(snapshot: TopologySnapshot, name: str) -> str:
    """What the server was seen to be when nothing was found wrong with it."""
    state = snapshot.state(name)
    if state is None:
        return f"{name} is ready"
    follows = f"follows {state.main.source}" if state.main is not None else "follows nobody"
    role = "takes writes" if state.writable else "closed"
    executed = f"{counted(state.executed.count(), 'transaction')} executed"
    return f"{name} is ready: version {state.version}, {role}, {follows}, {executed}"


def about_cluster(ground: Ground, rows: tuple[ClusterRow, ...] = CLUSTER_ROWS) -> Iterator[Finding]:
    """The rows about the cluster as a whole that fire."""
    for row in rows:
        detail = row.found(ground)
        if detail is not None:
            yield Finding(
                row.id, ground.situation.policy.name, "", row.sentence.format(detail=detail), row.hint, row.severity
            )


def about_server(ground: Ground, name: str, rows: tuple[ServerRow, ...] = SERVER_ROWS) -> Iterator[Finding]:
    """The rows about one server that fire: what a verdict shows, its settings, our rights there, its agent."""
    cluster = ground.situation.policy.name
    for problem in problems.problems(ground.situation):
        if problem.server == name and problem.id not in _SAID_HERE:
            severity = WARNING if problem.id in _LESS else ERROR
            yield Finding(problem.id, cluster, name, problem.sentence, problem.hint, severity)
    state = as_started(ground, name)
    for row in rows if state is not None else ():
        detail = row.found(state, ground.situation.policy) if state is not None else None
        if detail is not None:
            yield Finding(row.id, cluster, name, row.sentence.format(name=name, detail=detail), row.hint, row.severity)
    yield from about_rights(ground, name)
    yield from about_agent(ground, name)


def as_started(ground: Ground, name: str) -> ServerState | None:
    """The server's state; what it would start with comes from its host where the server itself hides it."""
    state, facts = ground.situation.snapshot.state(name), ground.situation.snapshot.facts(name)
    if state is None or facts is None or state.settings.read_only_at_start is not None:
        return state
    return replace(state, settings=replace(state.settings, read_only_at_start=facts.starts_closed))


def about_rights(ground: Ground, name: str) -> Iterator[Finding]:
    """Privileges that our account lacks, one word where it lacks none; nothing on a server that cannot be asked."""
    cluster = ground.situation.policy.name
    if name not in ground.held:
        if ground.situation.snapshot.state(name) is not None:
            sentence, hint = f"what our account may do on {name} could not be read", "SHOW GRANTS as our account"
            yield Finding(grants.UNREAD_GRANTS, cluster, name, sentence, hint, WARNING)
        return
    rows = grants.rows_for(ground.situation.policy.rejoin == "clone")
    lacking = grants.lacking(ground.held[name], rows)
    if not lacking:
        yield Finding(grants.ALL_GRANTED, cluster, name, f"our account on {name} has every right it needs", severity=OK)
    for privilege in lacking:
        yield Finding(
            grants.MISSING_GRANT,
            cluster,
            name,
            f"our account on {name} lacks {privilege.name}, needed for {privilege.used_for}",
            f"GRANT {privilege.name} ON {privilege.on} TO our account",
            ERROR if privilege.needed else WARNING,
        )


def about_agent(ground: Ground, name: str) -> Iterator[Finding]:
    """An agent that does not answer, may not do what needs more rights, or is of another release."""
    cluster = ground.situation.policy.name
    sight = ground.situation.snapshot.hosts.get(name)
    if sight is None:
        sentence = f"the agent of {name} was not asked: no salvage from its host, no fence"
        yield Finding(
            "agent-missing", cluster, name, sentence, AGENT_HINTS["missing"].format(cluster=cluster, name=name)
        )
    elif isinstance(sight, AgentSilent):
        hint = AGENT_HINTS.get(sight.state, AGENT_HINTS["unreachable"]).format(cluster=cluster, name=name)
        sentence = f"the agent of {name} is {sight.state}: {sight.text}"
        yield Finding(f"agent-{sight.state}", cluster, name, sentence, hint)
    elif sight.door != "ok":
        yield door_finding(cluster, name, sight.door)
    elif sight.release:
        sentence = f"the agent of {name} is of another release and is worked with: {sight.release}"
        hint = AGENT_HINTS["old"].format(cluster=cluster, name=name) + ", when all managers are upgraded"
        yield Finding("agent-release", cluster, name, sentence, hint, WARNING)
