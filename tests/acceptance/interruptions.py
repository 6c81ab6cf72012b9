"""Failovers interrupted at a given moment of the active manager, one after the other on the same lab.

Each round ends with the cluster whole again: the old primary's fence is released and it is started, out of band; it
is made a replica by the manager.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failoverd.bootstrap.access import agent_access
from failoverd.config.load import read
from failoverd.drivers.clock import SystemClock
from failoverd.drivers.failpoint import VARIABLE
from failoverd.drivers.ssh.agents import SshAgents
from failoverd.drivers.ssh.zipapp import shipped_sha256
from failoverd.drivers.tasks import ThreadTasks
from failoverd.lab.compare import compare
from failoverd.lab.processes import state
from failoverd.model.errors import AgentError, FencedOut
from tests.acceptance.rehearsal import (
    PATIENCE,
    Rehearsal,
    eventually,
    executed,
    follows,
    inside,
    replication,
    writable,
)

STEPS = (
    "ClaimServer", "FenceHost", "StopReceiver", "Splice", "Drain", "DisarmSource", "OpenWrites", "PublishPrimary",
    "Repoint", "ForgetSource",
)  # fmt: skip
RECORDS = ("after:begin", "after:promote-intent", "before:end", "after:end")
MOMENTS = (*(f"{side}:{step}" for step in STEPS for side in ("before", "after")), *RECORDS)
SETTINGS: Mapping[str, object] = {"clusters": {"shop": {"failover": {"cooldown": "0s"}}}}


class Held:
    """The right to release a fence by hand, under the epoch that is in force."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def check(self) -> None:
        """A person at the host asks nobody."""


