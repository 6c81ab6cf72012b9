"""What a form must prove before it counts: it was shown by us, to this browser and this person, and sent from our own
page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

COOKIE: Final = "failoverd_page"
_BROWSER: Final = re.compile(r"[0-9a-f]{32}")
_MOST: Final = 8192


class Forms:
    """Tokens of one process: a form that another process has shown is shown again, not taken."""

    def __init__(self, *, secure: bool) -> None:
        self._key = os.urandom(32)
        self._secure = secure

    def browser(self, request: Request) -> str:
        """The mark of this browser, a new one where it has none."""
        return known_browser(request) or os.urandom(16).hex()

    def token(self, browser: str, user: str) -> str:
        """What a form shown to this browser and this person carries."""
        return hmac.new(self._key, f"{browser}\n{user}".encode(), hashlib.sha256).hexdigest()

    def mark(self, response: Response, browser: str) -> None:
        """Let the browser keep its mark; no page of elsewhere can make it send that."""
        response.set_cookie(COOKIE, browser, httponly=True, samesite="strict", secure=self._secure)

    def check(self, request: Request, fields: Mapping[str, str], user: str) -> None:
        """HTTPException unless the form is ours."""
        if not same_origin(request):
            raise HTTPException(403, "the request does not come from this page")
        browser, said = known_browser(request), fields.get("token", "")
        if not browser or not hmac.compare_digest(said.encode(), self.token(browser, user).encode()):
            raise HTTPException(403, "the form is too old, or was not shown to you: load the page again")


def known_browser(request: Request) -> str:
    """The mark that we once gave to this browser; empty where it has none, or one that is not of our making."""
    said = request.cookies.get(COOKIE, "")
    return said if _BROWSER.fullmatch(said) else ""


def same_origin(request: Request) -> bool:
    """Whether the browser says that our own page sent it; one that says nothing is not believed. Over TLS a page that
    came without it is not ours; behind a proxy we cannot tell how ours came.
    """
    try:
        origin = urlsplit(request.headers.get("origin", ""))
    except ValueError:
        return False
    ours = {"https"} if request.url.scheme == "https" else {"http", "https"}
    return origin.scheme in ours and origin.netloc.lower() == request.headers.get("host", "").lower()


async def fields_of(request: Request) -> Mapping[str, str]:
    """The fields of a small form, the first value of each; HTTPException for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "a form is expected")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST:
            raise HTTPException(413, "the form is too large")
    try:
        return {name: values[0].strip() for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except ValueError as error:
        raise HTTPException(400, "the form cannot be read") from error
