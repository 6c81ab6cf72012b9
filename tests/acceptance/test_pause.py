"""What is paused is left alone whatever happens and says what it would do; by hand a closed primary is opened."""

from __future__ import annotations

from typing import Any

import pytest

from failoverd.drivers.flight import read
from failoverd.service.replaying import replay
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, eventually, everywhere, rehearsal, writable
from tests.acceptance.test_detection import served
from tests.acceptance.test_main_job_by_hand import BY_HAND

# A busy machine takes seconds for each command.
pytestmark = pytest.mark.timeout(300)


def ids(refusals: list[dict[str, str]]) -> list[str]:
    return [refusal["id"] for refusal in refusals]


PAUSED = pytest.mark.parametrize(
    ("where", "refused", "sentence"),
    [((), "paused", "moving racks"), (("--server", "db1"), "maintenance", "db1 is in maintenance")],
    ids=["cluster", "primary"],
)


@PAUSED
def test_what_is_paused_is_failed_over_when_it_is_resumed(
    lab: LabFactory, where: tuple[str, ...], refused: str, sentence: str
) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        code, told, _ = play.command("pause", "shop", *where, "--for", "1h", "--reason", "moving racks", "--yes")
        assert (code, told["paused"]["reason"]) == (0, "moving racks")
        play.managers.wait_for(
            "the pause", lambda s: (s["servers"][0] if where else s)["paused"] == told["paused"], PATIENCE
        )
        play.writer.pause()
        everywhere(play)  # else the plan may see what the replicas are just about to get
        code, plan, _ = play.command("plan", "shop", "--kill", "db1")
        play.writer.resume()
        assert (code, ids(plan["refusals"])) == (1, [refused])
        assert {plan["new_primary"], *(loser["name"] for loser in plan["why_not"])} == set(play.replicas())
        assert plan["eta_seconds"] > 0
        assert set(plan["predicted_loss"]) == {"transactions", "bytes", "gtids"}
        play.kill_primary()
        seen = play.managers.wait_for(
            "a dead primary", lambda s: s["verdict"] == "primary-dead" and ids(s["refusals"]) == [refused], PATIENCE
        )
        assert sentence in seen["refusals"][0]["sentence"]
        assert (play.operations(), writable(play.lab)) == ([], ())
        code, told, _ = play.command("resume", "shop", *where, "--yes")
        assert (code, told["paused"], told["before"]["reason"]) == (0, None, "moving racks")
        shown = play.ended()
        (recording,) = eventually(
            lambda: list(play.lab.folder.glob(f"**/flight/shop/kept/{shown['operation']}.flight")), bool, "a recording"
        )
        replayed: Any = replay(read(recording))
        assert replayed["differences"] == []
        assert replayed["verdicts"][-1]["verdict"] == "primary-dead"
        elect = str(shown["new_primary"])
        play.settled(elect, tuple(set(play.replicas()) - {elect}))


@PAUSED
def test_a_primary_that_freezes_while_it_is_paused_goes_on_with_its_client(
    lab: LabFactory, where: tuple[str, ...], refused: str, sentence: str
) -> None:
    """Frozen for as long as a failover would have taken: the client is answered late, and by nobody else."""
    with served(lab, patience=PATIENCE) as play:  # the freeze lasts until the managers have told of it
        assert play.command("pause", "shop", *where, "--reason", "moving racks", "--yes")[0] == 0
        play.lab.fault.stop("db1")
        seen = play.managers.wait_for(
            "a frozen primary that is left alone", lambda s: ids(s["refusals"]) == [refused], PATIENCE
        )
        assert seen["verdict"].startswith("primary-"), seen["verdict"]
        assert sentence in seen["refusals"][0]["sentence"]
        play.lab.fault.cont("db1")
        play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy", PATIENCE)
        play.go_on(60)
        assert play.operations() == []
        assert play.command("resume", "shop", *where, "--yes")[0] == 0


def test_a_person_opens_the_recorded_primary_with_and_without_a_manager(lab: LabFactory) -> None:
    with rehearsal(lab(settings=BY_HAND)) as play:
        play.begin()
        code, refused, _ = play.command("reopen", "shop", "--yes")
        assert (code, [r["id"] for r in refused["refusals"]]) == (1, ["primary-open"])
        for _ in range(2):
            play.lab.sql("db1", "SET GLOBAL super_read_only=ON")
            assert writable(play.lab) == ()
            code, plan, _ = play.command("reopen", "shop", "--dry-run")
            assert (code, plan["new_primary"], plan["refusals"]) == (0, "db1", [])
            assert writable(play.lab) == ()
            code, document, _ = play.command("reopen", "shop", "--yes", "--reason", "power cut")
            assert (code, document["kind"], document["outcome"]) == (0, "reopen", "done"), document
            assert document["requested_by"]["reason"] == "power cut"
            assert writable(play.lab) == ("db1",)
            play.go_on()
            play.managers.stop()  # the second time nobody is active
        play.settled("db1", play.replicas())
