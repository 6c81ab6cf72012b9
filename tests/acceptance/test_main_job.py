"""The main job on real servers: the primary dies, the most advanced replica takes over, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import PATIENCE, ends_of, rehearsal

supervisor = pytest.mark.parametrize("supervised", [False, True], ids=["bare", "supervised"])


@supervisor
def test_the_primary_is_killed(lab: LabFactory, supervised: bool) -> None:
    with rehearsal(lab(supervised=supervised)) as play:
        play.begin()
        killed_at = play.kill_primary()
        shown = play.ended()
        elect = shown["new_primary"]
        (other,) = set(play.replicas()) - {elect}
        account = play.settled(elect, (other,))
        assert shown["old_primary"] == "db1"
        assert shown["lost"] == {"transactions": 0, "gtids": "", "at_least": False}
        assert shown["fenced"]["server"] == "db1"
        assert "UNFENCED" not in shown["fenced"]["how"]
        assert ends_of(shown)[other] == (True, None)
        assert shown["requested_by"]["kind"] == "automatic"
        assert {step["stage"] for step in shown["steps"]} >= {"CHECK", "FENCE", "FREEZE", "PROMOTE", "REPOINT"}
        first = account.first_ack_after(killed_at)
        assert first is not None
        assert account.longest_gap(killed_at - 1)[0] < PATIENCE
