"""Entry point: wires the command line to the composition root, and to the page."""

from __future__ import annotations

from failoverd.bootstrap import open_app
from failoverd.cli.app import Page
from failoverd.cli.main import main as commands
from failoverd.cli.session import Session
from failoverd.drivers.clock import SystemClock
from failoverd.model.errors import FailoverdError


def open_page() -> Page:
    """The page; its libraries are an extra that no other command needs."""
    try:
        from failoverd.web import passwords, serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "pip install 'failoverd[web]'; the Debian package has them"
        raise FailoverdError("the page's libraries are not installed", str(error), hint) from error
    return Page(serve.serve, passwords.line_of)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    commands(obj=Session(open_app, SystemClock(), open_page), prog_name="failoverd")


if __name__ == "__main__":
    main()
