"""What the core needs from the world, as Protocols: servers, agents, coordination, time and side-by-side work.

Every call has a deadline in seconds. Drivers implement these; a simulated world can implement them too, so decisions,
plans, execution and service never see a socket, a clock or a thread.
"""

from failoverd.ports.agents import Agents, Holdings, Progress
from failoverd.ports.coordination import Coordination
from failoverd.ports.lease import Lease
from failoverd.ports.machine import Clock, Rounds, Tasks, Wakeups
from failoverd.ports.outside import Archive, Balancers, Hooks
from failoverd.ports.servers import ClaimedServer, Servers

__all__ = [
    "Agents",
    "Archive",
    "Balancers",
    "ClaimedServer",
    "Clock",
    "Coordination",
    "Holdings",
    "Hooks",
    "Lease",
    "Progress",
    "Rounds",
    "Servers",
    "Tasks",
    "Wakeups",
]