class Interrupted:
    """One lab, its writing client, and round after round."""

    def __init__(self, play: Rehearsal) -> None:
        self.play = play
        self.standby = ""
        self.ended = 0
        self.rounds = 0

    def begin(self) -> None:
        """Start the first manager and the client."""
        self.process = self.play.managers.start("mgr2")
        self.standby = "mgr2"
        self.play.managers.wait_ready(standbys=0, timeout=PATIENCE)
        self.play.write()

    def round(self, verb: str, moment: str) -> Mapping[str, Any]:
        """One failover whose manager is killed or stopped at that moment; its account, when all is whole again."""
        play, struck = self.play, "mgr1"
        self.enter(struck, f"{verb} {moment}")
        self.enter("mgr2", "")
        self.ready(struck)
        if "StopReceiver" not in moment:
            play.deaf(*play.replicas())
        old = play.primary
        play.kill_primary()
        self.struck(struck, verb)
        eventually(lambda: self.count("operation ended", moment), lambda n: n > self.ended, f"an end ({verb} {moment})")
        shown = self.whole()
        if verb == "stop":
            self.wakes(struck)
        self.restore(old, str(shown["new_primary"]), int(shown["epoch"]))
        return shown

    def enter(self, name: str, failpoint: str) -> None:
        """(Re)start a manager; with a failpoint it becomes the active one, because the other one leaves."""
        managers = self.play.managers
        (self.play.lab.folder / name / "run" / "shop" / "status.json").unlink(missing_ok=True)
        if failpoint:
            self.process = managers.start(name, {VARIABLE: failpoint})
            eventually(lambda: self.seen(name), bool, f"a first look of {name}")
            managers.end(self.standby)
            eventually(lambda: self.active(name), bool, f"{name} as the active one")
        else:
            managers.start(name)
        self.standby = name

    def seen(self, name: str) -> bool:
        """Whether it looks already, and knows who is in line: an older status would not name it."""
        kept = self.play.managers.kept(name)
        return bool(kept) and name in kept["standby_managers"]

    def active(self, name: str) -> bool:
        """Whether it says itself that it is the active one."""
        return self.play.managers.kept(name).get("active_manager") == name

    def ready(self, name: str) -> None:
        """Wait until the active manager says that everything a failover needs is there, the standby too."""
        eventually(
            lambda: self.play.managers.kept(name),
            lambda kept: (
                kept["verdict"] == "healthy"
                and kept["standby_managers"] == ["mgr2"]
                and all(server["agent"] == "ok" for server in kept["servers"])
            ),
            "a healthy cluster with a standby",
        )
        eventually(lambda: self.play.managers.kept("mgr2").get("active_manager"), lambda a: a == name, "a standby")
        self.ended = self.count("operation ended", "")

    def struck(self, name: str, verb: str) -> None:
        """Wait until the failpoint has struck."""
        if verb == "kill":
            assert self.process.wait(timeout=PATIENCE) == -signal.SIGKILL
        else:
            eventually(lambda: state(self.process.pid), lambda now: now == "T", f"the freeze of {name}")

    def count(self, event: str, moment: str) -> int:
        """How often an event was logged; after the last record the dead manager cannot say that it had ended."""
        return len(self.play.logged(event)) + (moment == "after:end")

    def whole(self) -> Mapping[str, Any]:
        """One writable server, nothing lost, the other replica attached, the journal closed."""
        play = self.play
        found = eventually(self.failovers, lambda now: len(now) > self.rounds and now[0]["ended"], "a closed journal")
        self.rounds = len(found)
        shown = play.shown(found[0]["operation"])
        assert (shown["kind"], shown["outcome"], shown["lost"]["transactions"]) == ("failover", "done", 0), shown
        elect = str(shown["new_primary"])
        eventually(lambda: play.writer.account.acks[-1].server, lambda server: server == elect, f"a row on {elect}")
        play.go_on(20)
        assert writable(play.lab) == (elect,)
        play.writer.pause()
        try:
            others = tuple(name for name in play.lab.servers if name not in {elect, play.primary})
            follows(play.lab, elect, others)
            for server in (elect, *others):
                assert compare(play.lab, server, play.writer.account).clean, server
        finally:
            play.writer.resume()
        return shown

    def failovers(self) -> list[Mapping[str, Any]]:
        """All failovers, newest first: managers also bring back what returns."""
        return [one for one in self.play.operations() if one["kind"] == "failover"]

    def wakes(self, name: str) -> None:
        """The frozen manager goes on, finds that it was deposed, and changes nothing."""
        play = self.play
        lost = len(play.logged("lock lost", name))
        play.writer.pause()
        try:
            self.caught_up()
            before = eventually(play.untouched, lambda now: now == play.untouched(), "still servers")
            play.managers.kill(name, signal.SIGCONT)
            eventually(lambda: len(play.logged("lock lost", name)), lambda n: n > lost, "the woken manager's own word")
            time.sleep(0.5)  # what it might still have under way would have arrived
            now = play.untouched()
            assert now == before, (before, now)
        finally:
            play.writer.resume()
        play.managers.end(name)

    def caught_up(self) -> None:
        """Wait until all servers that run have what the one has that takes writes: nothing arrives any more."""
        lab = self.play.lab
        (elect,) = eventually(lambda: writable(lab), lambda found: len(found) == 1, "one server that takes writes")
        wanted = executed(lab, elect)
        for server in filter(lab.mysqld_pid, lab.servers):
            eventually(lambda server=server: inside(lab, server, wanted), bool, f"{server} at {wanted}")  # type: ignore[misc]

    def restore(self, old: str, elect: str, epoch: int) -> None:
        """Release the old primary's fence and start it, as a person would; the manager makes it a replica."""
        lab = self.play.lab
        config = read(Path(lab.config_path)).config
        access = agent_access(config, config.access("shop", old))
        held = Held(epoch)  # a higher one than the manager's would shut the manager out
        agents = SshAgents((access,), shipped_sha256(), SystemClock(), ThreadTasks(), lambda _: held)
        try:
            eventually(lambda: self.released(agents, old, held), bool, f"the release of {old}")
        finally:
            agents.close()
        lab.start_mysqld(old)
        source = lab.hosts[elect].address
        eventually(
            lambda: replication(lab, old),
            lambda row: (row.get("Source_Host"), row.get("Replica_IO_Running")) == (source, "Yes"),
            f"{old} behind {elect}",
        )
        eventually(self.play.operations, lambda found: all(one["ended"] for one in found), "a closed journal")
        self.play.primary = elect

    def released(self, agents: SshAgents, server: str, held: Held) -> bool:
        """Whether the fence is released: an agent on a busy machine may need longer than it is given at once, and the
        lock may just have gone to another manager.
        """
        held.epoch = max(held.epoch, int(self.play.managers.status().get("epoch") or 0))
        try:
            agents.release("shop", server, held)
        except (AgentError, FencedOut):
            return False
        return True
