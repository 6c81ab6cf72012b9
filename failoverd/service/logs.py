"""Logs for people and machines: key=value on a terminal, one JSON object a line otherwise, always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog

Log = structlog.typing.FilteringBoundLogger


class Outlet:
    """Standard error, whose disk may be full: a line that cannot be written is counted and never an error. How many
    were lost is said before the next one that can be.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._failed = False

    def write(self, text: str) -> None:
        """One line."""
        try:
            if self.lost:
                sys.stderr.write(f'{{"event": "lines of this log were lost", "count": {self.lost}}}\n')
                sys.stderr.flush()
                self.lost = 0
            sys.stderr.write(text)
        except OSError:
            self._failed = True

    def flush(self) -> None:
        """Hand over what is buffered."""
        try:
            sys.stderr.flush()
        except OSError:
            self._failed = True
        self.lost += self._failed
        self._failed = False


def configure(level: str) -> None:
    """Set structlog up for the process; `level` is debug, info, warning or error."""
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Outlet())),
    )


def logger(**bound: object) -> Log:
    """A logger that carries these keys on every line."""
    log: Log = structlog.get_logger(**bound)
    return log
