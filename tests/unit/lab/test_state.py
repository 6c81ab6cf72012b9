"""Which labs have outlived the process that they were for."""

from __future__ import annotations

import os

import pytest

from failoverd.lab import state


def test_only_what_names_a_process_that_is_gone_is_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, ours = 2**22 + 1, os.getpid()  # beyond the highest number that Linux gives
    orphans = (f"bench{gone}-h", f"drill-{gone}", f"t{gone}-1", f"t{gone}-rights", f"ways{gone}-haproxy")
    others = (f"drill-{ours}", f"t{ours}-bad", "lab", "demo", f"team{gone}", f"lab-{gone}", "t", f"t{gone}x")
    monkeypatch.setattr(state, "names", lambda: tuple(sorted((*orphans, *others))))
    assert state.orphans() == orphans
