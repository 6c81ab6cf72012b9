"""Each key of the schema with a wrong type, a wrong value and a misspelt name: one complaint, at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from failoverd.config.kinds import Folder as FolderKind
from tests.house.keys import Key, Part, keys, walked
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

MARK = "?! no such thing"
SECTIONS = tuple(found for found in walked() if isinstance(found, Part) and not found.path.endswith(("*", "[]")))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def placed(path: str, value: object, name: str = "") -> tuple[str, str]:
    """A small right configuration with that value at that path, and the path as complaints name it."""
    words = path.replace("[]", ".0").replace("*", "shop").split(".")
    words[-1] = name or words[-1]
    root: Any = yaml.safe_load(HEAD + SHOP)
    place = root
    for word in words[:-1]:
        place = place[int(word)] if isinstance(place, list) else place.setdefault(word, {})
    place[words[-1]] = value
    text = yaml.safe_dump(root, sort_keys=False, default_flow_style=None, width=1000)
    return text, ".".join(words).replace(".0.", "[0].")


def judged(folder: Folder, text: str, path: str) -> tuple[int, str]:
    """Line and sentence of the one complaint about that path; others only miss what stands beside it."""
    found = folder.complaints(text)
    about = [line for line in found if line.split(" ", 1)[1].startswith((f"{path}:", f"{path}["))]
    others = [line for line in found if line not in about and "is missing" not in line]
    assert (len(about), others) == (1, []), found
    number, _, said = about[0].partition(" ")
    return int(number), said


def line_of(text: str, word: str) -> int:
    """The one line that holds this word."""
    (number,) = (number for number, line in enumerate(text.splitlines(), 1) if word in line)
    return number


def is_folder(key: Key) -> bool:
    return isinstance(key.kind, FolderKind)


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.path)
def test_a_key_that_is_wrong(folder: Folder, key: Key) -> None:
    mark = "zz-marked"
    for value, says in ((mark if key.listed else [mark], "instead of"), ({mark: 1}, "instead of")):
        text, path = placed(key.path, value)
        line, said = judged(folder, text, path)
        assert says in said
        assert line == line_of(text, mark)
    unfit = "known_hosts" if is_folder(key) else MARK
    text, path = placed(key.path, [unfit] if key.listed else unfit)
    line, said = judged(folder, text, path)
    assert line == line_of(text, unfit) if not is_folder(key) else line > 0
    assert "is not a known key" not in said
    name = key.path.rpartition(".")[2]
    text, path = placed(key.path, mark, f"{name}q")
    line, said = judged(folder, text, path)
    assert line == line_of(text, mark)
    assert f"is not a known key (did you mean {name}?)" in said


@pytest.mark.parametrize("part", SECTIONS, ids=lambda part: part.path)
def test_a_section_that_is_wrong(folder: Folder, part: Part) -> None:
    mark = "zz-marked"
    for value in (mark, [mark]):
        text, path = placed(part.path, value)
        line, said = judged(folder, text, path)
        assert "instead of a section with keys" in said
        assert line == line_of(text, mark)
    name = part.path.rpartition(".")[2]
    text, path = placed(part.path, {"zz-marked": 1}, f"{name}q")
    line, said = judged(folder, text, path)
    assert f"is not a known key (did you mean {name}?)" in said
    assert line == line_of(text, f"{name}q")
