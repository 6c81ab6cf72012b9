"""The section `web`: where the page is served, under which names, and who may do what on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from failoverd.config.kinds import Text

_LISTEN: Final = Text(re.compile(r"[A-Za-z0-9\[:][A-Za-z0-9.:\]-]*:\d{1,5}"), "HOST:PORT")
_HOST_NAME: Final = Text(re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"), "a host's name")


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The page that `failoverd web` serves."""

    listen: Annotated[str, _LISTEN, "Where the page is served."] = "127.0.0.1:8009"
    names: Annotated[
        tuple[str, ...], _HOST_NAME, "Host names that the page is opened under, besides localhost and addresses."
    ] = ()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port, an IPv6 address without its brackets."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
