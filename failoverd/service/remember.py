"""Tell each agent where its server keeps data and logs while the server lives, so that all works when it is dead."""

from __future__ import annotations

from failoverd.model.errors import AgentError
from failoverd.model.sight import ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.observe.fanout import ask_all
from failoverd.service.world import Memory, World


def tell_agents(world: World, memory: Memory, snapshot: TopologySnapshot) -> None:
    """Tell every agent that does not know this server yet; who cannot be told is tried when agents are asked again."""
    asked = {s.name: s for s in snapshot.reached() if memory.remembered.get(s.name) != identity(s)}
    if not asked:
        return
    answers = ask_all(
        world.eyes.tasks,
        asked,
        lambda name: world.eyes.agents.remember(world.cluster, asked[name]),
        world.policy.detection.timeout,
    )
    for name, answer in answers.items():
        if answer is None:
            memory.remembered[name] = identity(asked[name])
            memory.heartbeat.ask_soon()
        elif isinstance(answer, AgentError):
            world.log.warning("agent not told", server=name, why=str(answer))


def identity(state: ServerState) -> str:
    """What makes the facts of a server: where it keeps things, and which server it is."""
    return f"{state.server_uuid} {state.endpoint} {state.files}"
