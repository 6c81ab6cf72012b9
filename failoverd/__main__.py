"""Entry point: wires the command line to the composition root, and to the page."""

from __future__ import annotations

from failoverd.bootstrap import open_app
from failoverd.cli.main import main as commands
from failoverd.cli.session import Session
from failoverd.config.schema import Config
from failoverd.drivers.clock import SystemClock
from failoverd.model.errors import FailoverdError


def serve_page(config: Config) -> int:
    """Serve the page; its libraries are an extra that only this command needs."""
    try:
        from failoverd.web.serve import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "pip install 'failoverd[web]'; the Debian package has them"
        raise FailoverdError("the page's libraries are not installed", str(error), hint) from error
    return serve(config)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    commands(obj=Session(open_app, SystemClock(), serve_page), prog_name="failoverd")


if __name__ == "__main__":
    main()
