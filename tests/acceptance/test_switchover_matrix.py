"""The active manager is killed or frozen at every step of a switchover, and the standby ends or undoes it.

Here some steps with each; `make matrix` runs every cell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from failoverd.lab.compare import compare
from tests.acceptance.conftest import LabFactory
from tests.acceptance.interruptions import Interrupted
from tests.acceptance.rehearsal import eventually, follows, rehearsal, replication, writable

EVERY = bool(os.environ.get("FAILOVERD_MATRIX"))
# In the order in which the active manager meets them.
STEPS = (
    "ClaimServer", "GetReady", "CloseWrites", "CatchUp", "KeepOut", "DisarmSource", "OpenWrites", "PublishPrimary",
    "Repoint", "LetIn", "ForgetSource",
)  # fmt: skip
MOMENTS = (
    "after:begin",
    *(f"{side}:{step}" for step in STEPS for side in ("before", "after")),
    "after:promote-intent",
    "before:end",
)
# Until the choice is on record the next manager undoes it; from then on the elect never changes.
UNDONE = (*MOMENTS[: MOMENTS.index("after:OpenWrites")],)
COVERING = {
    "kill": ("after:CloseWrites", "before:OpenWrites", "after:promote-intent", "after:Repoint"),
    "stop": ("after:KeepOut", "before:CatchUp", "after:OpenWrites", "before:LetIn"),
}
CELLS = dict.fromkeys(COVERING, MOMENTS) if EVERY else COVERING


class Planned(Interrupted):
    """Switchovers interrupted one after the other; each ends whole, with one primary or the other."""

    def round(self, verb: str, moment: str) -> Mapping[str, Any]:
        """One switchover whose manager is killed or stopped at that moment; its document, when all is whole again."""
        play, struck = self.play, "mgr1"
        self.enter(struck, f"{verb} {moment}")
        self.enter("mgr2", "")
        self.ready(struck)
        _, document, said = play.command("switchover", "shop", "--yes")
        assert document.get("outcome") == ("undone" if moment in UNDONE else "done"), (moment, document, said)
        self.struck(struck, verb)
        play.primary = document["new_primary"] or document["old_primary"]
        self.settled()
        if verb == "stop":
            self.wakes(struck)
        return document

    def settled(self) -> None:
        """One writable server, everybody else behind it and let in, nothing lost, nothing open."""
        play = self.play
        eventually(lambda: writable(play.lab), lambda found: found == (play.primary,), f"{play.primary} alone")
        eventually(play.operations, lambda found: all(one["ended"] for one in found), "a closed journal")
        for name in play.replicas():
            eventually(
                lambda name=name: replication(play.lab, name).get("Replica_IO_Running"),  # type: ignore[misc]
                lambda running: running == "Yes",
                f"{name} as a follower",
            )
        play.go_on(20)
        play.writer.pause()
        try:
            follows(play.lab, play.primary, play.replicas())
            for name in play.lab.servers:
                assert compare(play.lab, name, play.writer.account).clean, name
                assert play.lab.sql(name, "SELECT @@offline_mode") == ((0,),)
        finally:
            play.writer.resume()


@pytest.mark.timeout(1500 if EVERY else 600)
@pytest.mark.parametrize("verb", COVERING)
def test_the_standby_ends_or_undoes_what_the_active_manager_began(lab: LabFactory, verb: str) -> None:
    with rehearsal(lab()) as play:
        rounds = Planned(play)
        rounds.begin()
        for moment in CELLS[verb]:
            rounds.round(verb, moment)
            print(f"{verb} {moment}: {play.primary}")
