"""What stands around every request: the headers that keep a browser from doing anything but showing the page, the
names that the page answers to, and who is let in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failoverd.web.login import Login, Refused

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A report is a document of its own with its own style; nothing in it may run or reach anything.
REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cache-Control", "no-store"),
)
# Browsers that have been here over TLS come back over TLS.
_STRICT: Final = ("Strict-Transport-Security", "max-age=31536000")
# A balancer asks this without saying who it is; there is nothing in it to be seen.
_OPEN: Final = frozenset({"/health/live"})


class Guard:
    """Wraps the application. A host name that is not ours is refused: elsewhere somebody else's page could make a
    browser read this one under a name of its own.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], login: Login) -> None:
        self._app = app
        self._login = login
        self._names = frozenset(name.lower() for name in names) | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it; the server speaks nothing but HTTP."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (*HEADERS, *([_STRICT] if scope["scheme"] == "https" else [])):
                    headers.setdefault(name, value)
            await send(message)

        refused = await self._refused(scope)
        if refused is None:
            await self._app(scope, receive, guarded)
            return
        said = PlainTextResponse(f"{refused.sentence}\n", refused.status, dict(refused.headers))
        await said(scope, receive, guarded)

    async def _refused(self, scope: Scope) -> Refused | None:
        """Why this request is not let through; None where it is, and who asks is noted in its state then."""
        headers = Headers(scope=scope)
        if not self.known(headers.get("host", "")):
            return Refused(421, "This page is not served under that name: it is not among failoverd's web.names.", {})
        if scope["path"] in _OPEN:
            return None
        peer = (scope.get("client") or ("", 0))[0]
        who = await self._login.who(peer, headers)
        if isinstance(who, Refused):
            return who
        scope.setdefault("state", {})["user"] = who
        return None

    def known(self, host: str) -> bool:
        """Whether a Host header names us: an address, localhost, or a configured name."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True
