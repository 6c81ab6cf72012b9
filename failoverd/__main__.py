"""Entry point: wires the command line to the composition root."""

from __future__ import annotations

from failoverd.bootstrap import open_app
from failoverd.cli.main import main as commands
from failoverd.cli.session import Session
from failoverd.drivers.clock import SystemClock


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    commands(obj=Session(open_app, SystemClock()), prog_name="failoverd")


if __name__ == "__main__":
    main()
