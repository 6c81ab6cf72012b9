"""What answers managers: begins a conversation and what goes on beside it."""

from __future__ import annotations

import hashlib
import os
import platform
import pwd
import socket
import sys
import threading

from failoverd.agent import PROTOCOL, VERSION, broken, fencing, following
from failoverd.agent.conversation import Conversation
from failoverd.agent.doorway import Doorway
from failoverd.agent.home import Home
from failoverd.agent.logs import Logs
from failoverd.agent.service import Agent


def begun(folder: str) -> Conversation:
    """Say hello to a manager; what keeps watch meanwhile runs on threads of its own."""
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
