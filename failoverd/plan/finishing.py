"""The rest of a failover whose elect is open already: shut the old primary, publish, bring the others to it."""

from __future__ import annotations

from dataclasses import replace

from failoverd.gtid import GtidSet
from failoverd.model.history import History
from failoverd.model.plans import Group, Kind, Plan
from failoverd.model.policy import ClusterPolicy
from failoverd.model.ranking import Ranking
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import IfItFails, Stage
from failoverd.plan.failover import claims, fence_tasks, filled, left_splices, takeover
from failoverd.plan.repointing import attachments


def plan_finishing(snapshot: TopologySnapshot, history: History, policy: ClusterPolicy, elect: str) -> Plan:
    """From an open elect to the end; `history` records the old primary. What is achieved is recognised step by step.

    Nothing here waits for the fence: the elect is open, and a fence that cannot be had is reported as UNFENCED.
    """
    old = history.recorded.name if history.recorded else ""
    ranking = Ranking(elect=elect, errant=ahead(snapshot, elect))
    found = attachments(snapshot, history, policy, ranking)
    fences = tuple(replace(task, if_it_fails=IfItFails.GO_ON) for task in fence_tasks(snapshot, history, policy))
    groups = [claims(snapshot), Group(Stage.FENCE, fences), Group(Stage.FREEZE, left_splices(snapshot))]
    groups += takeover(snapshot, policy, ranking, found)
    untouched = tuple((a.server, a.why_not) for a in found if a.why_not)
    return Plan(policy.name, Kind.FAILOVER, old, elect, filled(groups), why_not=untouched, left_alone=untouched)


def ahead(snapshot: TopologySnapshot, elect: str) -> tuple[tuple[str, GtidSet], ...]:
    """What the others have executed that the elect, whose history counts from now on, has not; its own apart."""
    primary = snapshot.state(elect)
    if primary is None:
        return ()
    found = ((s.name, (s.executed - primary.executed).without_uuid(primary.server_uuid)) for s in snapshot.reached())
    return tuple((name, gtids) for name, gtids in found if gtids and name != elect)
