"""Loading: what is read, what is inherited, and every complaint with path, line and hint, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.config.complaints import ConfigErrors
from failoverd.config.load import load, read
from failoverd.model.errors import ConfigError
from failoverd.model.policy import Promote
from failoverd.model.sight import Endpoint
from tests.unit.config.folder import HEAD, SHOP, Folder, prepared

LONG = "abcdefghijklmnopqrstuvwxyz-012345"
SAMPLE = Path(__file__).parents[3] / "conf/failoverd.yml"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return prepared(tmp_path)


def test_a_small_file_gets_every_default(folder: Folder) -> None:
    config = folder.load(HEAD + SHOP).config
    assert config.zookeeper is None
    assert [s.name for s in config.clusters["shop"].servers] == ["db1", "db2"]
    assert config.access("shop", "db2").endpoint == Endpoint("10.0.0.2", 3306)
    assert config.clusters["shop"].detection.interval == 0.5
    assert config.clusters["shop"].failover.cooldown == 3600.0
    assert config.access("shop", "db1").mysql.password_file.reveal() == "m-canary"
    assert config.access("shop", "db1").replication.password_file.reveal() == "r-canary"
    assert config.access("shop", "db1").hold == "guard"


def test_the_sample_complains_only_about_files_that_are_not_here() -> None:
    with pytest.raises(ConfigErrors) as raised:
        read(SAMPLE)
    assert {c.path for c in raised.value.complaints} == {
        "mysql.password_file",
        "replication.password_file",
        "ssh.key_file",
        "ssh.known_hosts",
    }
    assert all("No such file" in c.sentence for c in raised.value.complaints)


def test_every_section_of_the_sample_is_read(folder: Folder) -> None:
    config = folder.load(
        SAMPLE.read_text().replace("/etc/failoverd/", f"{folder.path}/").replace("id_ed25519", "id")
    ).config
    assert config.zookeeper is not None
    assert config.zookeeper.hosts == ("zk1:2181", "zk2:2181", "zk3:2181")
    assert config.manager.name == "mgr1"
    shop = config.clusters["shop"]
    assert [s.promote for s in shop.servers] == [Promote.NORMAL, Promote.PREFER, Promote.NORMAL]
    third = config.access("shop", "db3")
    assert (third.endpoint.port, third.ssh.port, third.hold) == (3307, 2222, "systemd:mysql.service")


def test_how_to_log_in_to_zookeeper_is_read(folder: Folder) -> None:
    text = """\
zookeeper:
  hosts: ["zk1:2181", "[::1]:2182"]
  auth: {scheme: digest, username: fo, password_file: repl.secret}
  tls: {ca_file: known_hosts, cert_file: known_hosts, key_file: id}
"""
    zookeeper = folder.load(HEAD + text + SHOP).config.zookeeper
    assert zookeeper is not None
    assert zookeeper.auth is not None
    assert zookeeper.tls is not None
    assert zookeeper.hosts == ("zk1:2181", "[::1]:2182")
    assert (zookeeper.auth.scheme, zookeeper.auth.username) == ("digest", "fo")
    assert zookeeper.auth.password_file.reveal() == "r-canary"
    known, key = folder.path / "known_hosts", folder.path / "id"
    assert (zookeeper.tls.ca_file, zookeeper.tls.cert_file, zookeeper.tls.key_file) == (known, known, key)


def test_a_server_overrides_its_cluster_and_a_cluster_the_top(folder: Folder) -> None:
    config = folder.load(
        HEAD.replace("mysql: {", "mysql: {user: top, port: 1111, ")
        + """
clusters:
  shop:
    mysql: {user: middle, admin_port: 33062}
    servers:
      - {name: db1, host: a}
      - {name: db2, host: b, mysql: {user: low, port: 2222}}
      - {name: db3, host: c, port: 3333}
