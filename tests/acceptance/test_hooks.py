"""People's own programs beside a real failover: one that says no, one that hangs, one that fails."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, ROW, Rehearsal, eventually, follows, rehearsal, writable


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
    changes: dict[str, object] = {"hooks_dir": str(folder), "hooks_timeout": "2s", "rejoin": "off"}
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


TURNS = ("on-validated", "before-freeze", "on-frozen", "on-promoted", "on-traffic-moved", "on-success")
ASIDE = ("on-status", "on-verdict")


def test_where_nothing_else_shuts_the_primary_its_hook_does_and_every_turn_is_told(lab: LabFactory) -> None:
    one = lab()
    folder, heard = one.folder / "hooks.d", one.folder / "heard"
    for point in (*TURNS, *ASIDE):
        stand(folder, f"{point}/10-tells", f'echo "$FAILOVERD_HOOK $FAILOVERD_KIND" >> {heard}')
    stand(folder, "fence/10-power", f'echo "fence $FAILOVERD_KIND" >> {heard}; echo the machine is off')
    required = {"hooks_dir": str(folder), "failover": {"fencing": "required"}}
    one.configure({"clusters": {"shop": required}})
    with rehearsal(one) as play:
        play.begin()
        play.writer.pause()  # what nobody but the lost host holds cannot be given back: here nothing is
        follows(one, "db1", play.replicas())
        one.fault.poweroff("db1")
        play.writer.resume()
        shown = play.ended()
        assert shown["fenced"] == {"server": "db1", "how": "hook 10-power: its word is taken for it"}
        eventually(lambda: said(heard, "on-success"), bool, "the hook of the end")
        turns = [line.split()[0] for line in heard.read_text().splitlines()]
        assert [turn for turn in turns if turn in TURNS] == list(TURNS)
        assert turns.index("before-freeze") < turns.index("fence") < turns.index("on-promoted")
        assert {line.split()[1] for line in said(heard, "on-success")} == {"failover"}
        eventually(lambda: said(heard, "on-status"), bool, "a stage that was told")
        eventually(lambda: set(said(heard, "on-verdict")), lambda told: told != {"on-verdict healthy"}, "a verdict")
        elect = shown["new_primary"]
        play.settled(elect, tuple(set(play.replicas()) - {elect}))


def said(heard: Path, point: str) -> list[str]:
    """What hooks of that point have told so far."""
    lines = heard.read_text().splitlines() if heard.exists() else []
    return [line for line in lines if line.startswith(point)]


def test_a_hook_that_is_under_way_when_its_manager_dies_is_run_again_under_the_same_key(lab: LabFactory) -> None:
    one = lab()
    folder, heard, gone = one.folder / "hooks.d", one.folder / "heard", one.folder / "gone"
    first = f"[ $(wc -l < {heard}) -gt 1 ] || until [ -e {gone} ]; do sleep 0.05; done"
    stand(folder, "on-promoted/10-dns", f'echo "$FAILOVERD_IDEMPOTENCY_KEY" >> {heard}; {first}')
    one.configure({"clusters": {"shop": {"hooks_dir": str(folder), "hooks_timeout": "60s"}}})
    with rehearsal(one) as play:
        active = str(play.begin()["active_manager"])
        play.kill_primary()
        pending = ["on-promoted/10-dns"]
        eventually(
            lambda: (play.managers.status().get("operation") or {}).get("hook_pending"),
            lambda told: told == pending,
            "a hook under way in the status",
        )
        taken = writable(one)
        play.managers.kill(active)
        keys = eventually(lambda: said(heard, ""), lambda told: len(told) == 2, "the hook again")
        gone.touch()
        assert keys[0] == keys[1]
        shown = play.ended()
        assert (shown["new_primary"],) == taken
        play.settled(taken[0], tuple(set(play.replicas()) - set(taken)))


def test_a_switchover_is_taken_back_where_a_hook_says_no_or_hangs_and_goes_on_past_others(lab: LabFactory) -> None:
    one = lab()
    folder, no, hangs, heard = (one.folder / name for name in ("hooks.d", "no", "hangs", "heard"))
    waits = f"[ ! -e {hangs} ] || sleep 1000"
    stand(folder, "before-freeze/10-asks", f"[ ! -e {no} ] || {{ echo not today; exit 1; }}; {waits}")
    stand(folder, "on-frozen/10-hangs", "sleep 1000")
    stand(folder, "on-undone/10-tells", f"echo undone >> {heard}")
    one.configure({"clusters": {"shop": {"hooks_dir": str(folder), "hooks_timeout": "500ms"}}})
    with rehearsal(one, patience=ROW) as play:
        play.begin()
        for file, why in ((no, "10-asks (exit 1): not today"), (hangs, "10-asks (killed after 0.5 s)")):
            file.touch()
            code, document, _ = play.command("switchover", "shop", "--yes")
            assert (code, document["outcome"]) == (3, "undone"), document
            assert next(s["detail"] for s in document["steps"] if s["outcome"] == "failed").endswith(why)
            file.unlink()
        assert said(heard, "undone") == ["undone"] * 2
        assert not play.writer.account.errors, "the client noticed nothing"
        code, document, _ = play.command("switchover", "shop", "--yes")
        assert (code, document["outcome"]) == (0, "done"), document
        failed = [step for step in document["steps"] if step["outcome"] == "failed"]
        assert ["killed after 0.5 s" in step["detail"] for step in failed] == [True]
        play.settled("db2", ("db1", "db3"))
