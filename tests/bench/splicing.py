"""The production step that splices, on two servers of a bench, with agents behind a real sshd."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from failoverd.drivers.clock import SystemClock
from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.servers import Manager, MysqlServers
from failoverd.drivers.ssh.access import Account, AgentAccess
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.tasks import ThreadTasks
from failoverd.drivers.wakeups import Bell
from failoverd.execute.hands import Hands, Means
from failoverd.execute.splice import splice
from failoverd.gtid import GtidSet
from failoverd.model.host import LogKind
from failoverd.model.plans import Kind, Operation, Plan, Requester
from failoverd.model.policy import ClusterPolicy, ServerSpec
from failoverd.model.sight import Endpoint, ServerState
from failoverd.model.steps import Splice
from tests.acceptance.real_mysqld import RealMysqld
from tests.contract.ssh_server import SshServer
from tests.fakes.coordination import FakeCoordination, FakeLease, Store

CLUSTER = "bench"
LOOK = 10.0
PATIENCE = 600.0
GRANTS = (
    "CREATE USER failoverd@'%' IDENTIFIED BY 'right'",
    "GRANT REPLICATION CLIENT, REPLICATION SLAVE, RELOAD, PROCESS ON *.* TO failoverd@'%'",
    "GRANT REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN ON *.* TO failoverd@'%'",
    "GRANT XA_RECOVER_ADMIN, SYSTEM_USER ON *.* TO failoverd@'%'",
    "GRANT SELECT ON performance_schema.* TO failoverd@'%'",
)


@contextmanager
def managing(sshd: SshServer, source: RealMysqld, candidate: RealMysqld) -> Iterator[Callable[[GtidSet], None]]:
    """A manager that watches both servers, its lines to their agents open; what it gives brings a set to the candidate:
    it scans the source's logs, then lets the candidate have executed everything that it lacks.
    """
    ends = {"db1": Endpoint("127.0.0.1", source.port), "db2": Endpoint("127.0.0.1", candidate.port)}
    clock, tasks, lease = SystemClock(), ThreadTasks(), FakeLease(1)
    accesses = tuple(ServerAccess(CLUSTER, name, end, "failoverd", "right") for name, end in ends.items())
    manager = Manager("bench", may_evict=True)
    servers = MysqlServers(accesses, {CLUSTER: ReplicationAccess("repl", "r")}, manager, clock, Bell())
    shutil.rmtree(sshd.agent_dir / "state")
    (sshd.agent_dir / "state").mkdir()
    first = AgentAccess(
        CLUSTER,
        "db1",
        sshd.access(),
        ends["db1"],
        Account("failoverd", "right"),
        str(sshd.agent_dir),
        salvage_timeout=60.0,
    )
    hosts = (first, replace(first, server="db2", endpoint=ends["db2"]))
    agents = SshAgents(hosts, sshd.sha256, clock, tasks, lambda _: lease)

    def bring(wanted: GtidSet) -> None:
        found = agents.scan(CLUSTER, "db1", LogKind.BINARY, read(servers, "db2").executed, PATIENCE)
        assert found.missing >= wanted - read(servers, "db2").executed
        policy = ClusterPolicy(CLUSTER, tuple(ServerSpec(name, end) for name, end in ends.items()))
        plan = Plan(CLUSTER, Kind.FAILOVER, "db1", "db2", ())
        operation = Operation("bench", CLUSTER, Kind.FAILOVER, 1, "bench", Requester(), "bench", plan, 0.0)
        means = Means(servers, agents, FakeCoordination(Store(), "bench"), tasks, clock)
        hands = Hands(means, lease, policy, operation, lambda _: None)
        hands.claim_more(("db2",))
        splice(Splice("db2", "db1", LogKind.BINARY, found.missing, found.size), hands)
        hands.release()

    try:
        for name in ends:
            agents.remember(CLUSTER, read(servers, name))
        yield bring
    finally:
        agents.close()
        servers.close()


def read(servers: MysqlServers, name: str) -> ServerState:
    """What a server says."""
    state = servers.look(CLUSTER, name, LOOK)
    assert isinstance(state, ServerState), state
    return state
