"""Overwriting a closed server with the data of another one, by MySQL's own CLONE.

CLONE refuses a server that is super_read_only (error 1290), so that one is off while it runs: read_only stays on and
offline_mode keeps ordinary accounts out. What the server starts with next is closed: nothing here is persisted.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable

from failoverd.drivers.mysql.access import ServerAccess, insists
from failoverd.drivers.mysql.claim_session import ClaimSession
from failoverd.drivers.mysql.session import Session
from failoverd.drivers.mysql.statements import KILL, Statement
from failoverd.model.cloning import CloneProgress
from failoverd.model.errors import ConnectFailed, FailoverdError, ServerError, StepFailed
from failoverd.model.sight import Endpoint

ADMIT = Statement("SET GLOBAL super_read_only = OFF", "let itself be overwritten, read_only as it is", changes=True)
DONORS = Statement("SET GLOBAL clone_valid_donor_list = %s", "name its donor", changes=True)
CLONE = Statement("CLONE INSTANCE FROM %s@%s:%s IDENTIFIED BY %s", "clone", changes=True)
CLONE_BY_TLS = Statement(f"{CLONE.text} REQUIRE SSL", "clone over TLS", changes=True)
READ_PROGRESS = Statement(
    "SELECT COALESCE(SUM(DATA), 0) AS done, COALESCE(SUM(ESTIMATE), 0) AS total FROM performance_schema.clone_progress",
    "read how far its clone is",
)
# The copy is whole, and nobody restarts this mysqld: it ends, and whoever starts it finds the copy in place.
_NOBODY_RESTARTS_IT = 3707
_EVERY = 0.5  # seconds between two looks at the progress
_LIMIT = 4.0


def clone_by(access: ServerAccess) -> Statement:
    """The statement that clones: encrypted wherever sessions have to be."""
    return CLONE_BY_TLS if insists(access.tls) else CLONE


class Cloning:
    """Clones into one claimed server; `another` opens a second session there, for looking and for ending it."""

    def __init__(self, session: ClaimSession, access: ServerAccess, another: Callable[[float], Session]) -> None:
        self._session = session
        self._access = access
        self._another = another

    def run(self, donor: Endpoint, heed: Callable[[CloneProgress], None]) -> None:
        """Overwrite it; returns when the copy is whole and its mysqld ends. StepFailed where it is not."""
        access = self._access
        self._session.change(DONORS, str(donor))
        self._session.change(ADMIT)
        state = self._session.read()
        if not state.read_only or not state.offline_mode:
            raise StepFailed(f"{self._session.where} is open", "nothing is overwritten on an open server")
        watching = self._another(_LIMIT)
        try:
            statement = clone_by(access)
            asked = statement.say(access.user, donor.host, donor.port, access.password)
            with self._session.under_way(asked) as line:
                while not select.select([line], [], [], _EVERY)[0]:
                    heed(self._progress(watching))
        except ServerError as error:
            if error.code != _NOBODY_RESTARTS_IT and not isinstance(error, ConnectFailed):
                raise StepFailed(f"{self._session.where} could not be overwritten", str(error)) from error
        except BaseException:
            with contextlib.suppress(FailoverdError):
                watching.rows(KILL, self._session.number, limit=_LIMIT)
            raise
        finally:
            watching.close()

    def _progress(self, watching: Session) -> CloneProgress:
        """How far it is; unknown where nobody says it, or not any more."""
        with contextlib.suppress(ServerError):
            (row,) = watching.rows(READ_PROGRESS, limit=_LIMIT)
            return CloneProgress(int(row["done"]), int(row["total"]))
        return CloneProgress()
