"""The page over the production service in memory: what is published is shown, and only that; nothing of it can run."""

from __future__ import annotations

import html
import json
import re
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from failoverd.config.web import WebConfig
from failoverd.drill import catalog
from failoverd.model.history import Pause
from failoverd.service.board import FRESH
from failoverd.service.pausing import pause
from failoverd.service.reading import Reading
from failoverd.web.guard import HEADERS
from tests.fakes.whole import CLUSTER
from tests.unit.web.ground import PLACE, Ground

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


@pytest.fixture
def ground() -> Ground:
    made = Ground()
    made.manager.turns(4)
    return made


def plain(text: str) -> str:
    """What people read of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_before_anything_was_published_nothing_is_claimed() -> None:
    told = plain(Ground().text())
    assert "nothing known" in told
    assert "Nobody has published anything about this cluster yet" in told
    assert "healthy" not in told


def test_a_healthy_cluster_at_a_glance_and_in_full(ground: Ground) -> None:
    told = plain(ground.text())
    for words in (
        "healthy",
        "3 of 3 answer",
        "db1 answers and takes writes",
        "takes writes",
        "closed for writes",
        "m1",
    ):
        assert words in told, words
    assert 'aria-label="db1, primary: takes writes; db2, replica, follows db1:' in ground.text(f"/clusters/{CLUSTER}")
    assert "No operation was ever begun." in told


def test_a_failover_is_told_from_beginning_to_end(ground: Ground) -> None:
    ground.whole.mysqlds["db1"].kill()
    ground.manager.turns(6)
    told = plain(ground.text())
    assert "failover shop-" in told
    assert "db1 → db2" in told
    (name,) = set(re.findall(r"/operations/(shop-[^\"]+)", ground.text("/operations")))
    story = plain(ground.text(f"/operations/{name}"))
    for words in (
        "failover of shop",
        "done",
        "FENCE passed",
        "writable again",
        "open db2 for writes",
        "0 transactions",
    ):
        assert words in story, words


def test_an_operation_is_shown_while_it_runs(ground: Ground) -> None:
    store = ground.whole.store.of(CLUSTER)
    ground.whole.mysqlds["db1"].kill()
    ground.manager.turns(6)
    (records,) = store.operations.values()
    records.pop()  # as it was just before its end
    told = plain(ground.text(f"/clusters/{CLUSTER}"))
    assert "REPOINT going on" in told
    assert "failover going on" in told
    assert "failed: is being replaced" in told
    assert "db1 answers" not in told, "what was seen before is not told as news"
    assert "shown as they were seen before this operation began" in told
    assert "VERIFY to come" in told
    assert "open db2 for writes" in told


def test_nobody_active_and_old_news_are_said_loudly(ground: Ground) -> None:
    ground.whole.clock.sleep(FRESH + 1)
    told = plain(ground.text())
    assert re.search(r"Old news: it was seen (1[6-9]|2[0-9]) s ago", told)
    assert told.startswith("last known: healthy: shop"), "the tab tells it, too"
    ground.whole.store.of(CLUSTER).line.clear()
    told = plain(ground.text())
    assert "No active manager: nobody acts when this primary dies" in told
    assert '<span class="said good"' not in ground.text().split("Operations</h3>")[0]


def test_what_this_host_kept_is_shown_while_zookeeper_is_away(ground: Ground) -> None:
    ground.shelf.kept[CLUSTER] = dict(ground.whole.store.of(CLUSTER).status or {})
    ground.whole.store.away = True
    told = plain(ground.text())
    assert "coordination is away: what is shown is what this host saw last" in told
    assert "db1" in told
    assert "coordination not known" in told, "that it answered then is no news"
    assert "coordination is away" in plain(ground.text("/operations", 503))


def test_a_manager_that_has_just_taken_over_is_told(ground: Ground) -> None:
    ground.whole.store.of(CLUSTER).line.insert(0, "m2")
    assert "m2 has taken over and has not told of its first look yet" in plain(ground.text())


def test_refusals_are_told_with_what_to_do_and_pauses_with_who_and_why(ground: Ground) -> None:
    pause(ground.manager.world, Pause("anna@desk", "moving racks"), dry_run=False)
    ground.whole.mysqlds["db1"].kill()
    ground.manager.turns(6)
    told = plain(ground.text())
    assert "primary-dead" in told
    assert "Paused by anna@desk: moving racks" in told
    assert "failoverd resume" in told


def test_a_dead_replica_and_a_stopped_stream_have_shapes_and_words(ground: Ground) -> None:
    ground.whole.mysqlds["db2"].kill()
    ground.manager.turns(3)
    told = ground.text(f"/clusters/{CLUSTER}")
    assert 'class="server bad"' in told
    assert "does not answer" in told
    assert "2 of 3 answer" in plain(ground.text())
    assert 'class="stream live"' in told


def poisoned(value: object) -> object:
    """Every text in it, and everything that is null, is hostile."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(item) for item in value]
    return HOSTILE if isinstance(value, str) or value is None else value


