"""What one section's keys must say together: a table, each row with its sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from failoverd.config.schema import ClusterConfig, MysqlConfig, ReplicationConfig, ZookeeperTls
from failoverd.config.web import BASIC, NONE, PROXY, WebConfig


@dataclass(frozen=True, slots=True)
class Check:
    """A row: which section, which of its keys is complained about, when, and the words."""

    shape: type
    key: str
    broken: Callable[[Any], bool]
    sentence: str
    hint: str


CHECKS: Final = (
    Check(
        MysqlConfig,
        "tls",
        lambda s: s.tls == "verify" and s.ca_file is None,
        "'verify' needs a ca_file to verify against",
        "name the file with the certificate that signed the servers' ones",
    ),
    Check(
        ReplicationConfig,
        "tls",
        lambda s: s.tls.startswith("verify") and s.ca_file is None,
        "needs a ca_file to verify against: without one a replica connects to no source",
        "name the file, as it is called on every database host, with what signed the sources' certificates",
    ),
    Check(
        ReplicationConfig,
        "heartbeat",
        lambda s: s.heartbeat >= s.net_timeout,
        "is not below net_timeout: an idle connection would be given up before its first sign of life",
        "the default is heartbeat 500ms and net_timeout 10s",
    ),
    Check(
        ReplicationConfig,
        "password_file",
        lambda s: len(s.password_file.reveal()) > 32,
        "holds a password of more than the 32 characters that MySQL stores for replication",
        "give the replication account a shorter one",
    ),
    Check(
        ZookeeperTls,
        "cert_file",
        lambda s: (s.cert_file is None) != (s.key_file is None),
        "and key_file go together",
        "name both or none",
    ),
    Check(
        ClusterConfig,
        "failover.min_claimed",
        lambda s: s.failover.min_claimed != "majority" and s.failover.min_claimed >= len(s.servers),
        "is more than the servers that are left without the primary: no failover would ever be possible",
        "at most the number of servers less one, or majority",
    ),
    Check(
        ClusterConfig,
        "traffic.vip.address",
        lambda s: s.traffic.vip is not None and s.traffic.vip.address.partition("/")[0] in {m.host for m in s.servers},
        "is the address of one of the servers: moving it would cut that server off",
        "take an address of the same network that nobody has",
    ),
    Check(
        ClusterConfig,
        "drills.allowed",
        lambda s: s.drills.allowed and not (s.drills.user and s.drills.password_file),
        "needs a client's account to write with",
        "name drills.user and drills.password_file: an account with all rights on drills.database",
    ),
    Check(
        ClusterConfig,
        "semi_sync.wait_count",
        lambda s: s.durability == "lossless" and s.semi_sync.wait_count >= len(s.servers),
        "is more than the servers that could acknowledge: every commit would wait for ever",
        "at most the number of servers less one; less still, if commits are to go on when a replica fails",
    ),
    Check(
        WebConfig,
        "listen",
        lambda s: s.login == NONE and not s.loopback,
        "is reached from other hosts, and anybody there would see addresses and operations: there is no login",
        "listen on 127.0.0.1, or set web.login to proxy or basic",
    ),
    Check(
        WebConfig,
        "login",
        lambda s: s.login == BASIC and s.tls is None and not s.loopback,
        "'basic' without tls would send passwords over the network as they are",
        "name web.tls.cert_file and key_file, or listen on 127.0.0.1",
    ),
    Check(
        WebConfig,
        "login",
        lambda s: s.login == BASIC and s.password_file is None,
        "'basic' needs a password_file",
        "failoverd web --password USER prints its lines",
    ),
    Check(
        WebConfig,
        "login",
        lambda s: s.login == PROXY and not s.trusted_proxies,
        "'proxy' needs trusted_proxies: whoever may say who looks",
        "trusted_proxies: [127.0.0.1]",
    ),
    Check(
        WebConfig,
        "actions",
        lambda s: bool(s.actions) and s.login == NONE,
        "need a login: nobody would know who asked",
        "set web.login to proxy or basic",
    ),
)
