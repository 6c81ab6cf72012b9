"""The section `drills`: permission, window and the client's account."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.model.permit import Window
from failoverd.model.runbook import Fault
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

DRILLS = """\
    drills:
      allowed: true
      window: "Sun 02:00-04:00"
      timezone: Europe/Berlin
      faults: [kill, freeze]
      user: app
      password_file: app.secret
      database: rehearsals
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = prepared(tmp_path)
    made.put("app.secret", "secret\n")
    return made


def test_the_section_reaches_judging(folder: Folder) -> None:
    section = folder.load(HEAD + SHOP + DRILLS).config.cluster("shop").drills
    permit = section.permit
    assert permit.allowed
    assert permit.window == Window(frozenset({6}), 120, 240)
    assert permit.faults == {Fault.KILL, Fault.FREEZE}
    assert (section.timezone, section.user, section.database) == ("Europe/Berlin", "app", "rehearsals")
    assert section.password_file is not None
    assert section.password_file.reveal() == "secret"


def test_without_the_section_nothing_is_allowed(folder: Folder) -> None:
    permit = folder.load(HEAD + SHOP).config.cluster("shop").drills.permit
    assert (permit.allowed, permit.faults) == (False, frozenset())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Sun 02:00-04:00", "Sun 2-4", "11 clusters.shop.drills.window: 'Sun 2-4' is no window of the week"),
        ("Europe/Berlin", "Berlin", "12 clusters.shop.drills.timezone: 'Berlin' is no time zone of this machine"),
        (
            "[kill, freeze]",
            "[poweroff]",
            "13 clusters.shop.drills.faults[0]: 'poweroff' is not one of kill, freeze, cut",
        ),
        ("      user: app\n", "", "10 clusters.shop.drills.allowed: needs a client's account to write with"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(folder: Folder, old: str, new: str, said: str) -> None:
    found = folder.complaints(HEAD + SHOP + DRILLS.replace(old, new))
    assert any(one.startswith(said) for one in found), found
