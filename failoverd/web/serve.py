"""The page as a process: its socket, its server, its readiness."""

from __future__ import annotations

import signal
import socket

import uvicorn

from failoverd.bootstrap.reader import Reader
from failoverd.config.schema import Config
from failoverd.config.web import WebConfig
from failoverd.model.errors import FailoverdError
from failoverd.service import logs
from failoverd.service.sdnotify import notify
from failoverd.web.app import make_app

# A stopped page lets answers on their way out that long (seconds).
_PARTING = 3
_AT_ONCE = 64


def serve(config: Config) -> int:
    """Serve the page until SIGTERM or SIGINT; the exit code. Raises FailoverdError where the address is not to be
    had.
    """
    logs.configure(config.manager.log_level)
    tls = config.web.tls
    listening = bound(config.web)
    reader = Reader(config)
    try:
        settings = uvicorn.Config(
            make_app(reader, config.web),
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # who asks is who is connected to us; whom to believe is decided by our own guard
            server_header=False,
            limit_concurrency=_AT_ONCE,
            timeout_graceful_shutdown=_PARTING,
            lifespan="off",
            ssl_certfile=tls.cert_file if tls else None,
            ssl_keyfile=tls.key_file if tls else None,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # the server raises again what stopped it, once it has stopped
        notify(f"READY=1\nSTATUS=the page is at {config.web.listen}")
        uvicorn.Server(settings).run(sockets=[listening])
    finally:
        notify("STOPPING=1")
        reader.close()
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
        made.listen(_AT_ONCE)
    except OSError as error:
        why = error.strerror or str(error)
        raise FailoverdError(f"the page cannot be served at {web.listen}", why, "change web.listen") from error
    return made
