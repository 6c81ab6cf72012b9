"""The small HTTP server, and what Prometheus reads: real sockets, no timing."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.drivers.http import HttpServer
from failoverd.drivers.metrics import METRICS, SCORE, exposition, journal, last
from failoverd.service.answers import responder
from failoverd.service.board import Board
from tests.contract.coordination_worlds import until
from tests.fakes.whole import CLUSTER, Whole

PAGE = Path(__file__).parents[3] / "docs/metrics.md"


def respond(target: str, state: str) -> tuple[int, str, bytes]:
    return 503 if target == "/no" else 200, "text/plain", f"{target} {state}".encode()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    made = HttpServer("127.0.0.1:0", respond, print)
    made.start()
    until(lambda: made.port != 0, "a port")
    yield made
    made.close()


def ask(server: HttpServer, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    request.add_header("X-Haproxy-Server-State", "UP")
    try:
        with urllib.request.urlopen(request, timeout=20) as told:
            return told.status, told.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_what_it_is_told_to(server: HttpServer) -> None:
    assert ask(server, "/a?b=c") == (200, "/a?b=c UP")
    assert ask(server, "/no") == (503, "/no UP")
    assert ask(server, "/a", "HEAD") == (200, "")
    assert ask(server, "/a", "OPTIONS") == (200, "/a UP")
    assert ask(server, "/a", "POST")[0] == 501


def test_a_client_that_says_nothing_holds_nobody_up(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20):
        assert ask(server, "/a")[0] == 200


def test_an_address_in_use_is_told_and_the_manager_goes_on(server: HttpServer) -> None:
    told: list[str] = []
    second = HttpServer(f"127.0.0.1:{server.port}", respond, told.append)
    second.start()
    until(lambda: bool(told), "its word")
    assert "in use" in told[0]
    assert second.port == 0
    second.close()
    assert ask(server, "/a")[0] == 200


def test_nowhere_is_served_where_nobody_wants_it() -> None:
    nowhere = HttpServer(None, respond, print)
    nowhere.start()
    assert nowhere.port == 0
    nowhere.close()


def scraped(victim: str) -> list[str]:
    whole = Whole()
    board = Board(whole.clock, (CLUSTER, "blog"), lambda *_: None)
    manager = whole.manager()
    manager.published._keep = board.keep
    manager.turns(4)
    whole.mysqlds[victim].kill()
    manager.turns(20)
    status, kind, body = responder(board, exposition)("/metrics", "")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    return body.decode().splitlines()


def value(lines: list[str], name: str) -> float:
    """The one sample of that metric."""
    (found,) = (line for line in lines if line.startswith(f"{name}{{"))
    return float(found.rpartition(" ")[2])


def test_prometheus_reads_what_the_last_operation_cost() -> None:
    lines = scraped("db1")
    assert 'failoverd_last_operation_lost_transactions{cluster="shop",kind="failover",outcome="done"} 0.0' in lines
    assert 0 <= value(lines, "failoverd_last_operation_outage_seconds") < 60
    assert value(lines, "failoverd_last_operation_timestamp_seconds") > 1_800_000_000


def test_a_later_operation_of_another_kind_hides_no_failover() -> None:
    operations = [
        {"kind": "failover", "outcome": "done", "outage_seconds": 0.25, "lost": {"transactions": 3}},
        {"kind": "rejoin", "outcome": "done", "outage_seconds": None, "lost": {"transactions": 0}},
    ]
    lost = last(lambda o: o["lost"]["transactions"])({"name": "shop", "last_operations": operations})
    outage = last(lambda o: o["outage_seconds"])({"name": "shop", "last_operations": operations})
    assert list(lost) == [(("shop", "failover", "done"), 3.0), (("shop", "rejoin", "done"), 0.0)]
    assert list(outage) == [(("shop", "failover", "done"), 0.25)]


def test_prometheus_reads_numbers_of_clusters_and_servers() -> None:
    lines = scraped("db3")
    assert 'failoverd_ready{cluster="shop"} 1.0' in lines
    assert 'failoverd_journal_writable{cluster="shop"} 1.0' in lines
    assert 'failoverd_active{cluster="shop",manager="m1"} 1.0' in lines
    assert 'failoverd_server_waiting_transactions{cluster="shop",server="db2"} 0.0' in lines
    assert value(lines, "failoverd_healthy_age_seconds") <= 5.0
    assert not [line for line in lines if "last_operation" in line and not line.startswith("#")]
    assert 'failoverd_healthy{cluster="shop"} 1.0' in lines
    assert 'failoverd_verdict{cluster="shop",verdict="healthy"} 1.0' in lines
    assert 'failoverd_server_writable{cluster="shop",server="db1"} 1.0' in lines
    assert 'failoverd_server_writable{cluster="shop",server="db2"} 0.0' in lines
    assert 'failoverd_server_up{cluster="shop",server="db3"} 0.0' in lines
    for metric in ("writable", "probe_seconds"):
        assert not [line for line in lines if line.startswith(f"failoverd_server_{metric}") and "db3" in line]
    assert 'failoverd_server_probe_seconds{cluster="shop",server="db2"} 0.0' in lines


@pytest.mark.parametrize(
    ("coordination", "refused", "found"),
    [("ok", [], True), ("ok", ["cooldown", "journal-unwritable"], False), ("local", [], True), ("lost", [], None)],
)
def test_whether_the_journal_takes_records(coordination: str, refused: list[str], found: bool | None) -> None:
    said = {"coordination": coordination, "refusals": [{"id": name} for name in refused]}
    assert journal(said) is found


def test_every_metric_is_documented_and_no_other() -> None:
    named = set(re.findall(r"^\| `(failoverd_\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {SCORE, *(metric.name for metric in METRICS)}
