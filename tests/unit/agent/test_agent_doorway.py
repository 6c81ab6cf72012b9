"""How long a door may take to open."""

from __future__ import annotations

import sys

import pytest

from failoverd.agent import doorway
from failoverd.agent.deadline import Deadline
from failoverd.agent.doorway import Doorway
from failoverd.agent.faults import BAD_REQUEST, DOOR, TIMEOUT, Fault, why_not

SLOW = "import sys, time; time.sleep(1.0); sys.argv = ['', 'door']; from failoverd.agent.main import main; main()"


@pytest.mark.parametrize(("seconds", "code"), [(60.0, BAD_REQUEST), (0.1, TIMEOUT)], ids=["patient", "short"])
def test_a_door_that_opens_slowly_is_waited_for_as_long_as_the_call_lasts(
    seconds: float, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "_START_TIME", 0.1)
    monkeypatch.setattr(doorway, "_sufficient", lambda _: False)
    with pytest.raises(Fault) as refused:  # the door itself refuses a request without arguments, once it is open
        Doorway([sys.executable, "-c", SLOW]).call("kept", {}, Deadline(seconds))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("program", "greeting", "start", "said"),
    [
        ("import sys; sys.exit('sudo: a password is required')", 20.0, 20.0, "missing: sudo: a password is required"),
        (SLOW, 0.1, 20.0, "unknown: sudo has not answered within 0.1 s"),
        (SLOW, 20.0, 0.1, "unknown: not within 0.1 s: no answer"),
    ],
    ids=["refused", "slow greeting", "slow start"],
)
def test_a_door_that_takes_its_time_is_no_missing_right(
    program: str, greeting: float, start: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(doorway, "_GREETING_TIME", greeting)
    monkeypatch.setattr(doorway, "_START_TIME", start)
    assert Doorway([sys.executable, "-c", program]).state() == said


def test_a_deadline_that_has_passed_disproves_no_right() -> None:
    assert why_not(Fault(TIMEOUT, "ip was not done in time")) == "unknown: ip was not done in time"
    assert why_not(Fault(DOOR, "it may not", "eth0")) == "it may not: eth0"
    assert why_not(PermissionError(1, "not permitted")) == "[Errno 1] not permitted"