"""
    ).config
    access = [config.access("shop", name) for name in ("db1", "db2", "db3")]
    assert [(a.mysql.user, a.endpoint.port, a.mysql.admin_port) for a in access] == [
        ("middle", 1111, 33062),
        ("low", 2222, 33062),
        ("middle", 3333, 33062),
    ]


def test_a_default_file_is_missed_only_where_a_server_needs_it(folder: Folder) -> None:
    own = HEAD.replace("}\n", "}, ").removesuffix(", ")
    assert folder.complaints(f"clusters: {{shop: {{{own}, servers: [{{name: db1, host: a}}]}}}}\n") == []
    missed = folder.complaints("clusters: {shop: {servers: [{name: db1, host: a}, {name: db2, host: b}]}}\n")
    assert len(missed) == 4
    assert missed[0].startswith("1 mysql.password_file: /etc/failoverd/mysql.secret: No such file")


def test_clusters_beside_the_file_are_merged(folder: Folder) -> None:
    folder.put("clusters.d/b.yml", "clusters:\n  blog:\n    servers: [{name: x, host: h}]\n")
    loaded = folder.load(HEAD + SHOP)
    assert list(loaded.config.clusters) == ["shop", "blog"]
    assert loaded.config.access("blog", "x").mysql.password_file.reveal() == "m-canary"


def test_a_file_of_clusters_alone_is_enough(folder: Folder) -> None:
    folder.put("clusters.d/b.yml", "clusters:\n  blog:\n    servers: [{name: x, host: h}]\n")
    assert list(folder.load(HEAD).config.clusters) == ["blog"]


def test_a_cluster_given_twice_and_other_sections_beside_are_errors(folder: Folder) -> None:
    folder.put("clusters.d/b.yml", "mysql: {user: x}\nclusters:\n  shop:\n    servers: [{name: x, host: h}]\n")
    assert folder.complaints(HEAD + SHOP) == [
        "clusters.d/b.yml:1 mysql: may not stand here (only clusters with its sections may)",
        "clusters.d/b.yml:3 clusters.shop: stands here a second time (the first is at failoverd.yml:5)",
    ]


def test_a_broken_file_of_clusters_is_told_with_the_rest(folder: Folder) -> None:
    folder.put("clusters.d/b.yml", "clusters: {")
    folder.put("clusters.d/c.yaml", "clusters: {}")
    found = folder.complaints("manager: {nam: x}\n" + HEAD + SHOP)
    assert [line.partition(" is not")[0] for line in found] == [
        "clusters.d/b.yml:1",
        "clusters.d/c.yaml:1",
        "1 manager.nam:",
    ]


def test_clusters_must_be_sections(folder: Folder) -> None:
    assert folder.complaints(HEAD + "clusters: [shop]\n") == ["4 clusters: is a list instead of sections with names"]


def test_paths_start_beside_the_file_that_names_them(folder: Folder) -> None:
    folder.put("clusters.d/own.secret", "other\n")
    folder.put(
        "clusters.d/b.yml", "clusters: {blog: {mysql: {password_file: own.secret}, servers: [{name: x, host: h}]}}\n"
    )
    assert folder.load(HEAD + SHOP).config.access("blog", "x").mysql.password_file.reveal() == "other"


WRONG = [
    ("unknown key", "manager: {nam: x}", "4 manager.nam: is not a known key (did you mean name?)"),
    ("unknown section", "zokeeper: {}", "4 zokeeper: is not a known key (did you mean zookeeper?)"),
    ("key of later work", "manager: {web: x}", "4 manager.web: is not a known key (known here: "),
    ("key twice", "manager: {name: a, name: b}", "4 manager.name: stands here a second time (the first is at "),
    (
        "number without unit",
        "zookeeper: {hosts: ['a:1'], session_timeout: 6}",
        "4 zookeeper.session_timeout: '6' is not",
    ),
    ("no such unit", "zookeeper: {hosts: ['a:1'], session_timeout: 6w}", "4 zookeeper.session_timeout: '6w' is not"),
    (
        "too long",
        "zookeeper: {hosts: ['a:1'], session_timeout: 1h}",
        "4 zookeeper.session_timeout: 1h is outside 400ms",
    ),
    ("no list", "zookeeper: {hosts: zk1}", "4 zookeeper.hosts: is 'zk1' instead of a list"),
    ("empty list", "zookeeper: {hosts: []}", "4 zookeeper.hosts: is an empty list (it needs"),
    ("missing key", "zookeeper: {root: /f}", "4 zookeeper.hosts: is missing"),
    ("member without port", "zookeeper: {hosts: [zk1]}", "4 zookeeper.hosts[0]: 'zk1' is not HOST:PORT"),
    ("relative root", "zookeeper: {hosts: ['a:1'], root: f}", "4 zookeeper.root: 'f' is not a path like"),
    (
        "half a certificate",
        "zookeeper: {hosts: ['a:1'], tls: {ca_file: id, cert_file: id}}",
        "4 zookeeper.tls.cert_file: and",
    ),
    ("section as a word", "manager: mgr1", "4 manager: is 'mgr1' instead of a section with keys"),
    ("empty section", "manager:", "4 manager: is empty instead of a section with keys"),
    ("section as a list", "manager: [a]", "4 manager: is a list instead of a section with keys"),
    ("list as a value", "manager: {name: [a]}", "4 manager.name: is a list instead of a single value"),
    ("bad name", "manager: {name: a/b}", "4 manager.name: 'a/b' is not a name"),
    ("name that climbs", "manager: {name: ..}", "4 manager.name: '..' is not a name"),
    ("nameless folder", "manager: {state_dir: null}", "4 manager.state_dir: a folder must be named"),
    (
        "nameless file",
        "zookeeper: {hosts: ['a:1'], tls: {ca_file: null}}",
        "4 zookeeper.tls.ca_file: a file must be named",
    ),
    (
        "nameless secret",
        "zookeeper: {hosts: ['a:1'], auth: {username: a, password_file: null}}",
        "4 zookeeper.auth.password_file: a place for the password must be named",
    ),
    ("long account", f"agent: {{install_user: {'u' * 33}}}", f"4 agent.install_user: '{'u' * 33}' is longer than 32"),
    ("no such level", "manager: {log_level: loud}", "4 manager.log_level: 'loud' is not one of debug"),
    ("folder is a file", "manager: {state_dir: id}", "4 manager.state_dir: id is not a folder"),
]


@pytest.mark.parametrize(("lines", "complaint"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_wrong_section_is_named_with_line_and_reason(folder: Folder, lines: str, complaint: str) -> None:
    [found] = folder.complaints(f"{HEAD}{lines}\n{SHOP}")
    assert found.startswith(complaint)


WRONG_CLUSTER = [
    ("no server", "servers: []", "clusters.shop.servers: is an empty list"),
    ("no servers", "detection: {}", "clusters.shop.servers: is missing"),
    ("no host", "servers: [{name: a}]", "clusters.shop.servers[0].host: is missing"),
    ("no name", "servers: [{host: a}]", "clusters.shop.servers[0].name: is missing"),
    ("bad host", "servers: [{name: a, host: 'a b'}]", "clusters.shop.servers[0].host: 'a b' is not a host"),
    ("host as option", "servers: [{name: a, host: -oX}]", "clusters.shop.servers[0].host: '-oX' is not a host"),
    ("port zero", "servers: [{name: a, host: b, port: 0}]", "clusters.shop.servers[0].port: 0 is outside"),
    ("port in quotes", "servers: [{name: a, host: b, port: '1'}]", "clusters.shop.servers[0].port: '1' is not a whole"),
    ("port with a point", "servers: [{name: a, host: b, port: 1.5}]", "clusters.shop.servers[0].port: '1.5' is not a"),
    (
        "port that looks octal",
        "servers: [{name: a, host: b, port: 010}]",
        "clusters.shop.servers[0].port: '010' is not a whole number",
    ),
    (
        "no such wish",
        "servers: [{name: a, host: b, promote: maybe}]",
        "clusters.shop.servers[0].promote: 'maybe' is not",
    ),
    (
        "yes in quotes",
        "servers: [{name: a, host: b, maintenance: 'yes'}]",
        "clusters.shop.servers[0].maintenance: 'yes' is",
    ),
    (
        "relative datadir",
        "servers: [{name: a, host: b, mysqld: {datadir: x}}]",
        "clusters.shop.servers[0].mysqld.datadir: ",
    ),
    ("server as a word", "servers: [db1]", "clusters.shop.servers[0]: is 'db1' instead of a section"),
    (
        "no such loss",
        "servers: [{name: a, host: b}], failover: {max_loss: some}",
        "clusters.shop.failover.max_loss: 'some' is",
    ),
    (
        "negative loss",
        "servers: [{name: a, host: b}], failover: {max_loss: -1}",
        "clusters.shop.failover.max_loss: -1 is",
    ),
    (
        "too many claims",
        "servers: [{name: a, host: b}], failover: {min_claimed: 1}",
        "clusters.shop.failover.min_claimed: is",
    ),
    (
        "later verdict",
        "servers: [{name: a, host: b}], failover: {on: {suspect: alert}}",
        "clusters.shop.failover.on.suspect: is not",
    ),
    (
        "drills without a client",
        "servers: [{name: a, host: b}], drills: {allowed: true}",
        "clusters.shop.drills.allowed: needs a client's account to write with",
    ),
    (
        "unknown way back",
        "servers: [{name: a, host: b}], rejoin: copy",
        "clusters.shop.rejoin: 'copy' is",
    ),
    (
        "half lossless",
        "servers: [{name: a, host: b}, {name: c, host: d}], durability: mostly",
        "clusters.shop.durability: 'mostly' is",
    ),
    (
        "too many acknowledgers",
        "servers: [{name: a, host: b}, {name: c, host: d}], durability: lossless, semi_sync: {wait_count: 2}",
        "clusters.shop.semi_sync.wait_count: is",
    ),
    (
        "half a second",
        "servers: [{name: a, host: b, replication: {net_timeout: 1500ms}}]",
        "clusters.shop.servers[0].replication.net_timeout: 1500ms is not a whole number of seconds",
    ),
    (
        "late heartbeat",
        "servers: [{name: a, host: b}], replication: {heartbeat: 10s}",
        "clusters.shop.replication.heartbeat: is not below net_timeout",
    ),
    (
        "nothing to verify with",
        "servers: [{name: a, host: b}], mysql: {tls: verify}",
        "clusters.shop.mysql.tls: 'verify' needs a ca_file",
    ),
    (
        "nothing that a replica verifies with",
        "servers: [{name: a, host: b}], replication: {tls: verify-identity}",
        "clusters.shop.replication.tls: needs a ca_file to verify against",
    ),
]


@pytest.mark.parametrize(("keys", "complaint"), [w[1:] for w in WRONG_CLUSTER], ids=[w[0] for w in WRONG_CLUSTER])
def test_a_wrong_cluster_is_named_with_line_and_reason(folder: Folder, keys: str, complaint: str) -> None:
    [found] = folder.complaints(f"{HEAD}clusters: {{shop: {{{keys}}}}}\n")
    assert found.startswith(f"4 {complaint}")


def test_servers_and_clusters_must_be_told_apart(folder: Folder) -> None:
    found = folder.complaints(
        HEAD
        + """\
