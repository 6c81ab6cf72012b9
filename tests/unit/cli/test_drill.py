"""`failoverd drill` before a terminal: what is shown, what is refused before anything is touched, what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from failoverd.cli import drill as command
from failoverd.cli.main import main
from failoverd.drill import catalog
from failoverd.drill.run import Drill
from failoverd.model.finding import Finding, Severity
from failoverd.model.rehearsed import Rows
from failoverd.model.runbook import Runbook
from tests.fakes.drills import FakeGround, Looks, Time
from tests.unit.cli.stand_in import StandIn, Terminal, terminal
from tests.unit.config.folder import HEAD, SHOP

BOOK = """\
title: A drill
about: why
steps:
  - wait: writes
  - {fault: kill, at: primary}
expect:
  - {within: 3s, new_primary: any}
  - lost_rows: 0
cleanup:
  - fault: heal
"""


@pytest.fixture
def at(tmp_path: Path) -> Terminal:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/ours.yml").write_text(BOOK)
    return terminal(tmp_path)


@pytest.fixture
def grounds(monkeypatch: pytest.MonkeyPatch) -> list[FakeGround]:
    """Every ground that is built, in memory and on a time of its own."""
    made: list[FakeGround] = []

    def ground(book: Runbook, say: Callable[[str], None]) -> FakeGround:
        made.append(FakeGround(Time()))
        return made[-1]

    def drilled(book: Runbook, ground: FakeGround, times: object, voice: object, *, by_step: bool) -> Drill:
        return Drill(book, ground, (ground.time, Looks(ground.time)), voice, by_step=by_step)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "lab_ground", ground)
    monkeypatch.setattr(command, "Drill", drilled)
    return made


def test_all_runbooks_are_done_one_after_the_other(at: Terminal, grounds: list[FakeGround]) -> None:
    (at.folder / "books/other.yml").write_text(BOOK)
    (at.folder / "books/real.yml").write_text(BOOK + "on: shop\n")
    books, reports = str(at.folder / "books"), at.folder / "reports"
    done = at.call(StandIn(), "drill", "run", "--all", "--runbooks", books, "--reports", str(reports))
    assert done.exit_code == 0
    assert len(grounds) == 2, "what is for a cluster is left out"
    assert (reports / "junit.xml").read_text().count("<testsuite ") == 2
    done = at.call(StandIn(), "drill", "run", "--runbooks", books)
    assert done.exit_code == 2
    assert "it is not said which drill" in done.stderr


def test_what_is_for_a_cluster_can_be_tried_in_a_lab(at: Terminal, grounds: list[FakeGround]) -> None:
    (at.folder / "books/ours.yml").write_text(BOOK + "on: shop\n")
    assert run(at, "--lab")[0] == 0
    assert len(grounds) == 1


def run(at: Terminal, *words: str) -> tuple[int, str, str]:
    books, reports = str(at.folder / "books"), str(at.folder / "reports")
    done = at.call(StandIn(), "drill", "run", "ours", "--runbooks", books, "--reports", reports, *words)
    return done.exit_code, done.stdout, done.stderr


def test_runbooks_are_listed(at: Terminal) -> None:
    done = at.call(StandIn(), "drill", "list", "--json")
    names = {one["drill"] for one in json.loads(done.stdout)["drills"]}
    assert {"primary-killed", "zookeeper-lost", "rolling-restart"} <= names
    fit = {one["drill"] for one in json.loads(done.stdout)["drills"] if one["fits_clusters"]}
    assert {"replica-frozen", "replica-cut-off", "primary-cut-off", "primary-killed", "primary-frozen"} <= fit
    assert not fit & {"full-disk", "host-gone", "zookeeper-lost", "manager-killed"}
    assert "A drill" in at.call(StandIn(), "drill", "list", "--runbooks", str(at.folder / "books")).stdout


def test_a_plan_shows_everything_and_touches_nothing(at: Terminal, grounds: list[FakeGround]) -> None:
    code, text, _ = run(at, "--plan")
    assert code == 0
    assert "2. SIGKILL to the process of primary   <- times count from here" in text
    code, text, _ = run(at, "--plan", "--json")
    assert json.loads(text)["cleanup"][0]["title"].startswith("take back")
    assert grounds == []
    assert not (at.folder / "reports").exists()


def test_a_run_is_told_and_kept(at: Terminal, grounds: list[FakeGround]) -> None:
    code, text, said = run(at, "--json", "--reason", "to be sure")
    assert (code, json.loads(text)["result"]) == (0, "passed")
    assert "met      there is a new primary" in said
    (place,) = (at.folder / "reports").iterdir()
    assert json.loads((place / "report.json").read_text())["requested_by"]["reason"] == "to be sure"
    assert grounds[0].done[-2:] == ["heal", "close"]


def test_repeats_give_a_distribution_and_a_trend(at: Terminal, grounds: list[FakeGround]) -> None:
    code, text, _ = run(at, "--repeat", "3", "--json")
    told = json.loads(text)
    assert (code, told["runs"], told["passed"]) == (0, 3, 3)
    assert told["figures"]["outage"]["median"] == pytest.approx(1.0, abs=0.1)
    assert len(grounds) == 3
    reports = str(at.folder / "reports")
    page = at.folder / "trend.html"
    shown = at.call(StandIn(), "drill", "report", "ours", "--trend", "--html", str(page), "--reports", reports)
    assert shown.exit_code == 0
    assert "passed" in shown.stdout
    assert "A drill" in page.read_text()
    last = at.call(StandIn(), "drill", "report", "ours", "--reports", reports)
    assert "at most 0 acknowledged rows are lost" in last.stdout


def test_what_is_lost_is_a_finding(at: Terminal, grounds: list[FakeGround], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeGround, "rows", lambda _, server: Rows(server, 9, (4,)))
    code, _, said = run(at)
    assert code == 1
    assert "failed   at most 0 acknowledged rows are lost: 1 of 9" in said


def test_an_abort_file_ends_it(at: Terminal, grounds: list[FakeGround]) -> None:
    file = at.folder / "stop"
    file.write_text("")
    code, _, said = run(at, "--abort-file", str(file))
    assert code == 1
    assert f"{file} is there" in said
    assert grounds[0].done == ["open", "heal", "close"]


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (BOOK.replace("kill", "explode"), (), "ours.yml:5: steps[1].fault: 'explode' is not one of"),
        (BOOK + "  - ask: sure?\n", (), "nobody is there to be asked"),
        (BOOK, ("--step",), "nobody is there to be asked"),
        (BOOK + "on: shop\n", (), "ours.yml:1: the cluster does not allow drills"),
        (BOOK, ("--on", "shop"), "ours.yml:1: the cluster does not allow drills"),
        (BOOK, ("--on", "shop", "--lab"), "a drill runs in one place"),
        (BOOK, ("--on", "nowhere"), "there is no cluster 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(
    at: Terminal, grounds: list[FakeGround], text: str, words: tuple[str, ...], said: str
) -> None:
    (at.folder / "books/ours.yml").write_text(text)
    code, _, told = run(at, *words)
    assert code == 2
    assert said in told
    assert grounds == []
    assert not (at.folder / "reports").exists()


def test_a_real_cluster_must_allow_it_and_be_confirmed_by_name(
    at: Terminal, grounds: list[FakeGround], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = FakeGround(Time())
    monkeypatch.setattr(command, "cluster_ground", lambda *_: made)
    (at.folder / "app.secret").write_text("secret\n")
    (at.folder / "app.secret").chmod(0o600)
    drills = "    drills: {allowed: true, faults: [kill], user: app, password_file: app.secret}\n"
    (at.folder / "failoverd.yml").write_text(HEAD + SHOP + drills)
    (at.folder / "books/ours.yml").write_text(BOOK + "blast_radius: [primary]\n")
    for words in ((), ("--confirm", "shpo")):
        code, _, said = run(at, "--on", "shop", *words)
        assert code == 2
        assert "a drill on shop is to be confirmed by that name" in said
        assert f"ours.yml:1: {words[-1] if words else 'no name'}" in said
    assert made.done == []
    code, text, _ = run(at, "--on", "shop", "--confirm", "shop", "--json")
    assert (code, json.loads(text)["on"]) == (0, "shop")
    assert made.done[-2:] == ["heal", "close"]
    assert grounds == []


def test_the_window_is_looked_at_before_each_run(
    at: Terminal, grounds: list[FakeGround], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def ground(*_: object) -> FakeGround:
        begun.append("one")
        at.clock.time = datetime(2026, 11, 23, 2, 30, tzinfo=UTC).timestamp()  # the day after
        return FakeGround(Time())

    monkeypatch.setattr(command, "cluster_ground", ground)
    (at.folder / "app.secret").write_text("secret\n")
    (at.folder / "app.secret").chmod(0o600)
    drills = (
        "    drills: {allowed: true, faults: [kill], user: app, password_file: app.secret, window: 'Sun 02:00-04:00'}\n"
    )
    (at.folder / "failoverd.yml").write_text(HEAD + SHOP + drills)
    (at.folder / "books/ours.yml").write_text(BOOK + "blast_radius: [primary]\n")
    at.clock.time = datetime(2026, 11, 22, 2, 30, tzinfo=UTC).timestamp()
    code, _, said = run(at, "--on", "shop", "--confirm", "shop", "--repeat", "3")
    assert (code, begun) == (1, ["one"])
    assert "ours.yml:1: now is Mon 02:30, and drills are allowed Sun 02:00-04:00 only" in said


def test_step_by_step_a_person_is_asked_and_can_end_it(
    at: Terminal, grounds: list[FakeGround], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "on_terminal", lambda: True)
    folders = ["--runbooks", str(at.folder / "books"), "--reports", str(at.folder / "reports")]
    done = at.call(StandIn(), "drill", "run", "ours", "--step", *folders, typed="y\nn\n")
    assert done.exit_code == 1
    assert "next: wait for writes (at most 60 s). Go on?" in done.stderr
    assert "next: SIGKILL to the process of primary. Go on?" in done.stderr
    assert "a person ended it: before: SIGKILL" in done.stderr
    assert grounds[0].done == ["open", "heal", "close"]
    done = at.call(StandIn(), "drill", "run", "ours", "--step", *folders, typed="y\ny\n")
    assert (done.exit_code, "kill db1" in grounds[1].done) == (0, True)


def test_what_should_be_rehearsed_next_and_the_score(at: Terminal, grounds: list[FakeGround]) -> None:
    (at.folder / "books/ours.yml").write_text(BOOK + "blast_radius: [primary]\n")
    run(at)
    app = StandIn(check=(Finding("no-standby", "shop", "", "there is no standby", severity=Severity.WARNING),))
    folders = ["--runbooks", str(at.folder / "books"), "--reports", str(at.folder / "reports")]
    done = at.call(app, "drill", "suggest", "shop", *folders, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["promises"][0]["rehearsed"]) == (0, "lab")
    assert told["score"] == 65, "40 of 50 with a warning, 25 of 50 because only a lab has shown it"
    assert catalog.scores(at.folder / "reports") == {"shop": 65.0}
    done = at.call(app, "drill", "suggest", "shop", *folders)
    assert "shop: readiness 65 of 100" in done.stdout
    assert "check: there is no standby" in done.stdout
    assert at.call(app, "drill", "suggest", "nowhere", *folders).exit_code == 2


def test_drills_and_reports_that_are_not_there(at: Terminal) -> None:
    done = at.call(StandIn(), "drill", "run", "nothing")
    assert done.exit_code == 2
    assert "there is no such drill" in done.stderr
    done = at.call(StandIn(), "drill", "report", "nothing", "--reports", str(at.folder))
    assert done.exit_code == 2
    assert "there is no report of 'nothing'" in done.stderr


def test_a_drill_that_cannot_be_begun_fails_all_of_them_and_the_others_are_done(
    at: Terminal, grounds: list[FakeGround], monkeypatch: pytest.MonkeyPatch
) -> None:
    (at.folder / "books/another.yml").write_text(BOOK + "needs: [lossless]\nlab: {lossless: true}\n")
    (at.folder / "books/worse.yml").write_text(BOOK.replace("lost_rows: 0", "outage_below: 1ms"))
    monkeypatch.setattr(FakeGround, "lacks", lambda _, need: f"{need} is not there")
    books, reports = str(at.folder / "books"), str(at.folder / "reports")
    done = at.call(StandIn(), "drill", "run", "--all", "--runbooks", books, "--reports", reports, "--json")
    assert done.exit_code == 1
    assert "another.yml:11: needs: lossless: lossless is not there" in done.stderr
    told = json.loads(done.stdout)
    assert told["not_begun"] == ["another"]
    assert [(one["drill"], one["result"]) for one in told["results"]] == [("ours", "passed"), ("worse", "failed")]
    shown = done.stderr.splitlines()[-5:]
    assert [line.split()[:2] for line in shown[1:4]] == [["ours", "passed"], ["worse", "failed"], ["another", "not"]]
    assert shown[1].split()[3] == "s", "the time of each"
    assert shown[4].startswith("1 of 3 passed in ")


def completed(at: Terminal, *words: str) -> list[str]:
    """What the shell offers for the last word."""
    asked = " ".join(["failoverd", *words])
    variables = {"_FAILOVERD_COMPLETE": "bash_complete", "COMP_WORDS": asked, "COMP_CWORD": str(len(words))}
    done = CliRunner().invoke(main, [], env=variables, prog_name="failoverd")
    return [line.partition(",")[2] for line in done.output.splitlines() if line]


def test_the_shell_completes_names_of_runbooks_and_of_reports(at: Terminal, grounds: list[FakeGround]) -> None:
    books, reports = str(at.folder / "books"), str(at.folder / "reports")
    (at.folder / "books/other.yml").write_text("nonsense: [")
    assert completed(at, "drill", "run", "--runbooks", books, "o") == ["other", "ours"]
    assert "primary-killed" in completed(at, "drill", "run", "primary-")
    run(at)
    assert completed(at, "drill", "report", "--reports", reports, "") == ["ours"]
    assert completed(at, "drill", "report", "--reports", reports, "x") == []
