"""The `failoverd` command: its groups, its common options, and one clear text for every error."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from failoverd import __version__
from failoverd.cli.agent import agent
from failoverd.cli.check import check
from failoverd.cli.config import config
from failoverd.cli.drill import drill
from failoverd.cli.errant import errant
from failoverd.cli.failover import failover
from failoverd.cli.import_mha import import_mha_
from failoverd.cli.init import init
from failoverd.cli.lab import lab
from failoverd.cli.ops import ops
from failoverd.cli.pause import pause, resume
from failoverd.cli.plan import plan
from failoverd.cli.rejoin import rejoin
from failoverd.cli.reopen import reopen
from failoverd.cli.repair import repair
from failoverd.cli.replay import replay
from failoverd.cli.run import run
from failoverd.cli.session import Session
from failoverd.cli.status import status
from failoverd.cli.switchover import switchover
from failoverd.cli.web import web
from failoverd.config.load import DEFAULT_PATH
from failoverd.model.errors import FailoverdError


class Commands(click.Group):
    """A group that turns failoverd's errors into a text and an exit code, never into a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except FailoverdError as error:
            ctx.exit(ctx.ensure_object(Session).fail(error))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done; 1 a finding, refused, or failed; 2 usage or configuration; 3 undone; 4 needs a person.",
)
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="FAILOVERD_CONFIG",
    default=DEFAULT_PATH,
    show_default=True,
    show_envvar=True,
    help="The configuration.",
)
@click.version_option(__version__, prog_name="failoverd")
@click.pass_obj
def main(session: Session, path: Path) -> None:
    """Keep MySQL writable when its primary dies, and lose nothing doing so."""
    session.path = path


@main.command(epilog="Example: source <(failoverd completion bash)")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes failoverd's commands and options in your shell."""
    made = get_completion_class(shell)
    if made is not None:
        click.echo(made(main, {}, "failoverd", "_FAILOVERD_COMPLETE").source())


for command in (
    agent,
    check,
    config,
    drill,
    errant,
    failover,
    import_mha_,
    init,
    lab,
    ops,
    pause,
    plan,
    rejoin,
    reopen,
    repair,
    replay,
    resume,
    run,
    status,
    switchover,
    web,
):
    main.add_command(command)
