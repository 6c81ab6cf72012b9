"""The zipapp's entry: `serve --dir DIR` for managers, `door`, `guard` and `broken` for the agent itself."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import platform
import pwd
import socket
import sys
import threading

from failoverd.agent import PROTOCOL, VERSION, breaking, broken, door, fencing, following, guard, standin, wire
from failoverd.agent.conversation import Conversation
from failoverd.agent.doorway import Doorway
from failoverd.agent.home import Home
from failoverd.agent.logs import Logs
from failoverd.agent.service import Agent


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
        _converse(_serve(words.dir))
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


def _serve(folder: str) -> Conversation:
    doorway = Doorway()
    try:
        home = Home(folder)
    except OSError as error:
        raise SystemExit(f"failoverd-agent: cannot keep its state in {folder}: {error.strerror}") from error
    logs = Logs(home)
    conversation = Conversation({**Agent(home, doorway).ops, **logs.ops}, 0, 1)
    conversation.say({"hello": _hello(doorway.state())})
    threading.Thread(target=fencing.resume_guards, args=(home, doorway), daemon=True).start()
    threading.Thread(target=broken.watch, args=(home, doorway), daemon=True).start()
    threading.Thread(target=following.follow, args=(home, logs), daemon=True).start()
    return conversation


def _hello(door_state: str) -> dict[str, object]:
    return {
        "protocol": PROTOCOL,
        "sha256": _own_hash(),
        "version": VERSION,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "user": _account(),
        "door": door_state,
    }


def _own_hash() -> str:
    """Hash the zipapp; "" when the agent does not run out of one."""
    try:
        with open(sys.argv[0], "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


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
