"""Documents of an older or a newer manager: whatever is missing, or is of another kind, is shown as not known. No page
fails, and nothing that is not understood looks good.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from failoverd.model.history import Pause
from failoverd.service.pausing import pause
from tests.fakes.whole import CLUSTER
from tests.unit.web.ground import Ground

OTHERS: tuple[object, ...] = (None, "x", [None])


def places(document: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, the first item of each list."""
    if isinstance(document, dict):
        for key, item in document.items():
            yield (*above, key)
            yield from places(item, (*above, key))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*above, 0))


def others(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one place changed: gone, or of each other kind."""
    for place in places(document):
        for other in (KeyError, *OTHERS):
            made = copy.deepcopy(document)
            there: Any = made
            for key in place[:-1]:
                there = there[key]
            if other is KeyError:
                del there[place[-1]]
            else:
                there[place[-1]] = other
            yield f"{place}: {other!r}", made


def plain_json(document: object) -> dict[str, Any]:
    made = json.loads(json.dumps(document, default=str))
    assert isinstance(made, dict)
    return made


@pytest.fixture(scope="module")
def ground() -> Ground:
    """A cluster that had a failover, with a pause and a problem."""
    made = Ground()
    made.manager.turns(4)
    made.whole.mysqlds["db1"].kill()
    made.manager.turns(6)
    pause(made.manager.world, Pause("anna@desk", "moving racks"), dry_run=False)
    made.manager.turns(4)
    return made


def test_a_status_of_another_version_is_shown(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ground.whole.store.of(CLUSTER)
    for what, other in others(plain_json(store.status)):
        monkeypatch.setattr(store, "status", other)
        for path in ("/", f"/clusters/{CLUSTER}"):
            assert ground.browser.get(path).status_code == 200, (what, path)


def test_an_operation_of_another_version_is_shown(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    (name,) = ground.whole.store.of(CLUSTER).operations
    for what, other in others(plain_json(ground.shelf.operation(name))):
        monkeypatch.setattr(ground.shelf, "operation", lambda _, other=other: other)
        monkeypatch.setattr(ground.shelf, "operations", lambda _, other=other: (other,))
        for path in (f"/operations/{name}", "/operations"):
            assert ground.browser.get(path).status_code == 200, (what, path)


@pytest.mark.parametrize("verdict", [None, "", "fine", "HEALTHY", 1, True, ["healthy"], {}])
def test_a_verdict_that_is_not_understood_never_looks_good(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, verdict: object
) -> None:
    store = ground.whole.store.of(CLUSTER)
    monkeypatch.setattr(store, "status", {**plain_json(store.status), "verdict": verdict})
    assert '<span class="said good"' not in ground.text().split("<section")[0]
