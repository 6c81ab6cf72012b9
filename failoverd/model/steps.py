"""Effects as data: each step says its title, its stage, and whether a snapshot already shows it achieved. Only
`execute` knows how.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from failoverd.model.cloning import CloneData as CloneData  # noqa: PLC0414
from failoverd.model.comparing import CompareTable as CompareTable  # noqa: PLC0414
from failoverd.model.durability import RelaxDurability as RelaxDurability  # noqa: PLC0414
from failoverd.model.durability import RestoreDurability as RestoreDurability  # noqa: PLC0414
from failoverd.model.fence_steps import FenceHost as FenceHost  # noqa: PLC0414
from failoverd.model.fence_steps import FenceSession as FenceSession  # noqa: PLC0414
from failoverd.model.fence_steps import ReleaseFence as ReleaseFence  # noqa: PLC0414
from failoverd.model.hook_steps import FenceByHook as FenceByHook  # noqa: PLC0414
from failoverd.model.hook_steps import RebuildByHook as RebuildByHook  # noqa: PLC0414
from failoverd.model.hook_steps import RunHooks as RunHooks  # noqa: PLC0414
from failoverd.model.recovery_steps import SPLICE_CHANNEL as SPLICE_CHANNEL  # noqa: PLC0414
from failoverd.model.recovery_steps import Drain as Drain  # noqa: PLC0414
from failoverd.model.recovery_steps import EndPartial as EndPartial  # noqa: PLC0414
from failoverd.model.recovery_steps import Fetch as Fetch  # noqa: PLC0414
from failoverd.model.recovery_steps import Splice as Splice  # noqa: PLC0414
from failoverd.model.rejoin_steps import CloseReturned as CloseReturned  # noqa: PLC0414
from failoverd.model.rejoin_steps import ExportDivergence as ExportDivergence  # noqa: PLC0414
from failoverd.model.rejoin_steps import InjectEmpty as InjectEmpty  # noqa: PLC0414
from failoverd.model.rejoin_steps import ProveAttached as ProveAttached  # noqa: PLC0414
from failoverd.model.rejoin_steps import Replay as Replay  # noqa: PLC0414
from failoverd.model.repair_steps import ApplyReadable as ApplyReadable  # noqa: PLC0414
from failoverd.model.repair_steps import KeepLogs as KeepLogs  # noqa: PLC0414
from failoverd.model.repair_steps import Refetch as Refetch  # noqa: PLC0414
from failoverd.model.semisync_steps import Acknowledge as Acknowledge  # noqa: PLC0414 - every step is had from here
from failoverd.model.semisync_steps import AwaitAcks as AwaitAcks  # noqa: PLC0414
from failoverd.model.semisync_steps import GiveUpAcks as GiveUpAcks  # noqa: PLC0414
from failoverd.model.semisync_steps import StopWaiting as StopWaiting  # noqa: PLC0414
from failoverd.model.sight import Endpoint, Thread
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage as Stage  # noqa: PLC0414
from failoverd.model.switch_steps import CatchUp as CatchUp  # noqa: PLC0414
from failoverd.model.switch_steps import CloseWrites as CloseWrites  # noqa: PLC0414
from failoverd.model.switch_steps import GetReady as GetReady  # noqa: PLC0414
from failoverd.model.switch_steps import KeepOut as KeepOut  # noqa: PLC0414
from failoverd.model.switch_steps import LetIn as LetIn  # noqa: PLC0414
from failoverd.model.traffic_steps import LeaveAddress as LeaveAddress  # noqa: PLC0414
from failoverd.model.traffic_steps import SteerBalancers as SteerBalancers  # noqa: PLC0414
from failoverd.model.traffic_steps import TakeAddress as TakeAddress  # noqa: PLC0414

NOWHERE = Endpoint("failoverd.invalid", 3306)


@dataclass(frozen=True, slots=True)
class ClaimServer:
    """Take the session lock of a server, so that only this epoch changes it."""

    server: str
    stage = Stage.CHECK

    def title(self) -> str:
        """What it does, for people."""
        return f"claim {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible from outside: a claim belongs to one session of this process."""
        return False


@dataclass(frozen=True, slots=True)
class StopReceiver:
    """Stop the receiver of a replica and confirm that it is off; its applier goes on."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"stop the receiver of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the default channel's receiver is off, or there is none."""
        state = snapshot.state(self.server)
        return state is not None and (state.main is None or state.main.receiver is Thread.NO)


