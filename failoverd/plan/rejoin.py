"""Attaching a server that came back: first it is closed, then what it holds is judged, then it follows."""

from __future__ import annotations

from failoverd.model.divergence import Cure, Judged, Resolution
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.sight import ServerState, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import (
    ClaimServer,
    CloseReturned,
    CompareTable,
    ExportDivergence,
    IfItFails,
    InjectEmpty,
    ProveAttached,
    ReleaseFence,
    Replay,
    Repoint,
    Stage,
    StartApplier,
    StartReceiver,
    Step,
    StopWaiting,
    Task,
)
from failoverd.model.verdict import Refusal
from failoverd.plan.times import CLAIM, COMPARE, EXPORT, FOLLOW, PROVE, PROVE_TO_PEOPLE, STATEMENT


def plan_closing_it(policy: ClusterPolicy, primary: str, server: str, refusals: tuple[Refusal, ...] = ()) -> Plan:
    """First: claim the server and close it, whatever it holds."""
    groups = (
        Group(Stage.CHECK, (Task(ClaimServer(server), CLAIM),)),
        Group(Stage.FENCE, (Task(CloseReturned(server), STATEMENT),)),
    )
    return Plan(policy.name, Kind.REJOIN, primary, "", groups if not refusals else (), refusals=refusals)


def plan_amending(policy: ClusterPolicy, primary: str, server: str, wish: Resolution) -> Plan:
    """What a person wants done on the primary about what only this server has; claimed for that."""
    kind = Replay if wish.cure is Cure.REPLAY else InjectEmpty
    step = kind(primary, server, wish.gtids)
    groups = (
        Group(Stage.CHECK, (Task(ClaimServer(primary), CLAIM),)),
        Group(Stage.RECOVER, (Task(step, EXPORT),)),
    )
    return Plan(policy.name, Kind.REJOIN, primary, "", groups)


def plan_letting_go(policy: ClusterPolicy, primary: str, server: str, refusals: tuple[Refusal, ...] = ()) -> Plan:
    """On a server that a fence holds, its mysqld dead: the hold ends. Whoever starts it, it comes up closed."""
    groups = (Group(Stage.FENCE, (Task(ReleaseFence(server), STATEMENT),)),)
    return Plan(policy.name, Kind.REJOIN, primary, "", groups if not refusals else (), refusals=refusals)


def plan_attaching(snapshot: TopologySnapshot, policy: ClusterPolicy, primary: str, server: str, source: str) -> Plan:
    """Then, on a server that is closed and holds nothing of its own: let it follow, its options and relay logs kept."""
    state = snapshot.state(server)
    if state is None:
        return Plan(policy.name, Kind.REJOIN, primary, "", ())
    groups = [Group(Stage.REPOINT, (Task(step, FOLLOW),)) for step in following(state, policy, source)]
    if released(snapshot, state):
        task = Task(ReleaseFence(server), STATEMENT, IfItFails.GO_ON)
        groups.append(Group(Stage.FENCE, (task,)))
    return Plan(policy.name, Kind.REJOIN, primary, "", tuple(groups))


def plan_proving(policy: ClusterPolicy, primary: str, server: str, source: str, *, asked: bool) -> Plan:
    """On a server that was attached: look until it has what the primary had; longer where a person has asked for it."""
    seconds = PROVE_TO_PEOPLE if asked else PROVE
    task = Task(ProveAttached(server, source, primary, seconds), 2 * seconds, IfItFails.GO_ON)
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.VERIFY, (task,)),))


def plan_comparing(policy: ClusterPolicy, primary: str, server: str, tables: tuple[str, ...]) -> Plan:
    """On a server that has caught up: the tables that a person has named, one after the other."""
    steps = (CompareTable(server, primary, table, COMPARE) for table in tables)
    tasks = tuple(Task(step, 2 * COMPARE, IfItFails.GO_ON) for step in steps)
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.VERIFY, tasks),))


def plan_keeping(policy: ClusterPolicy, primary: str, server: str, judged: tuple[Judged, ...]) -> Plan:
    """On a server that diverged: what only it has is kept, whatever is decided about it later."""
    step = ExportDivergence(server, primary, judged)
    return Plan(policy.name, Kind.REJOIN, primary, "", (Group(Stage.RECOVER, (Task(step, EXPORT),)),))


def following(state: ServerState, policy: ClusterPolicy, source: str) -> tuple[Step, ...]:
    """The steps that let it follow: an applier that waits for its own commits never ends, and one that stands still
    would lose what it has received.
    """
    main, endpoint = state.main, policy.server(source).endpoint
    first: tuple[Step, ...] = (StopWaiting(state.name),) if state.semi_sync.source_on else ()
    if main is None:
        return (*first, Repoint(state.name, source, endpoint))
    if main.applier is not Thread.YES:
        first = (*first, StartApplier(state.name))
    same = main.source == endpoint
    return (*first, StartReceiver(state.name) if same else Repoint(state.name, source, endpoint))


def released(snapshot: TopologySnapshot, state: ServerState) -> bool:
    """Whether the mark of a fence may go: the server is known to start closed, so that no restart makes it a second
    writer.
    """
    facts = snapshot.facts(state.name)
    return facts is not None and facts.fenced_epoch is not None and state.settings.read_only_at_start is True
