"""Debian's Chromium without a window: what a page looks like at a width, judged by a script over its elements."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHROMIUM = (
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
)
PICTURES = Path(__file__).parents[2] / "build/screenshots"
_DEADLINE = 120

# What is wrong with how a page lies there: texts over one another (letters of neighbouring lines reach into others'
# boxes, so three pixels are none), things beyond the edge, things to act on without a name.
SEEN = """function seen(document) {
  const texts = [], shown = one => one.checkVisibility({ visibilityProperty: true });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), around = walker.currentNode.parentElement;
    if (!text || !shown(around) || around.closest(".heard, .skip")) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) {
      if (box.width > 0 && box.height > 0) texts.push([text.slice(0, 40), box.left, box.top, box.right, box.bottom]);
    }
  }
  const overlaps = [];
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const [a, al, at, ar, ab] = texts[i], [b, bl, bt, br, bb] = texts[j];
    const wide = Math.min(ar, br) - Math.max(al, bl), tall = Math.min(ab, bb) - Math.max(at, bt);
    if (wide > 1 && tall > 3) overlaps.push(a + " | " + b);
  }
  const edge = document.defaultView.innerWidth + 1;
  const outside = [...document.querySelectorAll("body *")].filter(one => shown(one) && !one.closest(".wide")
    && one.getBoundingClientRect().right > edge).map(one => one.tagName);
  const named = one => one.textContent.trim() || one.getAttribute("aria-label") || one.closest("label");
  const nameless = [...document.querySelectorAll("a, button, input, select, svg[role=img]")]
    .filter(one => shown(one) && one.type !== "hidden" && !named(one)).length;
  const all = document.documentElement;
  return { overlaps, outside, nameless, width: all.scrollWidth, height: all.scrollHeight, texts: texts.length,
    ground: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color };
}"""

# A window of a browser cannot be as narrow as a telephone: so the page stands in a frame of that width.
_FRAME = """<!doctype html><html><head><meta charset="utf-8"><style>body {{ margin: 0 }} iframe {{ border: 0 }}</style>
</head><body>{frames}<pre id="found">nothing</pre>
<script>
{seen}
window.onload = () => {{
  const all = [...document.querySelectorAll("iframe")].map(frame => [frame.id, seen(frame.contentDocument)]);
  document.getElementById("found").textContent = JSON.stringify(Object.fromEntries(all));
}};
</script></body></html>
"""


def looked_at(pages: Mapping[str, str], width: int, folder: Path, *, dark: bool = False) -> dict[str, dict[str, Any]]:
    """What a browser makes of pages of that width, by name: texts that overlap, elements that stand out, colours."""
    place = _framed(pages, width, dict.fromkeys(pages, 3000), folder)
    colours = ["--blink-settings=preferredColorScheme=0"] if dark else []
    dumped = _run([*colours, "--virtual-time-budget=5000", "--dump-dom"], place, folder)
    found = re.search(r'<pre id="found">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[:2000]
    told: dict[str, dict[str, Any]] = json.loads(html.unescape(found[1]))
    return told


def picture(pages: Mapping[str, str], width: int, heights: Mapping[str, int], folder: Path) -> Path:
    """One picture of all pages, one below the other, kept below build/screenshots."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    target = PICTURES / f"drill-{width}.png"
    place = _framed(pages, width, heights, folder)
    _run([f"--window-size={max(width, 500)},{sum(heights.values())}", f"--screenshot={target}"], place, folder)
    return target


def _framed(pages: Mapping[str, str], width: int, heights: Mapping[str, int], folder: Path) -> str:
    file = folder / f"frame-{width}.html"
    frames = "".join(
        f'<iframe id="{name}" style="display: block" width="{width}" height="{heights[name]}"'
        f' srcdoc="{html.escape(page, quote=True)}"></iframe>'
        for name, page in pages.items()
    )
    file.write_text(_FRAME.format(frames=frames, seen=SEEN), encoding="utf-8")
    return file.as_uri()


def _run(options: list[str], place: str, folder: Path) -> str:
    profile = f"--user-data-dir={folder}/profile"
    done = subprocess.run(
        [*CHROMIUM, profile, *options, place], capture_output=True, text=True, timeout=_DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def printed(page: str, folder: Path) -> int:
    """Print a page into build/screenshots/drill.pdf; how many sheets it takes."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    file, target = folder / "printed.html", PICTURES / "drill.pdf"
    file.write_text(page, encoding="utf-8")
    _run(["--no-pdf-header-footer", f"--print-to-pdf={target}"], file.as_uri(), folder)
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
