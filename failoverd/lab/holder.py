"""A process of its own that keeps sessions open on a server: holders of locks, users of all connections.

Run as `python -m failoverd.lab.holder SOCKET USER COUNT STATEMENT`, with the password on standard input. It says
`ready N` on standard output when N sessions are open and have run the statement, and ends when it is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from failoverd.drivers.mysql.local import hold
from failoverd.model.errors import ServerError

_NO_MORE = {1040, 1203, 1226}


def main() -> None:
    """Open the sessions, report, and wait for the end."""
    socket, user, count, statement = sys.argv[1:]
    password = sys.stdin.readline().strip()
    opened = 0
    with ExitStack() as stack:
        try:
            while opened < int(count):
                stack.enter_context(hold(Path(socket), statement, user=user, password=password))
                opened += 1
        except ServerError as error:
            if error.code not in _NO_MORE:
                raise SystemExit(str(error)) from error
        os.write(1, f"ready {opened}\n".encode())
        os.close(1)
        signal.pause()


if __name__ == "__main__":
    main()
