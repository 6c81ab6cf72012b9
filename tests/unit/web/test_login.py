"""Who is let in and what they may do: every guess, every forged form and everything that is not allowed is refused."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import anyio
import anyio.from_thread
import pytest
from starlette.datastructures import Headers

from failoverd.config.web import WebConfig
from failoverd.model.errors import ConfigError
from failoverd.web.forms import COOKIE
from failoverd.web.login import Basic, Refused
from failoverd.web.passwords import People, line_of, read_people, right
from tests.fakes.whole import CLUSTER
from tests.unit.config.folder import HEAD, SHOP, prepared
from tests.unit.web.ground import PEER, PLACE, Ground

ALL = ("pause", "resume", "switchover")
PROXY = WebConfig(login="proxy", trusted_proxies=("10.1.2.0/24",), actions=ALL)
ANNA = {"X-Remote-User": "anna"}
OURS = {**ANNA, "Origin": PLACE}


@pytest.fixture
def ground() -> Ground:
    made = Ground(PROXY)
    made.manager.turns(4)
    return made


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("people")).put("people", f"{line_of('anna', 'correct horse')}\n")


def token(ground: Ground, headers: dict[str, str] | None = None) -> str:
    """The token of a form as a browser is shown it."""
    text = ground.browser.get(f"/clusters/{CLUSTER}", headers=headers or ANNA).text
    found = re.search(r'name="token" value="(\w+)"', text)
    assert found, text
    return found[1]


def send(ground: Ground, action: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> int:
    status: int = ground.browser.post(f"/clusters/{CLUSTER}/{action}", data=fields, headers=headers or OURS).status_code
    return status


def test_who_looks_is_believed_to_a_trusted_proxy_alone() -> None:
    assert "anna" in Ground(PROXY).browser.get("/", headers=ANNA).text
    assert Ground(PROXY).browser.get("/").status_code == 401
    for said in ("", "<script>", "anna bob", "a" * 65):
        assert Ground(PROXY).browser.get("/", headers={"X-Remote-User": said}).status_code == 401, said
    twice = [("X-Remote-User", "anna"), ("X-Remote-User", "root")]
    assert Ground(PROXY).browser.get("/", headers=twice).status_code == 401
    elsewhere = WebConfig(login="proxy", trusted_proxies=("10.1.3.0/24", "127.0.0.1"), actions=ALL)
    assert Ground(elsewhere).browser.get("/", headers=ANNA).status_code == 403
    forwarded = {**ANNA, "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    assert Ground(elsewhere).browser.get("/", headers=forwarded).status_code == 403
    exact = WebConfig(login="proxy", trusted_proxies=(PEER,))
    assert Ground(exact).browser.get("/", headers=ANNA).status_code == 200


def test_a_password_is_asked_for_and_proven(people: Path) -> None:
    ground = Ground(WebConfig(login="basic", password_file=people))
    asked = ground.browser.get("/")
    assert (asked.status_code, asked.headers["www-authenticate"].split()[0]) == (401, "Basic")
    assert "Content-Security-Policy" in asked.headers
    for _ in range(2):  # the second time it is known
        assert ground.browser.get("/", auth=("anna", "correct horse")).status_code == 200
    for user, password in (("anna", "wrong horse"), ("anna", ""), ("otto", "correct horse"), ("", "")):
        assert ground.browser.get("/", auth=(user, password)).status_code == 401, user
    for said in ("Basic", "Basic !!!", "Basic YW5uYQ==", "Bearer YW5uYTpjb3JyZWN0IGhvcnNl", "Basic /////w=="):
        assert ground.browser.get("/", headers={"Authorization": said}).status_code == 401, said
    for raw in (b"Basic \xe9", b"Basic \xff\xfe", b"\xe9 \xe9", b"Basic YW5uYTpc\xe9"):
        assert ground.browser.get("/", headers={b"Authorization": raw}).status_code == 401, raw
    for path in ("/operations", "/drills", "/static/page.js", "/clusters/shop", "/nowhere"):
        assert ground.browser.get(path).status_code == 401, path
    assert ground.browser.get("/health/live").status_code == 200


def test_guesses_are_tried_two_at_a_time_and_keep_nobody_waiting_who_is_known(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying, most = 0, 0
    guess, anna = base64.b64encode(b"anna:guess").decode(), base64.b64encode(b"anna:correct horse").decode()
    login = Basic(read_people(people))
    done = anyio.Event()

    async def guessing() -> None:
        assert isinstance(await login.who(PEER, Headers({"Authorization": f"Basic {guess}"})), Refused)

    def slowly(known: People, user: str, password: str) -> bool:
        nonlocal trying, most
        trying += 1
        most = max(most, trying)
        anyio.from_thread.run(done.wait)
        trying -= 1
        return right(known, user, password)

    async def all_at_once() -> None:
        assert await login.who(PEER, Headers({"Authorization": f"Basic {anna}"})) == "anna"
        monkeypatch.setattr("failoverd.web.login.right", slowly)
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(guessing)
            with anyio.fail_after(30):
                while trying < 2:  # noqa: ASYNC110 - threads are waited for, not tasks
                    await anyio.sleep(0.01)
                assert await login.who(PEER, Headers({"Authorization": f"Basic {anna}"})) == "anna"
            done.set()

    anyio.run(all_at_once)
    assert most == 2


def test_people_who_cannot_be_read_keep_the_page_from_starting(tmp_path: Path) -> None:
    file = prepared(tmp_path).put("people", "anna:canary\n")
    with pytest.raises(ConfigError, match="people:1"):
        Ground(WebConfig(login="basic", password_file=file))


def test_a_pause_is_recorded_with_who_and_why_and_ended(ground: Ground) -> None:
    store = ground.whole.store.of(CLUSTER)
    assert send(ground, "pause", {"token": token(ground), "reason": " moving\n racks ", "lasting": "2h"}) == 303
    (made,) = store.pauses.values()
    assert (made.by, made.reason, made.server) == ("anna@host1 (page)", "moving racks", "")
    assert made.until == pytest.approx(ground.whole.clock.wall().timestamp() + 7200, abs=60)
    assert "Paused until" in ground.browser.get("/", headers=ANNA).text
    assert send(ground, "resume", {"token": token(ground)}) == 303
    assert not store.pauses


def test_a_switchover_goes_the_way_of_the_command_line_and_is_journalled_with_who_asked(ground: Ground) -> None:
    fields = {"token": token(ground), "to": "db3", "reason": "new kernel", "sure": "yes"}
    answer = ground.browser.post(f"/clusters/{CLUSTER}/switchover", data=fields, headers=OURS)
    assert answer.status_code == 303
    place = answer.headers["location"]
    assert "waiting for the active manager" in ground.browser.get(place, headers=ANNA).text
    ground.manager.turns(6)
    told = ground.browser.get(place, headers=ANNA).text
    (name,) = set(re.findall(r"/operations/(shop-[^\"]+)", told))
    account = ground.shelf.operation(name)
    assert account is not None
    assert (account["kind"], account["outcome"], account["new_primary"]) == ("switchover", "done", "db3")
    by = {"kind": "person", "user": "anna", "host": "host1 (page)", "reason": "new kernel"}
    assert account["requested_by"] == by
    assert (
        "asked for by anna on host1 (page): new kernel" in ground.browser.get(f"/operations/{name}", headers=ANNA).text
    )


def test_a_switchover_that_the_manager_refuses_is_told(ground: Ground) -> None:
    fields = {"token": token(ground), "to": "db1", "reason": "by mistake", "sure": "yes"}
    answer = ground.browser.post(f"/clusters/{CLUSTER}/switchover", data=fields, headers=OURS)
    ground.manager.turns(6)
    told = ground.browser.get(answer.headers["location"], headers=ANNA).text
    assert "refused" in told
    assert [m.name for m in ground.whole.mysqlds.values() if not m.read_only] == ["db1"]


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("switchover", {"to": "db9", "reason": "x", "sure": "yes"}, 400),
        ("switchover", {"to": "db2", "reason": "x"}, 400),
        ("switchover", {"to": "db2", "reason": " ", "sure": "yes"}, 400),
        ("pause", {"reason": ""}, 400),
        ("pause", {"reason": "x", "lasting": "soon"}, 400),
        ("failover", {"reason": "x"}, 404),
    ],
)
def test_what_makes_no_sense_is_refused(ground: Ground, action: str, fields: dict[str, str], status: int) -> None:
    assert send(ground, action, {"token": token(ground), **fields}) == status
    nothing_was_done(ground)


def nothing_was_done(ground: Ground) -> None:
    store = ground.whole.store.of(CLUSTER)
    assert (store.pauses, store.requests) == ({}, {})


@pytest.mark.parametrize(
    "headers",
    [
        ANNA,
        {**ANNA, "Origin": "null"},
        {**ANNA, "Origin": "http://evil.example"},
        {**ANNA, "Origin": "http://127.0.0.1:8010"},
        {**ANNA, "Origin": "http://127.0.0.1:8009.evil.example"},
        {**ANNA, "Origin": "ftp://127.0.0.1:8009"},
        {**ANNA, "Origin": "http://["},
        {"X-Remote-User": "otto", "Origin": PLACE},
    ],
)
def test_a_form_from_elsewhere_or_of_somebody_else_is_refused(ground: Ground, headers: dict[str, str]) -> None:
    assert send(ground, "pause", {"token": token(ground), "reason": "x"}, headers) == 403
    nothing_was_done(ground)


def test_a_form_without_its_browser_or_with_a_forged_token_is_refused(ground: Ground) -> None:
    mine = token(ground)
    cookie = ground.browser.cookies[COOKIE]
    for forged in ("", "x", mine[:-1] + "g", token(Ground(PROXY)), "\u00e9", "\u20ac" * 64):
        assert send(ground, "pause", {"token": forged, "reason": "x"}) == 403, forged
    ground.browser.cookies.clear()
    assert send(ground, "pause", {"token": mine, "reason": "x"}) == 403
    for other in (cookie[:-1] + "0", cookie[:-1] + "1", "g" * 32, "x"):
        if other != cookie:
            ground.browser.cookies.set(COOKIE, other)
            assert send(ground, "pause", {"token": mine, "reason": "x"}) == 403, other
    nothing_was_done(ground)


def test_over_tls_a_form_of_a_page_that_came_without_it_is_refused() -> None:
    ground = Ground(PROXY, place=PLACE.replace("http:", "https:"))
    ground.manager.turns(4)
    mine = token(ground)
    assert send(ground, "pause", {"token": mine, "reason": "x"}) == 403
    nothing_was_done(ground)
    assert send(ground, "pause", {"token": mine, "reason": "x"}, {**ANNA, "Origin": "https://127.0.0.1:8009"}) == 303


def test_the_mark_of_a_browser_is_for_this_page_alone(ground: Ground, tmp_path: Path) -> None:
    set_cookie = ground.browser.get("/", headers=ANNA).headers["set-cookie"].lower()
    assert "httponly" in set_cookie
    assert "samesite=strict" in set_cookie
    assert "set-cookie" not in Ground().browser.get("/").headers, "who may only look needs none"


def test_only_forms_are_read_and_only_small_ones(ground: Ground) -> None:
    mine = token(ground)
    place = f"/clusters/{CLUSTER}/pause"
    assert ground.browser.post(place, json={"token": mine, "reason": "x"}, headers=OURS).status_code == 415
    assert send(ground, "pause", {"token": mine, "reason": "x" * 9000}) == 413
    assert ground.browser.get(place, headers=OURS).status_code == 405
    assert ground.browser.put(place, data={"token": mine, "reason": "x"}, headers=OURS).status_code == 405
    nothing_was_done(ground)


def test_what_is_not_enabled_is_neither_shown_nor_done() -> None:
    ground = Ground(WebConfig(login="proxy", trusted_proxies=(PEER,), actions=("pause",)))
    ground.manager.turns(4)
    text = ground.browser.get(f"/clusters/{CLUSTER}", headers=ANNA).text
    assert "Pause the managers" in text
    assert "Change the primary" not in text
    assert send(ground, "switchover", {"token": token(ground), "reason": "x", "sure": "yes"}) == 403
    assert send(ground, "resume", {"token": token(ground)}) == 403
    nothing_was_done(ground)
    looking = Ground()
    looking.manager.turns(4)
    assert "<form" not in looking.text()
    assert send(looking, "pause", {"reason": "x"}, {"Origin": PLACE}) == 403


def test_nobody_is_asked_where_no_manager_is_active(ground: Ground) -> None:
    mine = token(ground)
    ground.whole.store.of(CLUSTER).line.clear()
    assert send(ground, "switchover", {"token": mine, "to": "db2", "reason": "x", "sure": "yes"}) == 503
    nothing_was_done(ground)


SECTIONS = [
    ("listen: '0.0.0.0:8009'", "web.listen: is reached from other hosts"),
    ("listen: 'page.example:8009'", "web.listen: is reached from other hosts"),
    ("{listen: '[::1]:8009'}", ""),
    ("listen: 'localhost:8009'", ""),
    ("login: basic", "web.login: 'basic' needs a password_file"),
    ("{login: basic, password_file: people, listen: '0.0.0.0:8009'}", "web.login: 'basic' without tls would send"),
    ("{login: basic, password_file: people, actions: [pause]}", ""),
    ("{login: basic, password_file: open}", "can be read by others (mode 0644)"),
    ("{login: basic, password_file: gone}", "gone: No such file or directory"),
    ("login: proxy", "web.login: 'proxy' needs trusted_proxies"),
    ("{login: proxy, trusted_proxies: [10.0.0.5], listen: '0.0.0.0:8009', actions: [switchover]}", ""),
    ("{login: proxy, trusted_proxies: [10.0.0.5/24]}", "'10.0.0.5/24' is neither an address nor a network"),
    ("actions: [pause]", "web.actions: need a login"),
    ("tls: {cert_file: people, key_file: open}", "can be read by others (mode 0644)"),
    ("{login: basic, password_file: people, listen: '0.0.0.0:8009', tls: {cert_file: open, key_file: people}}", ""),
]


@pytest.mark.parametrize(("section", "says"), SECTIONS)
def test_a_section_that_would_leave_the_page_open_is_refused(tmp_path: Path, section: str, says: str) -> None:
    folder = prepared(tmp_path)
    folder.put("people", "x\n")
    folder.put("open", "x\n", 0o644)
    text = f"web: {section if section.startswith('{') else '{' + section + '}'}\n{HEAD}{SHOP}"
    found = folder.complaints(text)
    if not says:
        assert found == []
        return
    assert len(found) == 1, found
    assert says in found[0]
