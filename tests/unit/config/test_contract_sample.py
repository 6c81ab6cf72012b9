"""The configuration that people are promised, every key of it written out: it is read as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

WHOLE = """\
manager:
  name: mgr1
  state_dir: /var/lib/failoverd
  run_dir: /run/failoverd
  listen: "127.0.0.1:8008"
  log_level: info
  site_guard: {clusters: 3, within: 60s}
zookeeper:
  hosts: ["zk1:2181", "zk2:2181", "zk3:2181"]
  root: /failoverd
  session_timeout: 6s
  auth: {scheme: digest, username: failoverd, password_file: zk.secret}
  tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: id}
mysql: {user: failoverd, password_file: mysql.secret, port: 3306, admin_port: null, tls: preferred}
replication:
  {user: repl, password_file: repl.secret, tls: preferred, connect_retry: 1s, retry_count: 100000, heartbeat: 500ms,
   net_timeout: 10s, tune: true}
ssh: {user: failoverd-agent, port: 22, key_file: id, known_hosts: known_hosts}
agent: {dir: /var/lib/failoverd-agent, install_user: root, install_key_file: null}
clusters:
  shop:
    servers:
      - {name: db1, host: 10.0.0.1}
      - {name: db2, host: 10.0.0.2, promote: prefer}
      - {name: db3, host: 10.0.0.3, port: 3307, site: b, maintenance: false, ssh: {port: 2222},
         mysqld: {datadir: null, service: null, stop_command: null}}
    durability: async
    semi_sync: {wait_count: 1, on_no_ackers: wait}
    detection:
      {interval: 500ms, timeout: 500ms, misses: 3, crash_grace: 0s, shutdown_grace: 15s, hung_after: 30s,
       write_probe: null}
    failover:
      automatic: true
      on: {dead: failover, frozen: failover, hung: alert, unfit: alert}
      cooldown: 1h
      fencing: best-effort
      max_loss: 0
      salvage_timeout: 30s
      drain_timeout: 60s
      min_claimed: majority
      fencing_timeout: 3s
      relax_durability: false
      kill_blockers: true
      allow_site_change: true
    switchover: {freeze_budget: 2s, attempts: 3, max_lag: 5s, max_threads_running: 200, long_transactions: wait}
    rejoin: clean-only
    traffic:
      vip: {address: 10.0.0.100/24, interface: eth0}
      haproxy: {sockets: ["10.0.0.5:9999"], backend: shop}
    hooks_dir: hooks.d
    drills: {allowed: false, window: "Sun 02:00-04:00", timezone: Europe/Berlin, faults: [kill, freeze]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = prepared(tmp_path)
    for name in ("zk.secret", "ca.pem", "cert.pem"):
        found.put(name, "x\n")
    (tmp_path / "hooks.d").mkdir()
    return found


def test_every_promised_key_is_read(folder: Folder) -> None:
    assert folder.complaints(WHOLE) == []
    policy = folder.load(WHOLE).config.policy("shop")
    assert policy.failover.allow_site_change
    assert policy.detection.write_probe is None


def test_a_section_that_may_be_left_out_may_be_null(folder: Folder) -> None:
    assert folder.load(f"zookeeper: null\n{HEAD}{SHOP}").config.zookeeper is None


def test_no_command_is_run_to_stop_a_server(folder: Folder) -> None:
    wrong = WHOLE.replace("stop_command: null", "stop_command: /usr/local/bin/stop-it")
    (complaint,) = folder.complaints(wrong)
    assert "clusters.shop.servers[2].mysqld.stop_command" in complaint
    assert "name its unit in mysqld.service" in complaint


def test_the_primary_may_be_kept_on_its_site(folder: Folder) -> None:
    kept = WHOLE.replace("allow_site_change: true", "allow_site_change: false")
    assert not folder.load(kept).config.policy("shop").failover.allow_site_change
