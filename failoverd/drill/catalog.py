"""Where runbooks lie and where reports are kept."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from failoverd.config.runbook import load_runbook
from failoverd.drill import junit, page
from failoverd.model.errors import ConfigError
from failoverd.model.runbook import Runbook

Document = Mapping[str, Any]
_HERE: Final = Path(__file__).resolve()
# People's own come first, then those that came with failoverd: beside it when installed, in the tree otherwise.
FOLDERS: Final = (
    Path("/etc/failoverd/drills"),
    Path("/usr/share/failoverd/drills"),
    _HERE.parent / "runbooks",
    _HERE.parents[2] / "conf/drills",
)
_REPORT: Final = "report.json"


def files(folder: Path | None = None) -> dict[str, Path]:
    """All runbooks by name; where a name is there twice, the earlier folder's counts."""
    found: dict[str, Path] = {}
    for place in FOLDERS if folder is None else (folder,):
        for file in sorted(place.glob("*.yml")):
            found.setdefault(file.stem, file)
    return found


def title(file: Path) -> str:
    """The title of the runbook in that file; empty where it cannot be loaded."""
    try:
        return load_runbook(file).title
    except ConfigError:
        return ""


def find(name: str, folder: Path | None = None) -> Runbook:
    """The runbook of that name or in that file, loaded. Raises ConfigError."""
    if name.endswith(".yml") or "/" in name:
        return load_runbook(Path(name))
    known = files(folder)
    if name not in known:
        raise ConfigError("there is no such drill", name, f"there are {', '.join(sorted(known)) or 'none'}")
    return load_runbook(known[name])


def keep(folder: Path, told: Document) -> Path:
    """Write a drill's report into a folder of its own: report.html, report.json, junit.xml; the folder."""
    stamp = str(told["began"] or told["ended"]).replace("-", "").replace(":", "").replace(".", "_")
    place = folder / f"{told['drill']}-{stamp}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / _REPORT).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (place / "report.html").write_text(page.html(told), encoding="utf-8")
        (place / "junit.xml").write_bytes(junit.xml([told]))
    except OSError as error:
        raise ConfigError(f"the report could not be written to {place}", str(error), "name another place") from error
    return place


def shelf(folder: Path) -> tuple[tuple[str, Document], ...]:
    """The reports that are kept there, newest first, each with the name of its folder. What cannot be read is passed
    over.
    """
    found = []
    for file in folder.glob(f"*/{_REPORT}"):
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(told, dict) and "drill" in told:
                found.append((file.parent.name, told))
    return tuple(sorted(found, key=lambda one: str(one[1].get("began") or one[1].get("ended")), reverse=True))


def page_of(folder: Path, name: str) -> Path | None:
    """The page of the report in that folder of it; None for a name that the shelf does not hold, whatever it spells."""
    known = any(name == one for one, _ in shelf(folder))
    return folder / name / "report.html" if known else None


def kept(folder: Path, drill: str = "") -> Iterator[Document]:
    """The reports that are kept there, oldest first: of one drill, or all."""
    yield from (told for _, told in reversed(shelf(folder)) if told["drill"] == (drill or told["drill"]))


def keep_score(folder: Path, cluster: str, score: float) -> None:
    """Note how ready a cluster was found to be, where the manager of this host finds it. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{cluster}.score").write_text(f"{score:g}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError("the score could not be noted", str(error), "name another place with --reports") from error


def scores(folder: Path) -> Mapping[str, float]:
    """What was noted last of each cluster; what cannot be read is not there."""
    found = {}
    for file in folder.glob("*.score"):
        with contextlib.suppress(OSError, ValueError):
            found[file.stem] = float(file.read_text(encoding="utf-8"))
    return found


def default_folder() -> Path:
    """Where reports go when nobody says where and there is no configuration."""
    return Path(os.environ.get("FAILOVERD_DRILL_REPORTS") or "drill-reports")
