"""How long a door may take to open."""

from __future__ import annotations

import sys

import pytest

from failoverd.agent import doorway
from failoverd.agent.deadline import Deadline
from failoverd.agent.doorway import Doorway
from failoverd.agent.faults import BAD_REQUEST, DOOR, Fault

SLOW = "import sys, time; time.sleep(1.0); sys.argv = ['', 'door']; from failoverd.agent.main import main; main()"


@pytest.mark.parametrize(("seconds", "code"), [(60.0, BAD_REQUEST), (0.1, DOOR)], ids=["patient", "short"])
def test_a_door_that_opens_slowly_is_waited_for_as_long_as_the_call_lasts(
    seconds: float, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "_START_TIME", 0.1)
    monkeypatch.setattr(doorway, "_sufficient", lambda _: False)
    with pytest.raises(Fault) as refused:  # the door itself refuses a request without arguments, once it is open
        Doorway([sys.executable, "-c", SLOW]).call("kept", {}, Deadline(seconds))
    assert refused.value.code == code
