"""A log whose disk is full is no reason to stop."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from failoverd.service import logs


class Full(io.StringIO):
    """A disk that takes nothing while it is full."""

    full = True

    def flush(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_lines_that_cannot_be_written_are_counted_and_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Full()
    monkeypatch.setattr(sys, "stderr", disk)
    logs.configure("info")
    log = logs.logger()
    log.info("first")
    log.info("second")
    disk.full = False
    log.info("third")
    assert '"lines of this log were lost", "count": 2' in disk.getvalue().splitlines()[-2]
    assert '"third"' in disk.getvalue().splitlines()[-1]