clusters:
  shop:
    servers:
      - {name: db1, host: h1}
      - {name: DB1, host: h2}
      - {name: db3, host: H1}
  Shop:
    servers: [{name: db1, host: h2, port: 3306}]
  abcdefghijklmnopqrstuvwxyz-012345:
    servers: [{name: db1, host: h9}]
"""
    )
    assert [line.partition(" (")[0] for line in found] == [
        "8 clusters.shop.servers[1].name: the name 'DB1' is given twice",
        "9 clusters.shop.servers[2].host: H1:3306 is listed twice",
        "10 clusters.Shop: differs from 'shop' only by case",
        "11 clusters.Shop.servers[0].host: h2:3306 is listed twice",
        f"12 clusters.{LONG}: '{LONG}' is longer than 32 characters",
    ]


def test_one_host_may_carry_two_servers_on_two_ports(folder: Folder) -> None:
    assert (
        folder.complaints(HEAD + "clusters: {s: {servers: [{name: a, host: h}, {name: b, host: h, port: 1}]}}\n") == []
    )


def test_all_errors_are_told_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    found = folder.complaints(
        "manager: {nam: x}\n" + HEAD.replace("id,", "nokey,") + "clusters: {shop: {servers: [{name: a}]}}\n"
    )
    assert [line.split(":")[0] for line in found] == [
        "1 manager.nam",
        "4 ssh.key_file",
        "5 clusters.shop.servers[0].host",
    ]


def test_verify_with_a_certificate_further_up_or_down_is_right(folder: Folder) -> None:
    top = HEAD.replace("mysql: {", "mysql: {tls: verify, ")
    below = "clusters: {shop: {servers: [{name: a, host: b, mysql: {ca_file: known_hosts}}]}}\n"
    assert folder.complaints(top + below) == []
    [found] = folder.complaints(top + SHOP)
    assert found.startswith("1 mysql.tls: 'verify' needs a ca_file")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mysql: {a\n  b", "is not YAML: "),
        ("\tmysql: 1", "is not YAML: "),
        ("a: &x [*x]", "an alias contains itself"),
        ("? [a]\n: b", "a key must be plain text"),
        ("- a", "is a list instead of sections with keys"),
        ("word", "is 'word' instead of sections with keys"),
        ("!!python/object/apply:os.system ['x']", "is a list instead of sections with keys"),
        ("", "clusters: holds nothing"),
    ],
    ids=["open brace", "tab", "alias in itself", "list as key", "list", "word", "code", "empty"],
)
def test_what_is_no_configuration_is_said_to_be_none(folder: Folder, text: str, complaint: str) -> None:
    [found] = folder.complaints(text)
    assert complaint in found


def test_aliases_and_merged_text_stay_text(folder: Folder) -> None:
    loaded = folder.load(
        HEAD + "clusters: {s: {servers: [{name: '08', host: off, site: yes}, {name: on, host: '1'}]}}\n"
    )
    first, second = loaded.config.clusters["s"].servers
    assert (first.name, first.host, first.site, second.name) == ("08", "off", "yes", "on")


def test_a_heap_of_aliases_is_read_once(folder: Folder) -> None:
    heap = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    found = folder.complaints(f"a0: &a0 [x]\n{heap}{HEAD}{SHOP}")
    assert len(found) == 30


def test_off_is_a_word_where_a_word_is_wanted(folder: Folder) -> None:
    loaded = folder.load(HEAD.replace("mysql: {", "mysql: {tls: off, ") + SHOP)
    assert loaded.config.mysql.tls == "off"


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yml:1: there is no such file"):
        load(tmp_path / "none.yml")


def test_a_file_that_is_no_text_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "failoverd.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "failoverd.yml")
