"""Every parameter of MHA 0.58 and what becomes of it here: the table behind `import-mha` and docs/from-mha.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fate(StrEnum):
    """What becomes of a parameter."""

    MAPPED = "mapped"
    NOT_NEEDED = "not needed"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `key` is ours, empty where nothing of it is written."""

    name: str
    fate: Fate
    key: str
    sentence: str


def _mapped(name: str, key: str, sentence: str) -> Parameter:
    return Parameter(name, Fate.MAPPED, key, sentence)


def _unneeded(name: str, sentence: str) -> Parameter:
    return Parameter(name, Fate.NOT_NEEDED, "", sentence)


def _by_hand(name: str, key: str, sentence: str) -> Parameter:
    return Parameter(name, Fate.BY_HAND, key, sentence)


PARAMETERS: Final = (
    _mapped("hostname", "servers[].host", "the address of the server, and its name here up to the first dot"),
    _mapped("ip", "servers[].host", "wins over hostname as the address; the name still comes from hostname"),
    _mapped("port", "servers[].port", "the server's port"),
    _by_hand("ssh_host", "", "the agent is reached at the server's own address; another one needs another host entry"),
    _by_hand("ssh_ip", "", "the agent is reached at the server's own address; another one needs another host entry"),
    _mapped("ssh_port", "servers[].ssh.port", "the port of that host's sshd"),
    _unneeded("ssh_connection_timeout", "channels to the agents are open before anything happens"),
    _by_hand("ssh_options", "ssh", "no options reach ssh; key_file and known_hosts are keys of their own"),
    _mapped("ssh_user", "ssh.user", "needs no rights of its own: the agent's forced command has the one door it needs"),
    _mapped(
        "user", "mysql.user", "`failoverd check --grants` prints what the account needs; it is less than everything"
    ),
    _by_hand("password", "mysql.password_file", "write it into that file (mode 0600); it is never copied for you"),
    _mapped("repl_user", "replication.user", "the account that replicas log in with"),
    _by_hand("repl_password", "replication.password_file", "write it into that file (mode 0600); never copied for you"),
    _mapped("candidate_master", "servers[].promote", "1 is `prefer`; among several the most advanced one wins"),
    _mapped("no_master", "servers[].promote", "1 is `never`: it still gives the transactions that only it has"),
    _unneeded("ignore_fail", "a dead or broken replica never stops a failover; it is reported"),
    _unneeded("skip_init_ssh_check", "hosts need no way to each other; an agent that is away is a finding of `check`"),
    _unneeded("skip_reset_slave", "the new primary is always freed from its old source, or a restart leads it back"),
    _unneeded("check_repl_delay", "a lagging replica is brought what it misses, so it need not be excluded"),
    _unneeded("check_repl_filter", "filters are read and shown by `check`, and kept where transactions are brought"),
    _unneeded("latest_priority", "whoever is promoted has everything first, so the order need not decide about losses"),
    _unneeded("multi_tier_slave", "chains are read, shown and kept"),
    _unneeded("use_gtid_auto_pos", "GTIDs are required: gtid_mode=ON everywhere and SOURCE_AUTO_POSITION=1"),
    _unneeded("ping_interval", "detection.interval stays 500ms; a failover rests on evidence, not on counted pings"),
    _by_hand(
        "ping_type", "detection", "SELECT and CONNECT are both done; INSERT has no counterpart: nothing is written"
    ),
    _unneeded("secondary_check_script", "replicas and agents testify themselves, over their own way to the primary"),
    _by_hand("master_ip_failover_script", "traffic", "an address moves by traffic.vip, a proxy by traffic.haproxy"),
    _by_hand("master_ip_online_change_script", "traffic", "the same section serves planned changes"),
    _by_hand("shutdown_script", "failover.fencing", "the agent holds and kills the old mysqld; power needs a hook"),
    _by_hand("report_script", "", "every operation ends in a report: `ops show --json`; sending it needs a hook"),
    _by_hand(
        "init_conf_load_script", "mysql.password_file", "secrets come from files, ${env:NAME} or ${credential:NAME}"
    ),
    _unneeded("master_pid_file", "the agent finds the process that holds the data directory"),
    _unneeded(
        "master_binlog_dir", "the agent asks the server where its logs are, and remembers it for when it is dead"
    ),
    _unneeded("remote_workdir", "the agent works in agent.dir and in the server's own folders"),
    _unneeded("manager_workdir", "manager.state_dir has its own default; nothing in it decides whether one may act"),
    _unneeded("manager_log", "the log goes to standard error, so to the journal under systemd"),
    _mapped("log_level", "manager.log_level", "the same words"),
    _unneeded("handle_raw_binlog", "log files are always read raw"),
    _unneeded("disable_log_bin", "GTIDs are kept, and the binary log of the new primary has everything"),
    _unneeded("client_bindir", "no client programs are called"),
    _unneeded("client_libdir", "no client programs are called"),
    _unneeded("node_label", "servers are shown by their names"),
)
