"""What stands against a drill on a real cluster: permission, window, faults, radius; each with its line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from failoverd.config.complaints import Wrong
from failoverd.config.drills import window_of
from failoverd.model.permit import Permit, Window, objections
from failoverd.model.runbook import Fault, FaultStep, LabShape, ProbeShape, Role, Runbook, RunStep

SUNDAY = datetime(2026, 11, 22, 2, 30)  # noqa: DTZ001 - the local time of the window's own zone
MONDAY = datetime(2026, 11, 23, 2, 30)  # noqa: DTZ001
FREEZE = FaultStep(Fault.FREEZE, Role.PRIMARY, place="x.yml:7")
PERMIT = Permit(True, window_of("Sun 02:00-04:00"), "Sun 02:00-04:00", frozenset({Fault.FREEZE, Fault.CUT}))


def book(*steps: Any, **more: Any) -> Runbook:
    return Runbook("x", "x.yml", "t", "a", steps or (FREEZE,), (), **{"blast_radius": (Role.PRIMARY,), **more})


def test_nothing_stands_against_what_is_allowed() -> None:
    heal = FaultStep(Fault.HEAL, place="x.yml:9")
    cut = FaultStep(Fault.CUT, Role.PRIMARY, Role.EVERYBODY, place="x.yml:8")
    assert objections(book(FREEZE, cut, RunStep("status"), cleanup=(heal,)), PERMIT, SUNDAY) == ()
    assert objections(book(), Permit(True, None, "", PERMIT.faults), MONDAY) == ()


CASES: tuple[tuple[Runbook, Permit, datetime, str], ...] = (
    (book(), Permit(), SUNDAY, "x.yml:1: the cluster does not allow drills"),
    (book(probe=ProbeShape(through="haproxy")), PERMIT, SUNDAY, "x.yml:1: probe.through: haproxy is the lab's own"),
    (book(), PERMIT, MONDAY, "x.yml:1: now is Mon 02:30, and drills are allowed Sun 02:00-04:00 only"),
    (book(blast_radius=()), PERMIT, SUNDAY, "x.yml:1: blast_radius is missing"),
    (book(lab=LabShape(failpoint="kill after:begin")), PERMIT, SUNDAY, "x.yml:1: lab.failpoint is for labs only"),
    (book(FaultStep(Fault.KILL, Role.PRIMARY, place="x.yml:7")), PERMIT, SUNDAY, "x.yml:7: the cluster does not allow"),
    (book(FaultStep(Fault.POWEROFF, Role.PRIMARY, place="x.yml:7")), PERMIT, SUNDAY, "x.yml:7: no agent undoes"),
    (
        book(cleanup=(FaultStep(Fault.START, Role.PRIMARY, place="x.yml:9"),)),
        PERMIT,
        SUNDAY,
        "x.yml:9: no agent undoes",
    ),
    (book(FaultStep(Fault.FREEZE, Role.ACTIVE_MANAGER, place="x.yml:7")), PERMIT, SUNDAY, "x.yml:7: no agent stands"),
    (
        book(FaultStep(Fault.CUT, Role.PRIMARY, Role.MANAGERS, place="x.yml:7")),
        PERMIT,
        SUNDAY,
        "x.yml:7: on a real cluster a server is cut off from everybody",
    ),
)


@pytest.mark.parametrize(("wanted", "permit", "at", "said"), CASES)
def test_each_reason_alone(wanted: Runbook, permit: Permit, at: datetime, said: str) -> None:
    found = objections(wanted, permit, at)
    assert any(one.startswith(said) for one in found), found


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("Sun 02:00-04:00", [(22, 2, 0), (22, 3, 59)], [(22, 4, 0), (22, 1, 59), (23, 3, 0)]),
        ("Mon-Fri 22:00-02:00", [(23, 22, 0), (28, 1, 59), (24, 0, 0)], [(22, 23, 0), (23, 1, 0), (28, 22, 0)]),
        ("Sat-Mon 08:00-09:00", [(21, 8, 0), (22, 8, 0), (23, 8, 0)], [(24, 8, 0), (20, 8, 0)]),
        ("daily 00:00-24:00", [(22, 0, 0), (25, 23, 59)], []),
    ],
)
def test_windows(text: str, inside: list[tuple[int, int, int]], outside: list[tuple[int, int, int]]) -> None:
    window = window_of(text)
    assert isinstance(window, Window)
    for day, hour, minute in inside:
        assert window.holds(datetime(2026, 11, day, hour, minute)), (day, hour, minute)  # noqa: DTZ001
    for day, hour, minute in outside:
        assert not window.holds(datetime(2026, 11, day, hour, minute)), (day, hour, minute)  # noqa: DTZ001


@pytest.mark.parametrize(
    "text", ["sunday", "Sun 2-4", "Sun 02:00", "Sun 25:00-26:00", "Xyz 02:00-04:00", "daily-Sun 02:00-04:00"]
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(Wrong):
        window_of(text)


def test_no_window_is_any_time() -> None:
    assert window_of("") is None
