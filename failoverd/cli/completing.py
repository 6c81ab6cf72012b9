"""What the shell completes: names that the configuration has. Where it cannot be read, nothing is offered or said."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from failoverd.config.load import DEFAULT_PATH, read
from failoverd.config.schema import Config
from failoverd.model.errors import FailoverdError


def clusters(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The clusters."""
    config = configuration(context)
    return beginning(config.clusters if config else (), begun)


def servers(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The servers of the cluster that was typed; of every cluster before one was."""
    config = configuration(context)
    found = config.clusters if config else {}
    words = (context.params.get("cluster"), *context.args)  # behind an option without its value, words are left over
    typed = next((str(word) for word in words if word), "")
    listed = found.values() if not typed else [cluster for name, cluster in found.items() if name == typed]
    return beginning(dict.fromkeys(server.name for cluster in listed for server in cluster.servers), begun)


def configuration(context: click.Context) -> Config | None:
    """The configuration that this command line names, or the one of the environment, or the default one."""
    path = context.find_root().params.get("path") or DEFAULT_PATH
    try:
        return read(Path(path)).config
    except (FailoverdError, OSError):
        return None


def beginning(names: Iterable[str], begun: str) -> list[CompletionItem]:
    """Those that begin with what was typed."""
    return [CompletionItem(name) for name in names if name.startswith(begun)]
