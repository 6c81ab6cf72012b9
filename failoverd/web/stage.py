"""What the page serves now: one configuration with its reader, and after a reload another one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from failoverd.bootstrap.reader import Reader
from failoverd.config.schema import Config
from failoverd.config.web import WebTls
from failoverd.model.errors import ConfigError, FailoverdError
from failoverd.service import logs
from failoverd.service.sdnotify import notify
from failoverd.web.app import Site

# A page that could not be made in that time will never be: the process is started anew (seconds).
_STUCK: Final = 60.0


class Stage:
    """Raises FailoverdError where the first configuration cannot be served."""

    def __init__(self, config: Config, read_again: Callable[[], Config]) -> None:
        self.tls = tls_of(config.web.tls) if config.web.tls is not None else None
        self._read_again = read_again
        self._asked = False
        self._complaint = ""
        self._begin(config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._site.guard(scope, receive, send)

    def reload(self) -> None:
        """Serve the configuration as it stands in its file, soon; safe from a signal handler."""
        self._asked = True

    async def turn(self) -> None:
        """Called again and again by the loop that serves: a reload that was asked for, and the watchdog's food, which
        there is none of while pages cannot be made at all.
        """
        if self._asked:
            self._asked = False
            await self._reload()
        if self._site.press.shared.stuck() < _STUCK:
            notify(f"WATCHDOG=1\nSTATUS={self.status}")

    @property
    def status(self) -> str:
        """One line for the service manager: where the page is, and a configuration that was not applied."""
        return f"the page is at {self._config.web.listen}{self._complaint}"

    def close(self) -> None:
        """Read nothing more."""
        self._site.press.shared.close()
        self._reader.close()

    async def _reload(self) -> None:
        site, reader = self._site, self._reader
        try:
            await run_in_threadpool(self._change)
        except FailoverdError as error:
            logs.logger().warning("configuration not applied, the old one stays", why=str(error))
            self._complaint = "; the configuration was not applied: " + str(error).replace("\n", "; ")
            return
        self._complaint = ""
        logs.logger().info("configuration applied")
        site.press.shared.close()
        await run_in_threadpool(reader.close)

    def _change(self) -> None:
        config = self._read_again()
        old, new = self._config.web, config.web
        for key, same in (("listen", old.listen == new.listen), ("tls", (old.tls is None) == (new.tls is None))):
            if not same:  # who may look and where go together: none of it without the rest
                raise ConfigError(f"web.{key} is another one", "", "it needs a restart of the page")
        if new.tls is not None:
            tls_of(new.tls)
        self._begin(config)
        if new.tls is not None and self.tls is not None:
            take_certificate(self.tls, new.tls)

    def _begin(self, config: Config) -> None:
        reader = Reader(config)
        try:
            self._site = Site(reader, config.web)
        except FailoverdError:
            reader.close()
            raise
        self._reader, self._config = reader, config


def tls_of(files: WebTls) -> ssl.SSLContext:
    """TLS with that certificate. Raises ConfigError where it cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    take_certificate(made, files)
    return made


def take_certificate(context: ssl.SSLContext, files: WebTls) -> None:
    """Show that certificate from now on. Raises ConfigError where it cannot be used; no passphrase is asked for."""
    try:
        context.load_cert_chain(files.cert_file, files.key_file, password="")
    except OSError as error:
        hint = "web.tls: PEM files, the key without a passphrase and of this certificate"
        raise ConfigError(f"{files.cert_file} cannot be used", str(error), hint) from error
