"""The schema: what deciding gets of it, whom names reach, the digest, and that every key has its sentence."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from failoverd.config.complaints import Wrong
from failoverd.config.kinds import patience_of
from failoverd.config.schema import ClusterConfig, Config, MysqldConfig, ServerConfig, ZookeeperAuth, ZookeeperTls
from failoverd.config.walk import dissect
from failoverd.model.errors import ConfigError
from failoverd.model.policy import (
    ClusterPolicy,
    CrashLoop,
    DetectionPolicy,
    FailoverPolicy,
    LongTransactions,
    Promote,
    Reaction,
    Reactions,
    ReplicationPolicy,
    ServerSpec,
    SiteGuard,
    SwitchoverPolicy,
)
from failoverd.model.sight import Endpoint
from failoverd.model.writing import WriteProbe
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

TUNED = """\
clusters:
  shop:
    servers:
      - {name: db1, host: h1, promote: never, site: a, maintenance: true, mysqld: {service: mysql, datadir: /data}}
      - {name: db2, host: h2, port: 3307}
      - {name: db3, host: h3}
    replication: {user: r, tls: required, connect_retry: 2s, retry_count: 7, heartbeat: 1s, net_timeout: 5s,
      tune: false}
    detection: {interval: 1s, timeout: 2s, misses: 4, crash_grace: 5s, shutdown_grace: 6s, hung_after: 7s,
      crash_loop: {restarts: 8, within: 9s}, write_probe: {table: a.b, every: 3s}}
    failover: {automatic: false, on: {dead: alert, frozen: alert, hung: failover, unfit: failover},
      cooldown: 0s, fencing: required, max_loss: any,
      salvage_timeout: 11s, drain_timeout: 12s, min_claimed: 2, fencing_timeout: 13s, kill_blockers: false,
      relax_durability: true}
    switchover: {freeze_budget: 500ms, attempts: 7, max_lag: 9s, max_threads_running: 11,
      long_transactions: kill-after 3s, max_load: "Threads_running=80,Threads_connected=500",
      critical_load: Threads_running=1000, throttle_query: SELECT hour(now()) < 3,
      preheat: [SELECT COUNT(*) FROM shop.orders]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def test_defaults_of_the_file_are_the_defaults_of_deciding(folder: Folder) -> None:
    policy = folder.load(HEAD + SHOP).config.policy("shop")
    specs = (ServerSpec("db1", Endpoint("10.0.0.1", 3306)), ServerSpec("db2", Endpoint("10.0.0.2", 3306)))
    assert policy == ClusterPolicy("shop", specs)


def test_every_key_reaches_deciding(folder: Folder) -> None:
    config = folder.load("manager: {site_guard: {clusters: 9, within: 8s}}\n" + HEAD + TUNED).config
    policy = config.policy("shop")
    assert policy.site_guard == SiteGuard(9, 8.0)
    assert config.access("shop", "db1").mysqld == MysqldConfig("/data", "mysql")
    assert policy.servers[0] == ServerSpec("db1", Endpoint("h1", 3306), Promote.NEVER, "a", True, "systemd:mysql")
    assert policy.servers[1] == ServerSpec("db2", Endpoint("h2", 3307))
    assert policy.detection == DetectionPolicy(1.0, 2.0, 4, 5.0, 6.0, 7.0, CrashLoop(8, 9.0), WriteProbe("a.b", 3.0))
    alert = Reactions(Reaction.ALERT, Reaction.ALERT, Reaction.FAILOVER, Reaction.FAILOVER)
    assert policy.failover == FailoverPolicy(False, alert, 0.0, "required", None, 11.0, 12.0, 2, 13.0, False, True)
    assert policy.switchover == SwitchoverPolicy(
        0.5,
        7,
        9.0,
        11,
        LongTransactions("kill-after", 3.0),
        (("Threads_running", 80), ("Threads_connected", 500)),
        (("Threads_running", 1000),),
        "SELECT hour(now()) < 3",
        ("SELECT COUNT(*) FROM shop.orders",),
    )
    assert policy.replication == ReplicationPolicy("r", "required", 2.0, 7, 1.0, 5.0, False)


def test_unknown_names_are_said_with_the_known_ones(folder: Folder) -> None:
    config = folder.load(HEAD + SHOP).config
    with pytest.raises(ConfigError, match=r"there is no cluster 'blog' .configured are shop"):
        config.policy("blog")
    with pytest.raises(ConfigError, match=r"cluster 'shop' has no server 'db9' .it has db1, db2"):
        config.access("shop", "db9")


def test_the_digest_tells_settings_apart_and_nothing_else(tmp_path: Path) -> None:
    def digest(place: str, head: str, clusters: str) -> str:
        (tmp_path / place).mkdir()
        return prepared(tmp_path / place).load(head + clusters).config.policy("shop").digest

    same = digest("a", HEAD, SHOP)
    assert digest("b", "manager: {name: other}\n" + HEAD + "agent: {install_user: x}\n", SHOP) == same
    assert digest("c", HEAD.replace("mysql.secret", "repl.secret"), SHOP) == same
    assert digest("d", HEAD, SHOP.replace("10.0.0.2", "10.0.0.3")) != same
    assert digest("e", HEAD.replace("mysql: {", "mysql: {user: x, "), SHOP) != same
    assert digest("f", HEAD, SHOP + "    failover: {cooldown: 2h}\n") != same


def test_a_section_written_at_another_level_is_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    above = prepared(tmp_path / "a").load(HEAD.replace("mysql: {", "mysql: {user: x, ") + SHOP)
    below = prepared(tmp_path / "b").load(HEAD + SHOP + "    mysql: {user: x}\n")
    assert above.config.policy("shop").digest == below.config.policy("shop").digest


def shapes() -> Iterator[type]:
    """Every section of the schema."""
    waiting: list[type] = [Config, ClusterConfig, ServerConfig, ZookeeperAuth, ZookeeperTls]
    seen: set[type] = set()
    while waiting:
        shape = waiting.pop()
        if shape in seen:
            continue
        seen.add(shape)
        yield shape
        for hint in typing.get_type_hints(shape, include_extras=True).values():
            inner, _, _ = dissect(hint)
            if isinstance(inner, type) and dataclasses.is_dataclass(inner):
                waiting.append(inner)


def test_every_key_has_a_kind_and_a_sentence() -> None:
    for shape in shapes():
        for name, hint in typing.get_type_hints(shape, include_extras=True).items():
            if typing.get_origin(hint) is typing.Annotated:
                _, kind, sentence = typing.get_args(hint)
                assert hasattr(kind, "read"), name
                assert sentence.endswith("."), name


@pytest.mark.parametrize("words", ["wait", "abort", "kill-after 500ms"])
def test_the_words_about_long_transactions(words: str) -> None:
    assert str(patience_of(words)) == words.replace("500ms", "0.5s")


@pytest.mark.parametrize("words", ["", "kill-after", "kill-after 5", "wait 5s", "abort now", "kill"])
def test_other_words_about_long_transactions_are_wrong(words: str) -> None:
    with pytest.raises(Wrong):
        patience_of(words)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("max_load: 80", "is no status variable with its limit"),
        ("critical_load: Threads_running>80", "is no status variable with its limit"),
        ("throttle_query: UPDATE t SET x = 1", "is not one SELECT"),
        ("throttle_query: SELECT 1; DROP TABLE t", "is not one SELECT"),
        ("preheat: [SELECT 1, DROP TABLE t]", "is not one SELECT"),
        ("throttle_query: SELECT RELEASE_ALL_LOCKS()", "does more than to read"),
        ("throttle_query: SELECT 1 INTO OUTFILE '/x'", "does more than to read"),
        ("throttle_query: SELECT 1 FROM t FOR UPDATE", "does more than to read"),
    ],
)
def test_a_limit_or_a_query_that_means_nothing_is_an_error(folder: Folder, setting: str, says: str) -> None:
    key = setting.partition(":")[0]
    (complaint,) = folder.complaints(HEAD + SHOP + f"    switchover:\n      {setting}\n")
    assert f"clusters.shop.switchover.{key}" in complaint
    assert says in complaint
