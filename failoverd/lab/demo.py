"""`make demo`: a cluster on this machine, a client that writes, a primary that is killed, and what became of every row.

Ends with 0 only if nothing that was acknowledged is lost and exactly one server takes writes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from failoverd.lab.compare import Comparison, compare, writable
from failoverd.lab.lab import Lab, Options
from failoverd.lab.managers import Managers
from failoverd.lab.story import Story
from failoverd.lab.writer import TABLE, Account, writer_for
from failoverd.model.errors import FailoverdError

NAME = "demo"
WRITE_EVERY = 0.01
DEAF_FOR = 1.0  # seconds in which the primary writes what no replica receives
PATIENCE = 30.0


class Demo:
    """One run, told on a console as it happens."""

    def __init__(self, console: Console, name: str = NAME) -> None:
        self._console = console
        self._name = name
        self._begun = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """One line with the seconds since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._begun:6.1f} s[/dim]  {text}", style=style, highlight=False)

    def run(self) -> int:
        """Bring up, break, watch, compare, take down; the exit code."""
        if self._name in Lab.names():
            Lab.take_down(self._name)
        self.say("bringing up 1 primary, 2 replicas, 1 ZooKeeper, 2 managers, each host with its own sshd")
        lab = Lab.up(Options(name=self._name, managers=2), self.quietly)
        managers = Managers(lab)
        try:
            return self.rehearse(lab, managers)
        finally:
            managers.stop()
            lab.down()
            self.say("lab taken down, nothing left behind")

    def quietly(self, text: str) -> None:
        """Progress of the lab itself, in the background colour."""
        self.say(text, style="dim")

    def rehearse(self, lab: Lab, managers: Managers) -> int:
        """From a watched cluster to the verdict on every row."""
        for name in ("mgr1", "mgr2"):
            managers.start(name)
        status = managers.wait_ready()
        primary = str(status["primary"])
        self.say(f"{status['active_manager']} is active, {', '.join(status['standby_managers'])} stands by")
        lab.sql(primary, TABLE)
        writer = writer_for(lab, WRITE_EVERY)
        writer.start()
        if not writer.wait_for_acks(100, PATIENCE):
            raise FailoverdError("the client could not write", "before anything was broken")
        killed_at = self.strike(lab, managers, status)
        recovered = writer.wait_for_acks(200, PATIENCE)
        account = writer.stop()
        return self.judge(lab, managers, account, killed_at if recovered else None)

    def strike(self, lab: Lab, managers: Managers, status: Mapping[str, Any]) -> float:
        """Make the replicas deaf, let the primary write on, then kill it without warning; wall seconds of the kill."""
        primary = str(status["primary"])
        self.say(f"a client writes a numbered row every {WRITE_EVERY * 1000:.0f} ms to {primary}")
        for replica in lab.servers:
            if replica != primary:
                lab.sql(replica, "STOP REPLICA IO_THREAD")
        self.say(f"receivers of both replicas stopped: for {DEAF_FOR:g} s {primary} writes what nobody else has")
        time.sleep(DEAF_FOR)
        story = Story(managers, str(status["active_manager"]), self.say)
        story.begin()
        pid = lab.mysqld_pid(primary)
        self.say(f"kill -9 of {primary}'s mysqld (pid {pid})", style="bold red")
        killed_at = time.time()
        os.kill(pid, signal.SIGKILL)
        story.tell_until_quiet(PATIENCE)
        return killed_at

    def judge(self, lab: Lab, managers: Managers, account: Account, killed_at: float | None) -> int:
        """Print the timeline, the outage and the comparison; the exit code."""
        if killed_at is None:
            self.say("the client could not write again: the failover did not happen", style="bold red")
            return 1
        status = managers.wait_for(
            "an end of the operation", lambda s: s["operation"] is None and s["primary"] != lab.servers[0]
        )
        elect = str(status["primary"])
        operation = last_move(managers)
        compared = compare(lab, elect, account)
        now_writable = writable(lab)
        self.timeline(operation, killed_at)
        self.figures(operation, account, compared, killed_at)
        self.topology(status)
        good = compared.clean and len(now_writable) == 1
        lost, writers = len(compared.lost), ", ".join(now_writable) or "nobody"
        self.say(f"rows lost: {lost}; taking writes: {writers}", style="bold green" if good else "bold red")
        return 0 if good else 1

    def timeline(self, operation: Mapping[str, Any], killed_at: float) -> None:
        """The steps of the failover, in seconds since the kill."""
        table = Table("seconds after the kill", "stage", "what", "outcome", title="What happened", title_justify="left")
        detected = parse(operation["detected"]) - killed_at
        table.add_row(f"{detected:.3f}", "DETECT", str(operation["cause"]), "")
        for step in operation["steps"]:
            at = parse(step["started"]) + float(step["seconds"]) - killed_at
            table.add_row(f"{at:.3f}", step["stage"], step["title"], f"{step['outcome']}: {step['detail']}")
        self._console.print(table)

    def figures(self, operation: Mapping[str, Any], account: Account, compared: Comparison, killed_at: float) -> None:
        """The numbers people ask for."""
        first = account.first_ack_after(parse(operation["writable"]))
        saved = sum(int(s["transactions"]) for s in operation["saved"])
        origins = ", ".join(sorted({str(s["from"]) for s in operation["saved"]})) or "nowhere"
        table = Table(title="What the client saw", title_justify="left", show_header=False)
        table.add_row("kill to next acknowledged row", f"{(first or time.time()) - killed_at:.3f} s")
        table.add_row("transactions salvaged", f"{saved} from {origins}")
        table.add_row("rows acknowledged", str(compared.acknowledged))
        table.add_row("rows without an answer", str(len(account.unknown)))
        table.add_row("rows lost", str(len(compared.lost)))
        self._console.print(table)

    def topology(self, status: Mapping[str, Any]) -> None:
        """Who follows whom in the end."""
        columns = ("server", "role", "takes writes", "follows", "receiver")
        table = Table(*columns, title="Final topology", title_justify="left")
        for server in status["servers"]:
            open_ = "unreachable" if not server["reachable"] else "no" if server["read_only"] else "yes"
            table.add_row(server["name"], server["role"], open_, server["source"] or "-", server["receiver"])
        self._console.print(table)


def last_move(managers: Managers) -> Mapping[str, Any]:
    """The newest operation that moved the primary, with its steps, as `ops show` tells it."""
    listed = json.loads(managers.command("ops", "list", "--json").stdout)["operations"]
    newest = next(one["operation"] for one in listed if one["kind"] in {"failover", "switchover"})
    shown: Mapping[str, Any] = json.loads(managers.command("ops", "show", newest, "--json").stdout)
    return shown


def parse(moment: str | None) -> float:
    """Wall seconds of an RFC 3339 time."""
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0


def console() -> Console:
    """A terminal as it is; a file or a pipe wide enough for the tables."""
    found = Console()
    return found if found.is_terminal else Console(width=140)


def main() -> int:
    """Run the demo on standard output; errors for people go to standard error."""
    try:
        return Demo(console()).run()
    except FailoverdError as error:
        sys.stderr.write(f"failoverd demo: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
