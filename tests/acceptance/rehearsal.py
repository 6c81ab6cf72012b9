"""A rehearsal: a lab with managers and a writing client, something that goes wrong, and what must hold afterwards.

Everything at the end is read from the servers themselves and from the client's own list; what failoverd says about
itself is compared with that, never taken for it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

import pytest

from failoverd.drivers.mysql.local import query_with_names
from failoverd.lab import Lab, keeping, writer
from failoverd.lab.compare import compare
from failoverd.lab.managers import Managers
from failoverd.lab.writer import TABLE, Account, Writer, writer_for
from failoverd.model.errors import ServerError

Value = TypeVar("Value")
PATIENCE = 60.0  # a limit for what ought to happen, on a machine that may be busy with other tests
ROW = 5.0  # the same for one row of a client that must notice nothing: an error is the cluster's, not the machine's
MANAGERS = ("mgr1", "mgr2")

supervisor = pytest.mark.parametrize("supervised", [False, True], ids=["bare", "supervised"])
# A supervisor that is quicker than a busy machine's manager makes the death a restart, which is opened again: that has
# tests of its own. Here it comes late enough for the death to be seen, and while the failover is under way.
RESTART_AFTER = 1.0
NOTHING_LOST = {"transactions": 0, "gtids": "", "at_least": False}

# What the contract promises of every operation; more may be there.
OPERATION_KEYS = frozenset(
    {"operation", "kind", "cluster", "outcome", "old_primary", "new_primary", "cause", "requested_by", "epoch"}
    | {"started", "detected", "decided", "writable", "ended", "outage_seconds"}
    | {"lost", "saved", "fenced", "steps", "refusals", "replicas"}
)
STEP_KEYS = frozenset({"stage", "title", "server", "outcome", "started", "seconds", "detail"})
REQUESTER_KEYS = frozenset({"kind", "user", "host", "reason"})


def eventually(
    read: Callable[[], Value], holds: Callable[[Value], bool], what: str, seconds: float = PATIENCE
) -> Value:
    """The first value that holds; an AssertionError with the last value when none does in time."""
    end = time.monotonic() + seconds
    while True:
        value = read()
        if holds(value):
            return value
        assert time.monotonic() < end, f"{what} did not come; the last value was {value!r}"
        time.sleep(0.05)


def replication(lab: Lab, server: str) -> Mapping[str, object]:
    """SHOW REPLICA STATUS of the default channel; empty where nothing is configured."""
    names, rows = query_with_names(lab.socket(server), "SHOW REPLICA STATUS")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return next((row for row in found if row["Channel_Name"] == ""), {})


def executed(lab: Lab, server: str) -> str:
    """The server's executed set."""
    ((value,),) = lab.sql(server, "SELECT @@GLOBAL.gtid_executed")
    return str(value)


def inside(lab: Lab, server: str, gtids: str) -> bool:
    """Whether that server has executed all of these."""
    ((answer,),) = lab.sql(server, f"SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)")
    return answer == 1


def received(lab: Lab, server: str, gtids: str) -> bool:
    """Whether that server's data and relay logs together hold all of these, as far as it knows itself."""
    row = replication(lab, server)
    both = ",".join(filter(None, (str(row["Executed_Gtid_Set"]), str(row["Retrieved_Gtid_Set"]))))
    ((answer,),) = lab.sql(server, f"SELECT GTID_SUBSET('{gtids}', '{both}')")
    return answer == 1


def everywhere(play: Rehearsal) -> None:
    """Every replica has executed what the primary has: a host that cannot be asked any more takes nothing with it."""
    wanted = executed(play.lab, play.primary)
    for name in play.replicas():
        eventually(lambda name=name: inside(play.lab, name, wanted), bool, f"{name} at {wanted}")  # type: ignore[misc]


def takes_writes(lab: Lab, server: str) -> bool:
    """Whether the server answers over its socket and is open; one that is dead or held takes none."""
    try:
        return lab.sql(server, "SELECT @@read_only + @@super_read_only", deadline=2.0) == ((0,),)
    except ServerError:
        return False


def writable(lab: Lab) -> tuple[str, ...]:
    """The servers that take writes now, also where a held mysqld comes and goes."""
    return tuple(server for server in lab.servers if takes_writes(lab, server))


def prepared(lab: Callable[..., Lab], *, supervised: bool, never: str = "", **options: Any) -> Lab:
    """A lab, in which one server must never be promoted, or none; its first primary may have a supervisor."""
    one = lab(**options)
    if never:
        one.configure({"clusters": {"shop": {"servers": {never: {"promote": "never"}}}}})
    if supervised:
        keeping.ask(one.hosts["db1"], "supervise", service="mysqld", restart=RESTART_AFTER)
    return one


