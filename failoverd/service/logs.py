"""Logs for people and machines: key=value on a terminal, one JSON object a line otherwise, always on standard error."""

from __future__ import annotations

import logging
import sys

import structlog

Log = structlog.typing.FilteringBoundLogger


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def logger(**bound: object) -> Log:
    """A logger that carries these keys on every line."""
    log: Log = structlog.get_logger(**bound)
    return log
