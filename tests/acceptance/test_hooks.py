"""People's own programs beside a real failover: one that says no, one that hangs, one that fails."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, Rehearsal, eventually, rehearsal


def stand(folder: Path, which: str, text: str) -> Path:
    """Put a program where hooks are."""
    path = folder / which
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def outcomes(play: Rehearsal) -> list[str]:
    """Of all operations that have ended, oldest first."""
    return [str(one["outcome"]) for one in reversed(play.operations()) if one["ended"] is not None]


def test_a_no_holds_a_failover_back_and_nothing_else_does(lab: LabFactory) -> None:
    one = lab()
    folder, heard = one.folder / "hooks.d", one.folder / "heard"
    veto = stand(folder, "before-freeze/10-ask", "echo the month ends today; exit 1")
    stand(folder, "on-promoted/10-hangs", "echo begun; sleep 1000 & wait")
    stand(folder, "on-promoted/20-fails", "echo nobody is home >&2; exit 3")
    stand(folder, "on-success/10-tells", f"cat > {heard}; env | grep ^FAILOVERD_ >> {heard}")
    changes: dict[str, object] = {"hooks_dir": str(folder), "hooks_timeout": "2s"}
    one.configure({"clusters": {"shop": changes}})
    with rehearsal(one) as play:
        play.begin()
        play.kill_primary()
        eventually(lambda: outcomes(play), lambda found: "undone" in found, "a failover that was held back")
        undone = play.shown(play.operations()[-1]["operation"])
        (asked,) = [step for step in undone["steps"] if step["outcome"] == "failed"]
        assert "the month ends today" in asked["detail"]
        assert play.lab.sql("db2", "SELECT @@super_read_only") == ((1,),)
        assert not [step for step in undone["steps"] if step["stage"] == "FENCE"]

        veto.write_text("#!/bin/sh\nexit 0\n")
        eventually(lambda: outcomes(play), lambda found: found[-1:] == ["done"], "a failover")
        done = play.shown(play.operations()[0]["operation"])
        hooks = {e["body"]["key"].rpartition(":")[2]: e["body"] for e in done["entries"] if e["kind"] == "hook-ended"}
        assert (hooks["10-hangs"]["how"], hooks["10-hangs"]["output"]) == ("killed after 2 s", "begun")
        assert (hooks["20-fails"]["how"], hooks["20-fails"]["output"]) == ("exit 3", "nobody is home")
        eventually(heard.exists, bool, "the hook of the end", PATIENCE)
        document, *environment = heard.read_text().split("\nFAILOVERD_")
        assert "NEW=" + done["new_primary"] in environment
        told = json.loads(document.partition("FAILOVERD_")[0])
        assert (told["operation"], told["outcome"]) == (done["operation"], "done")
        (other,) = set(play.replicas()) - {done["new_primary"]}
        play.settled(done["new_primary"], (other,))