class Rehearsal:
    """One cluster under managers, with a client that writes."""

    def __init__(self, lab: Lab, at: str = "", patience: float = writer.PATIENCE) -> None:
        self.lab = lab
        self.managers = Managers(lab, at)
        self.writer: Writer = writer_for(lab, patience=patience)
        self.primary = lab.servers[0]

    def begin(self, names: tuple[str, ...] = MANAGERS) -> Mapping[str, Any]:
        """Start the managers, wait until the cluster is watched, and let the client write; the status then."""
        for name in names:
            self.managers.start(name)
        status = self.managers.wait_ready(standbys=len(names) - 1, timeout=PATIENCE)
        assert status["primary"] == self.primary
        self.write()
        return status

    def write(self) -> None:
        """Make the table and let the client write until it has been answered fifty times."""
        self.lab.sql(self.primary, TABLE)
        self.writer.start()
        self.go_on(50)

    def go_on(self, count: int = 100) -> None:
        """That many more rows are acknowledged to the client."""
        assert self.writer.wait_for_acks(count, PATIENCE), f"the client could not write: {self.writer.account.errors}"

    def replicas(self) -> tuple[str, ...]:
        """All servers but the one that began as the primary."""
        return tuple(server for server in self.lab.servers if server != self.primary)

    def deaf(self, *servers: str) -> None:
        """Stop these receivers, then let the client write what they do not get."""
        for server in servers:
            self.lab.sql(server, "STOP REPLICA IO_THREAD FOR CHANNEL ''")
        self.go_on(60)

    def kill_primary(self) -> float:
        """SIGKILL of the primary's mysqld; wall seconds of the kill. Who watches is not waited for."""
        pid = self.lab.mysqld_pid(self.primary)
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        return at

    def ended(self, kind: str = "failover") -> Mapping[str, Any]:
        """The one operation of this rehearsal, done and of that kind, from the journal, in the contract's shape."""
        found, shown = self.last()
        assert (shown["kind"], shown["outcome"]) == (kind, "done"), shown
        in_contracts_shape(shown)
        assert {key: found[key] for key in OPERATION_KEYS - {"steps"}} == {
            key: shown[key] for key in OPERATION_KEYS - {"steps"}
        }
        return shown

    def last(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The one operation when it has ended, as listed and as shown."""
        eventually(lambda: self.logged("operation ended"), bool, "the end of an operation")
        (found,) = eventually(self.operations, lambda o: bool(o) and o[0]["ended"] is not None, "a closed journal")
        return found, self.shown(found["operation"])

    def logged(self, event: str, *managers: str) -> list[float]:
        """When these managers (none: any) logged an event, in wall seconds."""
        files = [self.managers.log(name) for name in managers or MANAGERS]
        lines = [line for file in files if file.exists() for line in file.read_text(encoding="utf-8").splitlines()]
        entries = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [datetime.fromisoformat(e["timestamp"]).timestamp() for e in entries if e["event"] == event]

    def operations(self) -> list[Mapping[str, Any]]:
        """The journal, newest first, without what managers do unasked to let an old primary come back."""
        return [one for one in self.journal() if (one["kind"], one["requested_by"]["kind"]) != ("rejoin", "automatic")]

    def journal(self) -> list[Mapping[str, Any]]:
        """The whole journal, newest first."""

        def read() -> Mapping[str, Any]:
            return dict(json.loads(self.managers.command("ops", "list", "--json").stdout))

        told = eventually(
            read, lambda one: "operations" in one, "the journal, which a busy machine may not give in time"
        )
        found: list[Mapping[str, Any]] = told["operations"]
        return found

    def shown(self, operation: str) -> Mapping[str, Any]:
        """One operation with its steps."""

        def read() -> Mapping[str, Any]:
            return dict(json.loads(self.managers.command("ops", "show", operation, "--json").stdout))

        return eventually(read, lambda one: "steps" in one, "the operation, which a busy machine may not give in time")

    def settled(self, elect: str, attached: tuple[str, ...]) -> Account:
        """The client goes on at the elect, it alone takes writes, the others follow it, and no row is lost anywhere."""
        eventually(lambda: self.writer.account.acks[-1].server, lambda server: server == elect, f"a row on {elect}")
        self.go_on()
        account = self.writer.stop()
        assert writable(self.lab) == (elect,)
        served = [server for server, _ in groupby(account.acks, key=lambda ack: ack.server)]
        assert len(served) == len(set(served)), f"rows were taken by turns: {served}"
        shown = [self.shown(listed["operation"]) for listed in self.journal()]
        troubled = [step for one in shown for step in one["steps"] if step["outcome"] == "failed"]
        follows(self.lab, elect, attached, troubled)
        for server in (elect, *attached):
            compared = compare(self.lab, server, account)
            assert compared.clean, (server, compared)
        told = eventually(self.managers.status, lambda s: s.get("operation") is None, "a quiet status")
        if told["active_manager"] is not None:
            told = self.managers.wait_for(f"{elect} as primary", lambda s: s["primary"] == elect, PATIENCE)

        def sources(status: Mapping[str, Any]) -> dict[str, str | None]:
            return {s["name"]: s["source"] for s in status["servers"] if s["name"] in attached}

        # a look that a busy machine made too late for a server knows nothing of its source
        self.managers.wait_for(f"all at {elect}", lambda s: sources(s) == dict.fromkeys(attached, elect), PATIENCE)
        return account

    def quiet(self, turns: int = 3) -> None:
        """No operation was begun, and the first primary alone takes writes while managers look again and again."""
        for _ in range(turns):
            assert self.journal() == []
            self.go_on(40)
        assert writable(self.lab) == (self.primary,)

    def problems(self, server: str) -> dict[str, str]:
        """What the status says is wrong with one server: sentences by their ids."""
        (found,) = (s for s in self.managers.status()["servers"] if s["name"] == server)
        return {problem["id"]: problem["sentence"] for problem in found["problems"]}

    def command(self, *words: str) -> tuple[int, dict[str, Any], str]:
        """A command with `--json`: its exit code, its one document, and what it said."""
        answer = self.managers.command(*words, "--json")
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer.returncode, json.loads(answer.stdout), answer.stderr

    def untouched(self) -> dict[str, tuple[object, ...]]:
        """What nobody may change by looking: sets, doors and sources of every server that runs."""
        return {
            server: (
                *self.lab.sql(server, "SELECT @@GLOBAL.gtid_executed, @@read_only, @@super_read_only, @@offline_mode"),
                tuple(replication(self.lab, server).get(key) for key in KEPT),
            )
            for server in self.lab.servers
            if self.lab.mysqld_pid(server)
        }


KEPT = ("Source_Host", "Source_Port", "Replica_IO_Running", "Replica_SQL_Running", "Auto_Position")


def follows(lab: Lab, elect: str, attached: tuple[str, ...], troubled: Sequence[object] = ()) -> None:
    """Each of these servers follows the elect with both threads, has all that it has, and is closed.

    `troubled` are the steps that failed on the way: what is missing here is told together with them.
    """
    address = lab.hosts[elect].address
    for server in attached:
        eventually(
            lambda server=server: replication(lab, server),  # type: ignore[misc]
            lambda row: (
                (row["Source_Host"], row["Replica_IO_Running"], row["Replica_SQL_Running"]) == (address, "Yes", "Yes")
            ),
            f"{server} following {elect}",
        )
        wanted = executed(lab, elect)
        eventually(lambda server=server, wanted=wanted: inside(lab, server, wanted), bool, f"{server} at {wanted}")  # type: ignore[misc]
        assert lab.sql(server, "SELECT @@super_read_only") == ((1,),)
    assert replication(lab, elect) == {}, f"the new primary has no source any more; steps that failed: {troubled}"


def in_contracts_shape(shown: Mapping[str, Any]) -> None:
    """What scripts may rely on in the document of an operation that has ended."""
    assert shown.keys() >= OPERATION_KEYS, OPERATION_KEYS - shown.keys()
    assert shown["requested_by"].keys() >= REQUESTER_KEYS
    assert shown["lost"].keys() >= {"transactions", "gtids"}
    assert all(step.keys() >= STEP_KEYS for step in shown["steps"])
    assert {step["outcome"] for step in shown["steps"]} <= {"done", "already", "failed", "skipped"}
    assert all(saved.keys() >= {"gtids", "transactions", "from", "how"} for saved in shown["saved"])
    assert all(replica.keys() >= {"name", "attached", "problem"} for replica in shown["replicas"])
    assert all(isinstance(shown[key], str) and shown[key].endswith("Z") for key in ("started", "ended"))


def saved_count(shown: Mapping[str, Any]) -> int:
    """How many transactions were brought to the elect."""
    return sum(int(saved["transactions"]) for saved in shown["saved"])


def ends_of(shown: Mapping[str, Any]) -> dict[str, tuple[bool, str | None]]:
    """Each replica of the report: attached, and what is wrong with it."""
    return {replica["name"]: (replica["attached"], replica["problem"]) for replica in shown["replicas"]}


@contextmanager
def rehearsal(lab: Lab, at: str = "", patience: float = writer.PATIENCE) -> Iterator[Rehearsal]:
    """A rehearsal in this lab; the client and all managers end with it. `patience` is the client's with one row."""
    one = Rehearsal(lab, at, patience)
    try:
        yield one
    finally:
        one.writer.stop()
        one.managers.stop()