@dataclass(frozen=True, slots=True)
class StartReceiver:
    """Start the receiver of a replica again: the undo of StopReceiver."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"start the receiver of {self.server} again"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the default channel's receiver runs or tries to."""
        state = snapshot.state(self.server)
        return state is not None and state.main is not None and state.main.receiver is not Thread.NO


@dataclass(frozen=True, slots=True)
class StartApplier:
    """Start the applier of a replica again: the undo of EndPartial."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"start the applier of {self.server} again"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the default channel's applier runs, or there is none."""
        state = snapshot.state(self.server)
        return state is not None and (state.main is None or state.main.applier is Thread.YES)


@dataclass(frozen=True, slots=True)
class DropSplice:
    """Remove the splice channel that an interrupted recovery has left: its files are copies, what it ran stays."""

    server: str
    stage = Stage.FREEZE

    def title(self) -> str:
        """What it does, for people."""
        return f"remove the left splice channel of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server has no such channel."""
        state = snapshot.state(self.server)
        return state is not None and all(channel.name != SPLICE_CHANNEL for channel in state.channels)


@dataclass(frozen=True, slots=True)
class DisarmSource:
    """Point the elect's default channel at nowhere, so that no restart leads it back to the old primary; relay logs
    are kept.
    """

    server: str
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"disarm the source of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the default channel is gone or points at nowhere."""
        state = snapshot.state(self.server)
        return state is not None and (state.main is None or state.main.source.host == NOWHERE.host)


@dataclass(frozen=True, slots=True)
class OpenWrites:
    """Open a server for writes and read it back: the point of no return, where another one was the primary."""

    server: str
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"open {self.server} for writes"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server accepts writes."""
        state = snapshot.state(self.server)
        return state is not None and state.writable


@dataclass(frozen=True, slots=True)
class PublishPrimary:
    """Write into coordination who the primary is, after it was read back writable."""

    server: str
    stage = Stage.PROMOTE

    def title(self) -> str:
        """What it does, for people."""
        return f"publish {self.server} as primary"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never from a snapshot: the record carries an epoch and is written again harmlessly."""
        return False


@dataclass(frozen=True, slots=True)
class ForgetSource:
    """Remove the default channel of the new primary, with writes already flowing."""

    server: str
    stage = Stage.REPOINT

    def title(self) -> str:
        """What it does, for people."""
        return f"remove the old source of {self.server}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the server has no default channel."""
        state = snapshot.state(self.server)
        return state is not None and state.main is None


@dataclass(frozen=True, slots=True)
class Repoint:
    """Let a replica follow another source: receiver only, applier running, relay logs kept."""

    server: str
    source: str
    endpoint: Endpoint
    stage = Stage.REPOINT

    def title(self) -> str:
        """What it does, for people."""
        return f"let {self.server} follow {self.source}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Whether the default channel follows that endpoint and its receiver is on."""
        state = snapshot.state(self.server)
        if state is None or state.main is None:
            return False
        return state.main.source == self.endpoint and state.main.receiver is not Thread.NO


Step = (
    ClaimServer
    | FenceHost
    | FenceSession
    | StopReceiver
    | StartReceiver
    | ReleaseFence
    | StartApplier
    | Splice
    | Fetch
    | EndPartial
    | Drain
    | DropSplice
    | DisarmSource
    | OpenWrites
    | PublishPrimary
    | ForgetSource
    | Repoint
    | Acknowledge
    | AwaitAcks
    | GiveUpAcks
    | StopWaiting
    | RelaxDurability
    | RestoreDurability
    | KeepLogs
    | ApplyReadable
    | Refetch
    | TakeAddress
    | LeaveAddress
    | SteerBalancers
    | RunHooks
    | FenceByHook
    | RebuildByHook
    | GetReady
    | CloseWrites
    | CatchUp
    | KeepOut
    | LetIn
    | CloneData
    | CloseReturned
    | ExportDivergence
    | InjectEmpty
    | Replay
    | ProveAttached
    | CompareTable
)


class IfItFails(StrEnum):
    """What the failure of a step means for the rest of its plan."""

    STOP = "stop"
    GO_ON = "go-on"  # reported; the plan continues without it


@dataclass(frozen=True, slots=True)
class Task:
    """A step within a plan: what its failure means, and how long it may take (seconds without progress)."""

    step: Step
    timeout: float
    if_it_fails: IfItFails = IfItFails.STOP
