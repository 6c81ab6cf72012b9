"""The page with the keyboard alone, in a real browser on a lab that runs: everything is reached in its order and seen
when it has the focus; a pause, its end and a switchover are asked for, and what became of them is shown. No state is
told by colour alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, rehearsal
from tests.acceptance.test_page import WIDTHS, free_port, looks_well, page
from tests.ui.devtools import Browser, chromium
from tests.ui.keyboard import ENTER, SPACE, focus, press, reach, tabbed, typed, walk

# States that have no shape or no word: told by colour alone.
COLOUR_ALONE = """[...document.querySelectorAll(".said, .warned, .passages li, .server, .problems li")]
  .filter(one => one.checkVisibility() && !(one.querySelector("use[href^='#m-']") && one.textContent.trim()))
  .map(one => one.outerHTML)"""
WEB = {"login": "proxy", "trusted_proxies": ["127.0.0.1"], "actions": ["pause", "resume", "switchover"]}
FORM = "/clusters/shop/"


@pytest.mark.timeout(300)
def test_everything_is_done_with_the_keyboard_alone(lab: LabFactory, tmp_path: Path) -> None:
    one, port = lab(), free_port()
    one.configure({"web": {**WEB, "listen": f"127.0.0.1:{port}"}})
    with rehearsal(one) as play, page(one, port), chromium(tmp_path) as browser:
        play.begin()
        browser.send("Network.enable")
        browser.send("Network.setExtraHTTPHeaders", headers={"X-Remote-User": "anna"})
        place = f"http://127.0.0.1:{port}/"
        is_walked(browser, place)
        pauses_and_resumes(browser, place)
        changes_the_primary(browser, place, play)
        assert browser.errors == []


def begun(browser: Browser, place: str) -> None:
    """The page from its beginning."""
    browser.size(WIDTHS[0])
    browser.open(place)
    eventually(browser.text, lambda text: "answers and takes writes" in text, "a healthy cluster")


def is_walked(browser: Browser, place: str) -> None:
    """The way around what every page has comes first; then everything in the order it is read, and no trap."""
    begun(browser, place)
    assert tabbed(browser).text == "To the content"
    press(browser, ENTER)
    assert focus(browser).tag == "MAIN"
    begun(browser, place)
    assert [one.text for one in walk(browser)] == [
        "To the content", "Clusters", "Operations", "Drills", "shop", "Act on shop", "Servers in full",
    ]  # fmt: skip
    assert browser.ask(COLOUR_ALONE) == []


def pauses_and_resumes(browser: Browser, place: str) -> None:
    """A pause with its reason, told with who asked; and its end."""
    begun(browser, place)
    reach(browser, text="Act on shop")
    press(browser, ENTER)
    looks_well(browser, "actions")
    reach(browser, name="reason", form=f"{FORM}pause")
    press(browser, ENTER)
    assert browser.ask("location.pathname") == "/", "without a reason nothing is sent"
    typed(browser, "moving racks")
    eventually(lambda: browser.ask("document.getElementById('link').textContent"), lambda t: "live" in t, "an update")
    assert focus(browser).name == "reason", "what is typed survives what is new"
    press(browser, ENTER)
    told = eventually(browser.text, lambda text: "Paused until" in text, "the pause")
    assert "by anna@" in told
    assert "moving racks. Nobody acts by itself." in told
    assert browser.ask(COLOUR_ALONE) == []
    looks_well(browser, "paused")
    reach(browser, text="Act on shop")
    press(browser, ENTER)
    reach(browser, text="End the pause")
    press(browser, ENTER)
    eventually(browser.text, lambda text: "shop" in text and "Paused until" not in text, "the end of the pause")


def changes_the_primary(browser: Browser, place: str, play: Rehearsal) -> None:
    """A switchover: not without being sure, then to its end, which is told."""
    begun(browser, f"{place}clusters/shop")
    reach(browser, text="Act on shop")
    press(browser, ENTER)
    reach(browser, name="reason", form=f"{FORM}switchover")
    typed(browser, "new kernel")
    press(browser, ENTER)
    assert browser.ask("location.pathname") == "/clusters/shop", "who does not say to be sure is not believed"
    reach(browser, name="sure")
    press(browser, SPACE)
    reach(browser, text="Change the primary")
    press(browser, ENTER)
    eventually(browser.text, lambda text: "What was asked of shop" in text, "the request")
    eventually(browser.text, lambda text: "See switchover shop-" in text, "its answer")
    link = browser.ask("document.querySelector('main a[href^=\"/operations/\"]').textContent")
    reach(browser, text=" ".join(link.split()))
    press(browser, ENTER)
    told = eventually(browser.text, lambda text: "What happened" in text, "the story")
    assert "switchover of shop done" in told
    assert "asked for by anna on" in told
    assert "new kernel" in told
    assert browser.ask(COLOUR_ALONE) == []
    looks_well(browser, "switchover")
    browser.send("Emulation.setEmulatedVisionDeficiency", type="achromatopsia")
    browser.picture("page-switchover-without-colours")
    (new,) = (name for name in play.lab.servers if play.lab.sql(name, "SELECT @@GLOBAL.read_only") == ((0,),))
    assert f"{play.primary} → {new}" in told
