"""Pages are printed once for all who look at them; what is each person's own is put in afterwards."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from jinja2 import ChainableUndefined, Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse

from failoverd import __version__
from failoverd.config.web import WebConfig
from failoverd.drivers.sharing import Shared
from failoverd.model.documents import parts, word, writes_word
from failoverd.model.errors import FailoverdError
from failoverd.ports import Clock
from failoverd.web import words
from failoverd.web.forms import COOKIE, Forms

T = TypeVar("T")
# Browsers give up after five seconds: whoever asks hears before that why there is nothing to be seen.
_DEADLINE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page to be printed: its template with its values, and how it is answered."""

    template: str
    values: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Press:
    """Prints sheets. `keep` is how long a printed page is good for everybody (seconds)."""

    def __init__(self, clock: Clock, config: WebConfig, keep: float) -> None:
        self.forms = Forms(secure=config.tls is not None)
        self.shared = Shared(clock, keep, _DEADLINE)
        self._actions = config.actions
        self._clock = clock
        self._templates = templates()
        self._last = ""
        # Nobody can guess them, so nobody can have them published and read another person's token.
        self._who, self._token = secrets.token_hex(16), secrets.token_hex(16)

    async def page(self, request: Request, make: Callable[[], Sheet]) -> HTMLResponse:
        """The page of that path, read and printed by whoever asks first. Raises what `make` and `read` raise."""
        path = request.url.path

        def printed() -> tuple[Sheet, str]:
            sheet = make()
            return sheet, self._printed(path, sheet)

        return self._for(request, *await self.read(path, printed))

    async def read(self, path: str, make: Callable[[], T]) -> T:
        """What is made for everybody who asks for that path. Raises FailoverdError where it takes too long: since when
        nothing could be read is said.
        """
        try:
            found = await self.shared.of(path, make)
        except TimeoutError as late:
            since = f"the last answer came at {self._last}" if self._last else "there was none so far"
            raise FailoverdError("What is published cannot be read just now", f"{late}; {since}") from late
        self._last = self._time()
        return found

    def at_once(self, request: Request, sheet: Sheet) -> HTMLResponse:
        """A page that is read from nowhere."""
        return self._for(request, sheet, self._printed(request.url.path, sheet))

    def _printed(self, path: str, sheet: Sheet) -> str:
        said = {
            "actions": self._actions,
            "token": self._token,
            "version": __version__,
            "here": f"/{path.split('/')[1]}",
            "live": True,
            "now": self._time(),
            "who": self._who,
            **sheet.values,
        }
        return self._templates.get_template(sheet.template).render(said)

    def _for(self, request: Request, sheet: Sheet, text: str) -> HTMLResponse:
        user = getattr(request.state, "user", "")
        text = text.replace(self._who, html.escape(user))
        browser = self.forms.browser(request) if self._actions else ""
        if browser:
            text = text.replace(self._token, self.forms.token(browser, user))
        made = HTMLResponse(text, sheet.status, sheet.headers)
        if browser and request.cookies.get(COOKIE) != browser:
            self.forms.mark(made, browser)
        return made

    def _time(self) -> str:
        return f"{datetime.fromtimestamp(self._clock.wall().timestamp()).astimezone():%H:%M:%S}"


def templates() -> Environment:
    """The pages, with what they need to spell values; an absent field is empty, as documents of other versions have
    it.
    """
    made = Environment(
        loader=PackageLoader("failoverd.web", "pages"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short=words.short,
        moment=words.moment,
        counted=words.amount,
        outcome_mark=words.outcome_mark,
        writes=writes_word,
        parts=parts,
        word=word,
    )
    return made
