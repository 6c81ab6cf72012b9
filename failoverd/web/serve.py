"""The page as a process: its socket, its server, its readiness."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from failoverd.config.schema import Config
from failoverd.config.web import WebConfig
from failoverd.model.errors import FailoverdError
from failoverd.service import logs
from failoverd.service.sdnotify import notify
from failoverd.web.connection import MOST, Connection
from failoverd.web.stage import Stage

# A stopped page lets answers on their way out that long (seconds).
_PARTING: Final = 3


def serve(config: Config, read_again: Callable[[], Config]) -> int:
    """Serve the page until SIGTERM or SIGINT; the exit code. SIGHUP asks for the configuration anew. Raises
    FailoverdError where the address is not to be had.
    """
    logs.configure(config.manager.log_level)
    listening = bound(config.web)
    stage = Stage(config, read_again)
    try:
        settings = uvicorn.Config(
            stage,
            http=Connection,
            ws="none",
            log_level="error",  # what scanners send is no news
            access_log=False,
            proxy_headers=False,  # who asks is who is connected to us; whom to believe is decided by our own guard
            server_header=False,
            timeout_graceful_shutdown=_PARTING,
            callback_notify=stage.turn,
            timeout_notify=1,
            lifespan="off",
        )
        settings.load()
        settings.ssl = stage.tls  # ours, so that a reload can renew its certificate
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # the server raises again what stopped it, once it has stopped
        signal.signal(signal.SIGHUP, lambda *_: stage.reload())
        notify(f"READY=1\nSTATUS={stage.status}")
        uvicorn.Server(settings).run(sockets=[listening])
    finally:
        notify("STOPPING=1")
        stage.close()
    return 0


def bound(web: WebConfig) -> socket.socket:
    """The socket that the page is served at, taken before anything else: from then on whoever asks is kept waiting, and
    not refused.
    """
    host, port = web.place
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(MOST)
    except OSError as error:
        why = error.strerror or str(error)
        raise FailoverdError(f"the page cannot be served at {web.listen}", why, "change web.listen") from error
    return made
