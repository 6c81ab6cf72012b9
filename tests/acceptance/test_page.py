"""The page in a real browser during a real failover: it shows the dead primary, the operation that is going on, and the
new primary, without being loaded again; nothing overlaps, at a desk and on a telephone. When its process comes back it
is live again, and loads itself anew where that is of another version.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failoverd import __version__
from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, everywhere, rehearsal
from tests.acceptance.test_hooks import stand
from tests.ui.devtools import Browser, chromium

WIDTHS = (1280, 400)
# What lets the old primary go may have come after it, and stands before it then.
FAILOVER = "[...document.querySelectorAll('a[href^=\"/operations/\"]')].find(a => a.textContent === 'failover').href"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def page(lab: Lab, port: int, version: str = __version__) -> Iterator[subprocess.Popen[bytes]]:
    """The page of a lab as a process, which says that it is of this version."""
    with (lab.folder / "page.log").open("ab") as log:
        start = f"import failoverd; failoverd.__version__ = {version!r}; from failoverd.__main__ import main; main()"
        argv = [sys.executable, "-c", start, "-c", str(lab.config_path), "web"]
        process = subprocess.Popen(argv, stderr=log, env=os.environ)
        try:
            eventually(lambda: reached(port), bool, "the page")
            yield process
        finally:
            process.terminate()
            process.wait(30)


def reached(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def looks_well(browser: Browser, name: str) -> None:
    """At both widths nothing overlaps or stands out, and a picture is kept."""
    for width in WIDTHS:
        browser.size(width)
        found = browser.seen()
        assert found["overlaps"] == [], (name, width)
        assert found["outside"] == [], (name, width)
        assert found["nameless"] == 0, (name, width)
        assert found["width"] <= width, (name, width)
        assert found["texts"] > 15, (name, width)
        assert browser.picture(f"page-{name}-{width}").stat().st_size > 10000
    browser.size(WIDTHS[0])


@pytest.mark.timeout(300)
def test_a_failover_is_watched_without_loading_the_page_again(lab: LabFactory, tmp_path: Path) -> None:
    one, port = lab(), free_port()
    go, hooks = one.folder / "go", one.folder / "hooks.d"
    stand(hooks, "before-freeze/10-waits", f"while [ ! -e {go} ]; do sleep 0.05; done")
    shop = {"hooks_dir": str(hooks), "hooks_timeout": "2m"}
    one.configure({"web": {"listen": f"127.0.0.1:{port}"}, "clusters": {"shop": shop}})
    with rehearsal(one) as play, page(one, port) as process, chromium(tmp_path) as browser:
        play.begin()
        browser.size(WIDTHS[0])
        browser.open(f"http://127.0.0.1:{port}/")
        eventually(browser.text, lambda text: "db1 answers and takes writes" in text, "a healthy cluster")
        browser.ask("window.never_loaded_again = true; document.querySelector('details').open = true")
        looks_well(browser, "healthy")
        killed_with_equal_replicas(play)
        goes_on(browser)
        go.touch()
        has_a_new_primary(browser)
        browser.open(browser.ask(FAILOVER))
        eventually(browser.text, lambda text: "What happened" in text and "open db2 for writes" in text, "the story")
        looks_well(browser, "operation")
        assert browser.errors == [], "no policy is broken, no script fails"
        process.terminate()
        is_lost(browser)
        browser.ask("window.never_loaded_again = true")
        with page(one, port):
            is_back(browser)
        with page(one, port, "9.9"):
            script = "document.querySelector('script')?.getAttribute('src')"
            eventually(lambda: str(browser.ask(script)), lambda found: found.endswith("v=9.9"), "the newer page")
            assert browser.ask("window.never_loaded_again") is None


def killed_with_equal_replicas(play: Rehearsal) -> None:
    """Of two that have the same the first is promoted."""
    play.writer.pause()
    everywhere(play)
    play.kill_primary()
    play.writer.resume()


def is_back(browser: Browser) -> None:
    """What is shown is live again, on the same page."""
    eventually(lambda: browser.ask("document.getElementById('lost').hidden"), bool, "the page again")
    assert not browser.ask("document.title").startswith("LOST")
    assert browser.ask("document.getElementById('link').textContent").startswith("live")
    assert browser.ask("window.never_loaded_again") is True


def goes_on(browser: Browser) -> None:
    """The operation that a hook holds back is shown, and the primary that is dead."""
    during = eventually(browser.text, lambda text: "CHECK going on" in text, "the operation that is going on")
    assert re.search(r"failover shop-\S+", during)
    assert "failed: is being replaced" in during
    assert "takes writes" not in during, "what was seen before is not told as news"
    assert browser.ask("document.querySelector('.server.bad title').textContent") == "db1"
    looks_well(browser, "failover")


def has_a_new_primary(browser: Browser) -> None:
    """What is shown afterwards, on the same page as before."""
    eventually(browser.text, lambda text: "db2 answers and takes writes" in text, "the new primary")
    eventually(browser.text, lambda text: "db1 → db2" in text, "the operation among those that ended")
    assert browser.ask("document.querySelector('.server.primary title').textContent") == "db2"
    assert browser.ask("window.never_loaded_again") is True
    assert browser.ask("document.querySelector('details').open") is True, "what people opened stays open"
    looks_well(browser, "after")
    browser.size(WIDTHS[0], dark=True)
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"
    browser.picture("page-after-dark")


def is_lost(browser: Browser) -> None:
    """Nobody can take what is shown for news."""
    lost = "document.getElementById('lost').innerText"
    eventually(lambda: str(browser.ask(lost)), lambda text: "lost its connection" in text, "the loss of the page")
    assert browser.ask("document.title").startswith("LOST")
    browser.picture("page-lost")
