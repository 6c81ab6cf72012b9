"""What surviving log files still hold: the dead primary's binary logs, and a peer's logs where a peer holds more than
others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from failoverd.gtid import GtidSet
from failoverd.model.host import Holding, LogKind
from failoverd.model.policy import ClusterPolicy
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.sources import forgot
from failoverd.observe.eyes import Eyes
from failoverd.observe.fanout import GRACE

# The share of the time-out that a silent host gets to tell what its logs hold.
LAST_WORD = 0.2
# Seconds for a replica's host whose channel may still be on its way to be opened, because hosts are many.
OPENING = 3.0


@dataclass(frozen=True, slots=True)
class Question:
    """Ask one host's agent what its logs of one kind hold beyond `lacking`."""

    server: str
    kind: LogKind
    lacking: GtidSet


def questions(snapshot: TopologySnapshot, old_primary: str) -> tuple[Question, ...]:
    """Whom to ask: always the old primary's host; a peer only when somebody lacks what it holds, or when its relay logs
    may hold more than it says.
    """
    replicas = [s for s in snapshot.reached() if s.name != old_primary]
    common = replicas[0].holds if replicas else GtidSet()
    for state in replicas[1:]:
        common = common & state.holds
    asked = [Question(old_primary, LogKind.BINARY, common)]
    for state in replicas:
        if not state.holds <= common:
            asked += [Question(state.name, LogKind.BINARY, common), Question(state.name, LogKind.RELAY, common)]
        elif forgot(state):
            asked.append(Question(state.name, LogKind.RELAY, common))
    return tuple(asked)


def scan_logs(
    eyes: Eyes,
    policy: ClusterPolicy,
    snapshot: TopologySnapshot,
    old_primary: str,
    met: frozenset[str] = frozenset(),
    kept: tuple[str, ...] = (),
) -> TopologySnapshot:
    """The snapshot with what the log files of the hosts hold, and behind that what only links made under the names
    `kept` still do; a host that cannot be asked has a problem instead of a set. The agents of `met` have answered since
    the look.
    """
    asked, limit = questions(snapshot, old_primary), policy.failover.salvage_timeout
    few = eyes.agents.keep_open(policy.name, None)
    lacking = asked[0].lacking

    def answers(server: str) -> bool:
        return server in met or snapshot.facts(server) is not None

    names = [spec.name for spec in policy.servers if kept and answers(spec.name)]

    def patience(question: Question) -> float:
        # A host whose agent was silent in every look since is asked once more, but clients wait for that.
        if answers(question.server):
            return limit
        return policy.detection.timeout * LAST_WORD if few or question.server == old_primary else OPENING

    def call(question: Question) -> Callable[[], Holding]:
        wait = patience(question)
        return lambda: eyes.agents.scan(policy.name, question.server, question.kind, question.lacking, wait)

    def links(name: str) -> Callable[[], tuple[Holding, ...]]:
        return lambda: eyes.agents.scan_kept(policy.name, name, kept, lacking, limit)

    calls: dict[str, Callable[[], Holding | tuple[Holding, ...]]] = {f"{q.server} {q.kind}": call(q) for q in asked}
    calls |= {f"{name} kept": links(name) for name in names}
    longest = max(limit if names else 0.0, *(patience(question) for question in asked))
    told = eyes.tasks.gather(calls, longest + GRACE)
    holdings: list[Holding] = []
    for question in asked:
        answer = told[f"{question.server} {question.kind}"]
        unread = Holding(question.server, question.kind, complete=False, problem=str(answer))
        holdings.append(answer if isinstance(answer, Holding) else unread)
    for name in names:
        found = told[f"{name} kept"]
        silent = Holding(name, LogKind.RELAY, complete=False, problem=str(found), kept=kept)
        holdings += found if isinstance(found, tuple) else (silent,)
    return replace(snapshot, holdings=tuple(holdings))
