"""The commands: what they ask, print and end with; one document with --json, errors in one clear text."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import click
import pytest

from failoverd import __version__
from failoverd.cli.main import main
from failoverd.config.install import Install
from failoverd.model.errors import CoordinationError, FailoverdError, PlanRefused
from failoverd.model.finding import Finding, Severity
from failoverd.model.verdict import Refusal
from tests.unit.cli.stand_in import EMPTY_PLAN, StandIn, Terminal, document, no_page, terminal
from tests.unit.config.folder import HEAD, SHOP

SERVER = {
    "name": "db1",
    "host": "10.0.0.1",
    "port": 3306,
    "role": "primary",
    "reachable": True,
    "read_only": False,
    "super_read_only": False,
    "source": None,
    "receiver": "no",
    "applier": "no",
    "lag_seconds": 0.25,
    "promote": "normal",
    "agent": "ok",
    "problems": [{"id": "lag", "sentence": "db1 is late", "hint": "wait"}],
}
REPLICA = SERVER | {"name": "db2", "role": "replica", "super_read_only": True, "source": "db1", "receiver": "yes"}
GONE = SERVER | {"name": "db3", "reachable": False, "role": "unknown"}


def cluster(**changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "name": "shop",
        "verdict": "healthy",
        "evidence": [{"what": "x", "route": "mysql", "age_seconds": 0.1, "sentence": "db1 [0] says nothing"}],
        "refusals": [{"id": "cooldown", "sentence": "too soon", "measured": "5", "limit": "3600"}],
        "primary": "db1",
        "epoch": 7,
        "active_manager": "mgr1",
        "standby_managers": ["mgr2"],
        "coordination": "ok",
        "paused": {"by": "anna", "reason": "work"},
        "operation": {"id": "op1", "kind": "failover", "stage": "FENCE", "started": "now"},
        "servers": [SERVER, REPLICA, GONE],
    }
    return found | changes


HEALTHY = {"clusters": [cluster()]}


@pytest.fixture
def screen(tmp_path: Path) -> Terminal:
    return terminal(tmp_path)


def test_status_shows_everything_that_was_published(screen: Terminal) -> None:
    result = screen.call(StandIn(status=HEALTHY), "status")
    assert result.exit_code == 0
    for words in (
        "shop  healthy  primary db1  epoch 7",
        "manager mgr1; standby mgr2; paused by anna: work; failover op1 at FENCE",
        "refused by cooldown: too soon",
        "  db1 is late (wait)",
        "  db2: db1 is late (wait)",
    ):
        assert words in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["db1", "10.0.0.1:3306", "primary", "open", "-", "no", "no", "0.25", "s", "normal", "ok"] in lines
    assert ["db2", "10.0.0.1:3306", "replica", "closed", "db1", "yes", "no", "0.25", "s", "normal", "ok"] in lines
    assert ["db3", "10.0.0.1:3306", "unknown", "unreachable", "-", "no", "no", "0.25", "s", "normal", "ok"] in lines
    assert "says nothing" not in result.stdout


def test_status_tells_the_evidence_when_it_matters(screen: Terminal) -> None:
    result = screen.call(StandIn(status={"clusters": [cluster(verdict="suspect")]}), "status", "shop")
    assert "db1 [0] says nothing (mysql, 0.1 s ago)" in result.stdout
    assert result.exit_code == 1


def test_status_without_a_manager_is_a_finding(screen: Terminal) -> None:
    result = screen.call(StandIn(status={"clusters": [cluster(active_manager=None)]}), "status")
    assert "NO ACTIVE MANAGER" in result.stdout
    assert result.exit_code == 1


def test_status_prints_the_one_document(screen: Terminal) -> None:
    app = StandIn(status=HEALTHY)
    assert document(screen.call(app, "status", "shop", "--json")) == HEALTHY
    assert app.asked == [("status", "shop")]


def test_status_waits_until_it_is_ready(screen: Terminal) -> None:
    app = StandIn(status=[{"clusters": [cluster(verdict="suspect")]}, {"clusters": []}, HEALTHY])
    assert screen.call(app, "status", "--wait-ready", "30s").exit_code == 0
    assert len(app.asked) == 3


def test_status_gives_up_waiting_in_time(screen: Terminal) -> None:
    result = screen.call(StandIn(status={"clusters": [cluster(verdict="blind")]}), "status", "--wait-ready", "2s")
    assert result.exit_code == 1
    assert 1.9 <= sum(screen.clock.slept) <= 2.5


def test_status_is_watched_until_interrupted(screen: Terminal) -> None:
    app = StandIn(status=[HEALTHY, {"clusters": [cluster(verdict="blind")]}, CoordinationError("it is over")])
    result = screen.call(app, "status", "--watch")
    assert screen.clock.slept == [1.0, 1.0]
    assert "shop: healthy -> blind" in result.stdout
    assert "it is over" in result.stderr


def test_a_wait_needs_its_unit(screen: Terminal) -> None:
    result = screen.call(StandIn(), "status", "--wait-ready", "30")
    assert result.exit_code == 2
    assert "'30' is not a duration" in result.stderr


def test_watching_is_no_document(screen: Terminal) -> None:
    assert screen.call(StandIn(), "status", "--watch", "--json").exit_code == 2


BAD = Finding("gtid-mode-off", "shop", "db2", "the GTID mode of db2 is off", "turn it on")
FINE = Finding("ready", "shop", "db1", "db1 is ready", "not shown", Severity.OK)
NOT_GRANTED = Finding("missing-grant", "shop", "db2", "our account lacks RELOAD", "GRANT RELOAD", Severity.WARNING)


def test_check_says_what_is_wrong_and_what_is_fine(screen: Terminal) -> None:
    result = screen.call(StandIn(check=(FINE, BAD)), "check", "shop")
    assert result.exit_code == 1
    assert "shop/db1  ready          db1 is ready" in result.stdout
    assert "turn it on" in result.stdout
    assert "not shown" not in result.stdout
    assert f"failoverd {__version__} on " in result.stdout
    assert "1 error, 0 warnings, 1 ok" in result.stdout
    assert result.stdout.index("turn it on") < result.stdout.index("not covered by this check of shop:")
    assert "  clients: no address" in result.stdout


def test_check_with_nothing_to_say_is_zero(screen: Terminal) -> None:
    assert screen.call(StandIn(check=(FINE,)), "check").exit_code == 0
    assert screen.call(StandIn(check=(NOT_GRANTED,)), "check").exit_code == 1


def test_check_as_a_document(screen: Terminal) -> None:
    told = document(screen.call(StandIn(check=(BAD,)), "check", "--json"))
    report: Any = told.pop("report")
    assert (report["version"], report["host"]) == (__version__, socket.gethostname())
    assert report["began"].endswith("Z")
    assert report["began"] <= report["ended"]
    (shop,) = report["clusters"]
    assert (shop["name"], len(shop["settings"])) == ("shop", 64)
    assert {row["id"] for row in shop["not_covered"]} == {"together", "fence", "rows", "unreceived", "clients"}
    assert told == {
        "findings": [
            {
                "id": "gtid-mode-off",
                "cluster": "shop",
                "server": "db2",
                "severity": "error",
                "sentence": "the GTID mode of db2 is off",
                "hint": "turn it on",
            }
        ]
    }


def test_grants_are_printed_as_statements_with_who_lacks_what(screen: Terminal) -> None:
    result = screen.call(StandIn(check=(BAD, NOT_GRANTED)), "check", "--grants")
    assert "GRANT SELECT ON performance_schema.* TO 'failoverd'@'%';" in result.stdout
    assert "our account lacks RELOAD" in result.stdout
    assert "GTID mode" not in result.stdout
    wanted = document(screen.call(StandIn(check=()), "check", "--grants", "--json"))["grants"]
    assert isinstance(wanted, dict)
    assert len(wanted["shop"]) == 3


def test_plan_asks_what_it_was_told(screen: Terminal) -> None:
    app = StandIn(plan=EMPTY_PLAN)
    result = screen.call(app, "plan", "shop", "--kill", "db1", "--kill", "db2", "--to", "db2")
    assert result.exit_code == 0
    assert "db2" in result.stdout
    assert app.asked == [("plan", "shop", ("db1", "db2"), "db2")]
    assert document(screen.call(app, "plan", "shop", "--json"))["new_primary"] == "db2"


def test_a_refused_plan_is_a_finding(screen: Terminal) -> None:
    plan = type(EMPTY_PLAN)("shop", EMPTY_PLAN.kind, "db1", "", (), refusals=(Refusal("cooldown", "too soon"),))
    result = screen.call(StandIn(plan=plan), "plan", "shop")
    assert result.exit_code == 1
    assert "too soon" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("status", "nope"),
        ("check", "nope"),
        ("plan", "nope"),
        ("plan", "shop", "--kill", "db9"),
        ("plan", "shop", "--to", "db9"),
        ("failover", "nope", "--yes"),
        ("failover", "shop", "--to", "db9", "--yes"),
        ("ops", "list", "nope"),
        ("agent", "install", "nope", "--yes"),
        ("agent", "install", "shop", "db9", "--yes"),
        ("agent", "check", "nope"),
    ],
    ids=" ".join,
)
def test_unknown_names_are_usage_and_nothing_is_asked(screen: Terminal, words: tuple[str, ...]) -> None:
    app = StandIn()
    result = screen.call(app, *words)
    assert result.exit_code == 2
    assert "there is no cluster 'nope'" in result.stderr or "has no server 'db9'" in result.stderr
    assert "hint: " in result.stderr
    assert result.stdout == ""
    assert app.asked == []


DONE = {
    "operation": "op1",
    "kind": "failover",
    "cluster": "shop",
    "outcome": "done",
    "old_primary": "db1",
    "new_primary": "db2",
    "cause": "db1 is dead",
    "requested_by": {"kind": "person", "user": "anna", "host": "h", "reason": "test"},
    "started": "2026-01-01T00:00:00.000Z",
    "outage_seconds": 0.4,
    "lost": {"transactions": 0, "gtids": ""},
    "saved": [{"gtids": "a:1-3", "transactions": 3, "from": "db1", "how": "binary logs"}],
    "fenced": {"server": "db1", "how": "killed"},
    "steps": [{"stage": "FENCE", "title": "fence db1", "outcome": "done", "seconds": 0.1, "detail": "pid 12"}],
    "refusals": [{"id": "blind", "sentence": "nobody else says so"}],
    "replicas": [{"name": "db3", "attached": False, "problem": "applier stopped"}],
}


def test_operations_are_listed(screen: Terminal) -> None:
    app = StandIn(operations=(DONE,))
    assert "op1" in screen.call(app, "ops", "list").stdout
    assert document(screen.call(app, "ops", "list", "shop", "--json")) == {"operations": [DONE]}
    assert app.asked == [("operations", None), ("operations", "shop")]
    assert "no operation" in screen.call(StandIn(operations=()), "ops", "list").stdout


def test_an_operation_is_told_from_beginning_to_end(screen: Terminal) -> None:
    result = screen.call(StandIn(operation=DONE), "ops", "show", "op1")
    assert result.exit_code == 0
    for words in (
        "failover op1 of shop: done",
        "because db1 is dead",
        "asked for by anna on h: test",
        "db1 -> db2",
        "outage 0.4 s",
        "saved 3 transactions from db1 (binary logs)",
        "old primary db1: killed",
        "db3 is not attached: applier stopped",
        "fence db1",
        "pid 12",
    ):
        assert words in result.stdout


def test_without_an_id_the_newest_operation_is_shown(screen: Terminal) -> None:
    app = StandIn(operations=(DONE, {"operation": "op0"}), operation=DONE)
    assert document(screen.call(app, "ops", "show", "--json")) == DONE
    assert app.asked == [("operations", None), ("operation", "op1")]


def test_an_operation_that_is_not_there_is_a_finding(screen: Terminal) -> None:
    result = screen.call(StandIn(operation=None), "ops", "show", "op9", "--json")
    assert result.exit_code == 1
    assert document(result)["error"] == {
        "what": "there is no operation 'op9'",
        "detail": "",
        "hint": "failoverd ops list names them",
    }
    assert screen.call(StandIn(operations=()), "ops", "show").exit_code == 1


def test_run_ends_with_what_the_manager_says(screen: Terminal) -> None:
    assert screen.call(StandIn(run=0), "run").exit_code == 0
    assert screen.call(StandIn(run=4), "run").exit_code == 4


INSTALLED = {"server": "db1", "outcome": "done", "key_line": "restrict ssh-ed25519 x", "detail": "version 1"}


def test_agents_are_installed_where_it_was_said(screen: Terminal) -> None:
    app = StandIn(agents_install=(INSTALLED,))
    key = screen.folder / "id"
    words = (
        "agent",
        "install",
        "shop",
        "db1",
        "--user",
        "anna",
        "--key",
        str(key),
        "--write-key",
        "--upgrade",
        "--yes",
    )
    result = screen.call(app, *words)
    assert result.exit_code == 0
    assert "db1: log in as anna@10.0.0.1, put the agent into /var/lib/failoverd-agent" in result.stderr
    assert "db2" not in result.stderr
    assert "restrict ssh-ed25519 x" in result.stdout
    assert app.asked == [("agents_install", Install("shop", ("db1",), "anna", key, True, True))]


def test_a_host_without_its_agent_is_a_finding(screen: Terminal) -> None:
    app = StandIn(agents_install=(INSTALLED, INSTALLED | {"outcome": "failed"}))
    result = screen.call(app, "agent", "install", "shop", "--yes", "--json")
    assert result.exit_code == 1
    assert len(document(result)["servers"]) == 2  # type: ignore[arg-type]


def test_installing_without_a_terminal_needs_a_yes(screen: Terminal) -> None:
    app = StandIn(agents_install=())
    assert screen.call(app, "agent", "install", "shop").exit_code == 2
    assert app.asked == []


def test_agents_prove_their_rights(screen: Terminal) -> None:
    assert screen.call(StandIn(agents_check=(FINE,)), "agent", "check", "shop").exit_code == 0
    result = screen.call(StandIn(agents_check=(BAD,)), "agent", "check", "shop", "--json")
    assert result.exit_code == 1
    assert len(document(result)["findings"]) == 1  # type: ignore[arg-type]


def test_a_right_configuration_is_said_to_be_right(screen: Terminal) -> None:
    result = screen.call(StandIn(), "config", "check")
    assert result.exit_code == 0
    assert "no errors; clusters shop, 2 servers" in result.stdout
    assert document(screen.call(StandIn(), "config", "check", "--json"))["errors"] == []


def test_a_wrong_configuration_is_told_whole(tmp_path: Path) -> None:
    screen = terminal(tmp_path, HEAD + SHOP + "    failover: {cooldown: 5, max_los: 1}\n")
    result = screen.call(StandIn(), "config", "check")
    assert result.exit_code == 2
    assert result.stderr.startswith("failoverd: the configuration has 2 errors\n")
    assert f"{tmp_path}/failoverd.yml:9: clusters.shop.failover.max_los: is not a known key" in result.stderr
    found = screen.call(StandIn(), "config", "check", "--json")
    assert found.exit_code == 2
    errors = document(found)["errors"]
    assert isinstance(errors, list)
    assert [(e["path"], e["line"]) for e in errors] == [
        ("clusters.shop.failover.cooldown", 9),
        ("clusters.shop.failover.max_los", 9),
    ]


@pytest.mark.parametrize("words", [("status",), ("run",), ("failover", "shop", "--yes"), ("config", "explain")])
def test_nothing_is_done_on_a_wrong_configuration(tmp_path: Path, words: tuple[str, ...]) -> None:
    app = StandIn()
    result = terminal(tmp_path, HEAD).call(app, *words)
    assert result.exit_code == 2
    assert "clusters: holds nothing" in result.stderr
    assert app.asked == []


def test_explaining_hides_secrets_and_what_is_only_inherited(screen: Terminal) -> None:
    result = screen.call(StandIn(), "config", "explain")
    assert "mysql.user" in result.stdout
    assert "servers[0].mysql.user" not in result.stdout
    values = document(screen.call(StandIn(), "config", "explain", "--json"))["values"]
    assert isinstance(values, list)
    assert "clusters.shop.servers[0].mysql.user" in {value["path"] for value in values}
    assert "canary" not in result.stdout + str(values)


def test_the_configuration_is_found_by_the_environment(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILOVERD_CONFIG", str(screen.folder / "none.yml"))
    from click.testing import CliRunner

    from failoverd.cli.session import Session

    result = CliRunner().invoke(main, ["config", "check"], obj=Session(lambda _: StandIn(), screen.clock, no_page))
    assert result.exit_code == 2
    assert "none.yml:1: there is no such file" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FailoverdError("what", "detail", "hint"), 1),
        (PlanRefused("refused", (Refusal("blind", "nobody else says so", "1", "2"),), "look"), 1),
        (CoordinationError("no ensemble"), 1),
    ],
)
def test_errors_are_one_text_and_one_document(screen: Terminal, error: FailoverdError, code: int) -> None:
    result = screen.call(StandIn(status=error), "status", "--json")
    assert result.exit_code == code
    assert document(result)["error"] == {"what": error.what, "detail": error.detail, "hint": error.hint}
    assert result.stderr.startswith(f"failoverd: {error.what}\n")
    assert "Traceback" not in result.stderr
    if isinstance(error, PlanRefused):
        assert document(result)["refusals"] == [
            {"id": "blind", "sentence": "nobody else says so", "measured": "1", "limit": "2"}
        ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_completion(screen: Terminal, shell: str) -> None:
    assert "_FAILOVERD_COMPLETE" in screen.call(StandIn(), "completion", shell).stdout


def commands(group: click.Group, path: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path}{name} ")
        else:
            found[f"{path}{name}"] = command
    return found


def test_every_command_of_ours_has_a_sentence_and_examples() -> None:
    ours = commands(main)
    assert len(ours) >= 40
    for name, command in ours.items():
        assert command.help, name
        assert all(option.help for option in command.params if isinstance(option, click.Option)), name
        assert f"failoverd {name.split()[0]}" in (command.epilog or "") or "completion" in name, name
