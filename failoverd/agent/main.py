"""The zipapp's entry: `serve --dir DIR` for managers, `door`, `guard` and `broken` for the agent itself."""

from __future__ import annotations

import argparse
import contextlib
import os

from failoverd.agent import PROTOCOL, VERSION, breaking, door, guard, standin, wire
from failoverd.agent.conversation import Conversation


def main() -> None:
    """Do what the command line says; what an SSH client asked for instead is not looked at."""
    parser = argparse.ArgumentParser(prog="failoverd-agent")
    ways = parser.add_subparsers(dest="way", required=True)
    ways.add_parser("serve").add_argument("--dir", required=True)
    ways.add_parser("door")
    guarding = ways.add_parser("guard")
    for name in ("datadir", "server_uuid", "mark"):
        guarding.add_argument(name)
    ways.add_parser("stand-in").add_argument("words", nargs=5)
    ways.add_parser("broken").add_argument("words", nargs=6)
    words = parser.parse_args()
    os.umask(0o027)
    if words.way == "serve":
        from failoverd.agent.serving import begun  # noqa: PLC0415 - the door need not compile what it has no use for

        _converse(begun(words.dir))
    elif words.way == "door":
        conversation = Conversation(door.OPS, 0, 1)
        conversation.say({"hello": {"protocol": PROTOCOL, "version": VERSION, "pid": os.getpid()}})
        _converse(conversation)
    elif words.way == "stand-in":
        standin.run(words.words)
    elif words.way == "broken":
        breaking.run(words.words)
    else:
        guard.run(words.datadir, words.server_uuid, words.mark)


def _converse(conversation: Conversation) -> None:
    """Serve to the end, then end at once: threads that are still busy belong to nobody any more."""
    status = 0
    try:
        conversation.run()
    except wire.WireError as error:
        with contextlib.suppress(OSError):
            os.write(2, f"failoverd-agent: {error}\n".encode())
        status = 2
    except BrokenPipeError:
        status = 1
    os._exit(status)