def test_hostile_words_of_an_operation_are_shown_and_never_run(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.whole.mysqlds["db1"].kill()
    ground.manager.turns(6)
    (name,) = ground.whole.store.of(CLUSTER).operations
    told = poisoned(json.loads(json.dumps(ground.shelf.operation(name), default=str)))
    reading = Reading(CLUSTER, None, None, (HOSTILE,), told)  # type: ignore[arg-type]
    monkeypatch.setattr(ground.shelf, "operation", lambda _: told)
    monkeypatch.setattr(ground.shelf, "operations", lambda _: (told,))
    monkeypatch.setattr(ground.shelf, "answered", lambda *_: told)
    monkeypatch.setattr(ground.shelf, "cluster", lambda _: reading)
    for path in ("/", f"/clusters/{CLUSTER}", "/operations", f"/operations/{name}", f"/clusters/{CLUSTER}/requests/1"):
        page = ground.text(path)
        assert "&lt;script&gt;alert(1)" in page, path
        assert "<script>alert" not in page, path
        assert "<img" not in page, path


def test_hostile_words_are_shown_and_never_run(ground: Ground) -> None:
    ground.whole.mysqlds["db2"].kill()
    pause(ground.manager.world, Pause("anna@desk", "moving racks"), dry_run=False)
    ground.manager.turns(3)
    document = poisoned(json.loads(json.dumps(ground.whole.store.of(CLUSTER).status, default=str)))
    assert isinstance(document, dict)
    ground.shelf.replaced = document
    for path in ("/", f"/clusters/{CLUSTER}"):
        told = ground.text(path)
        assert "&lt;script&gt;alert(1)" in told
        assert "<script>alert" not in told
        assert "<img" not in told
        assert not re.search(r'="[^"]*[^\s"=]"\'', told)
    for name in ("<script>alert(1)</script>", '"><img src=x>'):
        told = ground.browser.get(f"/clusters/{name}").text
        assert "<script>alert" not in told
        assert "<img" not in told


def test_every_answer_keeps_the_browser_from_doing_more_than_showing_it(ground: Ground) -> None:
    for path in ("/", "/operations", "/drills", "/nowhere", "/static/page.css", "/health/live"):
        answer = ground.browser.get(path)
        assert {name.lower(): value for name, value in HEADERS}.items() <= dict(answer.headers).items(), path
    text = ground.text()
    assert " style=" not in text
    assert " onclick" not in text
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/page.js?v=0.1.0" defer>']
    assert not re.search(r'(?:src|href)="(?!/|#|data:,)', text), "nothing comes from elsewhere"


def test_a_fault_of_ours_tells_nothing_and_stays_behind_the_same_walls(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> object:
        raise RuntimeError("canary /etc/failoverd")

    monkeypatch.setattr(ground.shelf, "cluster", broken)
    browser = TestClient(ground.site.guard, PLACE, raise_server_exceptions=False)
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert {name.lower(): value for name, value in HEADERS}.items() <= dict(answer.headers).items()


def test_an_answer_that_does_not_come_is_told_with_since_when(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.text()
    monkeypatch.setattr(ground.site.press.shared, "_deadline", 0.05)
    come = threading.Event()
    waits = ground.shelf.cluster
    monkeypatch.setattr(ground.shelf, "cluster", lambda name: (come.wait(60), waits(name))[1])
    try:
        told = plain(ground.text("/", 503))
    finally:
        come.set()
    assert re.search(r"cannot be read just now no answer within 0.05 s; the last answer came at \d\d:\d\d:\d\d", told)


def test_only_reading_is_answered(ground: Ground) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ground.browser.request(method, "/").status_code == 405, method
    assert ground.browser.head("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8009", 200),
        ("[::1]:8009", 200),
        ("localhost", 200),
        ("fo.example", 200),
        ("FO.example:443", 200),
        ("evil.example", 421),
        ("", 421),
        ("evil.example:8009", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_a_name_that_is_not_ours_is_refused(host: str, status: int) -> None:
    ground = Ground(WebConfig(names=("fo.example",)))
    assert ground.browser.get("/", headers={"Host": host}).status_code == status


def test_reports_of_drills_are_listed_and_served_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "drills"
    (folder / "kill-1").mkdir(parents=True)
    (folder / "kill-1/report.json").write_text(
        json.dumps({"drill": "kill <b>", "outcome": "passed", "began": "2026-01-02T03:04:05.000Z", "ended": None})
    )
    (folder / "kill-1/report.html").write_text("<!doctype html><p>the report")
    (folder / "broken").mkdir()
    (folder / "broken/report.json").write_text("{")
    (tmp_path / "secret").write_text("canary")
    (tmp_path / "report.html").write_text("canary")
    ground = Ground(reports=folder)
    told = ground.text("/drills")
    assert "kill &lt;b&gt;" in told
    assert "2026-01-02 03:04:05 UTC" in told
    assert "broken" not in told
    answer = ground.browser.get("/drills/kill-1")
    assert (answer.status_code, answer.text) == (200, "<!doctype html><p>the report")
    assert "sandbox" in answer.headers["content-security-policy"]
    for name in ("%2e%2e", "..%2fsecret", "%2e%2e%2f", "broken", "kill-1/report.json", "%2fetc%2fpasswd"):
        answer = ground.browser.get(f"/drills/{name}")
        assert answer.status_code == 404, name
    for name in ("", ".", "..", "../drills/kill-1", str(tmp_path), "kill-1/"):
        assert catalog.page_of(folder, name) is None, name
    for name in ("../app.py", "%2e%2e/app.py", "..%2fguard.py"):
        assert ground.browser.get(f"/static/{name}").status_code == 404, name


def test_what_is_not_there_is_said(ground: Ground) -> None:
    assert "there is no cluster" in ground.text("/clusters/other", 404)
    for name in ("other", "%2e%2e", "a%20b", "a%00b", "%3Cb%3E", "x" * 200):
        assert "there is no operation" in ground.text(f"/operations/{name}", 404)
    assert "there is no such report" in ground.text("/drills/other", 404)
    assert "Not Found" in ground.text("/elsewhere", 404)
