"""Copying the whole data of one server over another's: what is asked about both, how far it is, and its step."""

from __future__ import annotations

from dataclasses import dataclass

from failoverd.model.sight import Endpoint, ServerState
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.stage import Stage

# The source that a server is given before its data is overwritten: it stays until the donor's own settings take its
# place at the end, so a server that still has it holds half of a copy, whatever its executed set says.
UNFINISHED = Endpoint("cloning.failoverd.invalid", 3306)


def unfinished(state: ServerState) -> bool:
    """Whether a server has the mark of a copy that is not whole."""
    return state.main is not None and state.main.source.host == UNFINISHED.host


@dataclass(frozen=True, slots=True)
class Overwrite:
    """A wish to have all data of a server overwritten; with `discard` also what only it has, once that is kept."""

    discard: bool = False


@dataclass(frozen=True, slots=True)
class CloneSide:
    """What a clone needs to know of a server, donor or recipient: `grants` are the lines of SHOW GRANTS, `size` is the
    bytes that its tables take, `problem` why it could not be asked.
    """

    server: str
    version: str = ""
    loaded: bool = False
    grants: tuple[str, ...] = ()
    size: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CloneProgress:
    """So many bytes of so many have been copied; `total` is 0 where the server does not say it."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class CloneData:
    """Overwrite all that a closed server has with the data of `donor`, which is at `source`; its mysqld starts anew."""

    server: str
    donor: str
    source: Endpoint
    primary: str
    stage = Stage.RECOVER

    def title(self) -> str:
        """What it does, for people."""
        return f"overwrite {self.server} with the data of {self.donor}"

    def achieved(self, snapshot: TopologySnapshot) -> bool:
        """Never visible: a copy looks like any other replica."""
        return False
