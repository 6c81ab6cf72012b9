"""One browser's connection: how long it may take, and how many there may be."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from failoverd.web.guard import HEADERS

# From the beginning, or the end of the answer before, to the end of the next answer (seconds): who sends or takes one
# byte after the other does not hold a place for long.
PATIENCE: Final = 20.0
MOST: Final = 256
_CROWDED: Final = f"Too many look at this page at once, {MOST} at most: try again in a moment.\n"


class Connection(H11Protocol):
    """A connection that ends when a request takes too long; one too many is told so, and one far too many is cut."""

    def connection_made(self, transport: Any) -> None:
        """It begins."""
        super().connection_made(transport)
        if len(self.connections) > 2 * MOST:
            transport.abort()
        elif len(self.connections) > MOST:
            self.app = crowded
        self._limit = self.loop.call_later(PATIENCE, transport.abort)

    def on_response_complete(self) -> None:
        """The next request has its own time."""
        self._limit.cancel()
        self._limit = self.loop.call_later(PATIENCE, self.transport.abort)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._limit.cancel()
        super().connection_lost(exc)


async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a browser that is one too many."""
    told = PlainTextResponse(_CROWDED, 503, {**dict(HEADERS), "Retry-After": "5", "Connection": "close"})
    await told(scope, receive, send)
