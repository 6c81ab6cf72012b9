"""A small HTTP server for reading, on the standard library: GET, HEAD and OPTIONS, a thread for each request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = tuple[int, str, bytes]
Respond = Callable[[str, str], Reply]

_PATIENCE = 5.0  # a client that says nothing, or takes nothing, is given up (seconds)
_AGAIN = 5.0  # an address that is in use is tried again (seconds)
_STATE = "X-Haproxy-Server-State"


class HttpServer:
    """Serves `respond(target, state)` at HOST:PORT (None: nowhere); an address that cannot be had is told once and
    tried again.

    Whatever happens here, the manager goes on: nobody's database waits for a port.
    """

    def __init__(self, listen: str | None, respond: Respond, tell: Callable[[str], None]) -> None:
        host, _, port = (listen or ":0").rpartition(":")
        self._wanted = listen is not None
        self._address = (host.strip("[]"), int(port))
        self._handler = handler(respond)
        self._tell = tell
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Begin to serve; does not wait."""
        if self._wanted:
            self._thread.start()

    @property
    def port(self) -> int:
        """The port that is served; 0 while there is none."""
        return int(self._server.server_address[1]) if self._server is not None else 0

    def close(self) -> None:
        """End it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        told = ""
        while not self._stopping.is_set():
            try:
                server = ThreadingHTTPServer(self._address, self._handler)
            except OSError as error:
                why = error.strerror or str(error)
                if why != told:
                    self._tell(f"{self._address[0]}:{self._address[1]} cannot be served: {why}")
                told = why
                self._stopping.wait(_AGAIN)
                continue
            server.daemon_threads = True
            server.timeout = 0.2
            self._server = server
            with server:
                while not self._stopping.is_set():
                    server.handle_request()


def handler(respond: Respond) -> type[BaseHTTPRequestHandler]:
    """The class of what serves one connection."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version = "failoverd"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer with the body."""
            self._answer(body=True)

        def do_HEAD(self) -> None:
            """Answer without."""
            self._answer(body=False)

        def do_OPTIONS(self) -> None:
            """HAProxy asks by this word, unless it is told otherwise."""
            self._answer(body=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: balancers ask every second."""

        def _answer(self, *, body: bool) -> None:
            try:
                status, kind, content = respond(self.path, self.headers.get(_STATE, ""))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if body:
                    self.wfile.write(content)
            except OSError:
                self.close_connection = True

    return Handler
