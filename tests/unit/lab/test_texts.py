"""What the lab writes for others to read: configurations of failoverd, mysqld and ZooKeeper."""

from __future__ import annotations

import yaml

from failoverd.lab import config_text, servers, zookeeper
from failoverd.lab.layout import Kind, Options, plan

LAYOUT = plan(Options(name="x", settings={"clusters": {"shop": {"failover": {"cooldown": "0s"}}}}), 3)


def test_each_manager_has_a_name_and_folders_of_its_own() -> None:
    documents = [config_text.document(LAYOUT, manager) for manager in (*LAYOUT.of_kind(Kind.MANAGER), None)]
    for key in ("name", "state_dir", "run_dir"):
        assert len({document["manager"][key] for document in documents}) == 3  # type: ignore[index]


def test_the_text_is_yaml_of_the_document() -> None:
    document = config_text.document(LAYOUT, None)
    assert yaml.safe_load(config_text.text(document)) == document
    assert "\n    servers:\n      - {" in config_text.text(document)


def test_settings_of_the_options_lie_over_what_the_lab_writes() -> None:
    cluster = config_text.document(LAYOUT, None)["clusters"]["shop"]  # type: ignore[index]
    assert cluster["failover"] == {"cooldown": "0s"}
    assert len(cluster["servers"]) == 3


def test_changes_reach_a_server_by_its_name() -> None:
    document = config_text.document(LAYOUT, None)
    changed = config_text.merged(document, {"clusters": {"shop": {"servers": {"db2": {"promote": "never"}}}}})
    listed = changed["clusters"]["shop"]["servers"]  # type: ignore[index]
    assert [server.get("promote") for server in listed] == [None, "never", None]
    assert listed[1]["host"] == "198.18.3.32"


def test_a_lab_without_zookeeper_names_none() -> None:
    assert "zookeeper" not in config_text.document(plan(Options(zookeepers=0), 0), None)
    assert config_text.document(LAYOUT, None)["zookeeper"]["hosts"] == ["198.18.3.21:2181"]  # type: ignore[index]


def test_servers_begin_read_only_durable_and_apart() -> None:
    first, second = (servers.settings(host, LAYOUT.options) for host in LAYOUT.servers[:2])
    assert first["super_read_only"] == "ON"
    assert (first["sync_binlog"], first["innodb_flush_log_at_trx_commit"]) == ("1", "1")
    assert first["server_id"] != second["server_id"]
    assert first["datadir"] != second["datadir"]
    assert "plugin_load_add" not in first
    quick = servers.settings(LAYOUT.servers[0], Options(durable=False, lossless=True))
    assert (quick["sync_binlog"], quick["innodb_flush_log_at_trx_commit"]) == ("0", "2")
    assert quick["rpl_semi_sync_source_wait_point"] == "AFTER_SYNC"


def test_the_option_file_has_one_line_for_each_setting() -> None:
    assert servers.configuration_text({"port": "3306", "log_bin": "b"}) == "[mysqld]\nport = 3306\nlog_bin = b\n"


def test_members_know_each_other_and_one_alone_runs_standalone() -> None:
    three = plan(Options(zookeepers=3), 0).of_kind(Kind.ZOOKEEPER)
    text = zookeeper.configuration_text(three[1], three)
    assert [line for line in text.splitlines() if line.startswith("server.")] == [
        "server.1=198.18.0.21:2888:3888",
        "server.2=198.18.0.22:2888:3888",
        "server.3=198.18.0.23:2888:3888",
    ]
    assert "server." not in zookeeper.configuration_text(three[0], three[:1])
    assert "tickTime=200\n" in text
