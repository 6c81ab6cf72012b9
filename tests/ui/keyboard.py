"""A browser used with the keyboard alone: keys, what has the focus, and whether that can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.acceptance.rehearsal import eventually
from tests.ui.devtools import Browser

# Key, code, number, and the text it makes.
TAB: Final = ("Tab", "Tab", 9, "")
ENTER: Final = ("Enter", "Enter", 13, "\r")
SPACE: Final = (" ", "Space", 32, " ")
_MOST: Final = 80

_FOCUS: Final = """(() => {
  const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const label = one.closest("label"), form = one.closest("form");
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const inside = box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
  return { tag: one.tagName, name: one.name || "", form: form ? form.getAttribute("action") : "",
    text: (one.textContent || label?.textContent || "").trim().replace(/\\s+/g, " "), seen: outlined && inside };
})()"""


@dataclass(frozen=True)
class Focus:
    """What has the focus: its kind, what it says, the field and the form it is, and whether people see that."""

    tag: str
    text: str
    name: str
    form: str
    seen: bool


def press(browser: Browser, key: tuple[str, str, int, str]) -> None:
    """One key, down and up."""
    name, code, number, text = key
    told: dict[str, Any] = {"key": name, "code": code, "windowsVirtualKeyCode": number}
    browser.send("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
    browser.send("Input.dispatchKeyEvent", type="keyUp", **told)


def typed(browser: Browser, text: str) -> None:
    """Words into the field that has the focus."""
    browser.send("Input.insertText", text=text)


def focus(browser: Browser) -> Focus:
    """What has the focus now."""
    return Focus(**browser.ask(_FOCUS))


def tabbed(browser: Browser) -> Focus:
    """What has the focus after another Tab; people must see it there."""
    press(browser, TAB)
    return eventually(lambda: focus(browser), lambda now: now.seen or now.tag == "BODY", "a focus that is seen")


def walk(browser: Browser) -> list[Focus]:
    """Everything that Tab reaches, in its order, until it leaves the page."""
    found: list[Focus] = []
    for _ in range(_MOST):
        now = tabbed(browser)
        if now.tag == "BODY" or (len(found) > 1 and now == found[0]):
            return found
        found.append(now)
    raise AssertionError(f"Tab does not leave the page: {found[-3:]}")


def reach(browser: Browser, **wanted: str) -> Focus:
    """Tab until what has these properties has the focus."""
    for _ in range(_MOST):
        now = tabbed(browser)
        if all(getattr(now, key) == value for key, value in wanted.items()):
            return now
    raise AssertionError(f"Tab does not reach {wanted}")
