"""`failoverd lab`: a whole cluster on this machine, for trying things out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from failoverd.cli.session import Session, examples, json_option
from failoverd.drivers.mysql.local import query_with_names
from failoverd.lab import Lab, Options
from failoverd.model.counted import counted
from failoverd.model.errors import ConfigError

_NAME = click.option("--name", default="lab", show_default=True, help="Which lab.")
_ONE_WAY = click.option("--one-way", is_flag=True, help="Only from the first host to the second.")


@click.group("lab")
def lab() -> None:
    """Bring a whole cluster up on this machine, break it, take it down."""


@lab.command(epilog=examples("lab up", "lab up --name two --replicas 3 --zookeepers 3 --lossless", "lab up --switch"))
@_NAME
@click.option("--replicas", default=2, show_default=True, help="Replicas beside the primary.")
@click.option("--zookeepers", default=1, show_default=True, help="ZooKeeper members: 0, 1, 3 or 5.")
@click.option("--managers", default=2, show_default=True, help="Hosts for managers.")
@click.option("--lossless", is_flag=True, help="Semi-sync from the start.")
@click.option("--supervised", is_flag=True, help="Start each mysqld again 100 ms after its end, as systemd would.")
@click.option("--switch", is_flag=True, help="A switch of our own between the hosts, which can delay packets.")
@json_option
@click.pass_obj
def up(session: Session, /, **options: object) -> None:
    """Bring a lab up: real mysqld, ZooKeeper and sshd on hosts of their own, replication running."""
    made = Lab.up(Options(**options), session.say)  # type: ignore[arg-type]
    if session.as_json:
        session.document(made.status())
    else:
        click.echo(_what_next(made))


def _what_next(made: Lab) -> str:
    name = "" if made.name == "lab" else f" --name {made.name}"
    first, *_ = made.servers
    words = " ".join(made.manager_argv("mgr1", "run")[1:]) if "mgr1" in made.hosts else ""
    lines = [
        f"lab {made.name} is up: {', '.join(made.servers)}; the primary is {first}. Try:",
        f"  export FAILOVERD_CONFIG={made.config_path}",
        "  failoverd status",
    ]
    if words:
        space = made.hosts["mgr1"].namespace
        lines.append(f"  nsenter --net=/run/netns/{space} failoverd {words.partition('failoverd ')[2]}    # a manager")
    lines += [
        f"  failoverd lab fault kill {first}{name}",
        f'  failoverd lab sql db2 "SELECT @@read_only, @@gtid_executed"{name}',
        f"  failoverd lab down{name}",
    ]
    return "\n".join(lines)


@lab.command(epilog=examples("lab status", "lab status --name two --json"))
@_NAME
@json_option
@click.pass_obj
def status(session: Session, name: str) -> None:
    """What runs in a lab, with process numbers."""
    facts = Lab.attach(name).status()
    if session.as_json:
        session.document(facts)
    else:
        click.echo("\n".join(_lines(facts)))


def _lines(facts: dict[str, object]) -> list[str]:
    lines = [f"lab {facts['name']}   {facts['config']}"]
    hosts = facts["hosts"]
    for host in hosts if isinstance(hosts, list) else []:
        power = {True: "on", False: "OFF", None: ""}[host.get("on")]
        services = ", ".join(f"{name} {pid or 'DEAD'}" for name, pid in host.get("services", {}).items())
        lines.append(f"  {host['name']:5} {host['address']:15} {power:3} {services}".rstrip())
    return lines


@lab.command(epilog=examples("lab down", "lab down --name two", "lab down --all"))
@_NAME
@click.option("--all", "everything", is_flag=True, help="Every lab of this machine.")
@json_option
@click.pass_obj
def down(session: Session, name: str, everything: bool) -> None:
    """End a lab and leave nothing behind, also of one that is half up or half gone."""
    known = Lab.names()
    if not everything and name not in known:
        raise ConfigError("no such lab", name, f"labs on this machine: {', '.join(known) or 'none'}")
    names = known if everything else (name,)
    for one in names:
        Lab.take_down(one)
        session.say(f"lab {one} is down")
    if session.as_json:
        session.document({"down": list(names)})


@lab.command(epilog=examples('lab sql db2 "SELECT @@read_only, @@gtid_executed"', 'lab sql db1 "SHOW REPLICAS" --json'))
@_NAME
@click.argument("host")
@click.argument("text")
@click.option(
    "--user",
    default="root",
    show_default=True,
    type=click.Choice(["root", "failoverd", "repl", "app"]),
    help="The account that it is run as.",
)
@json_option
@click.pass_obj
def sql(session: Session, name: str, host: str, text: str, user: str) -> None:
    """Run SQL on a server of the lab over its unix socket, whatever the network does."""
    there = Lab.attach(name)
    password = "" if user == "root" else there.password(user)
    names, rows = query_with_names(there.socket(host), text, user=user, password=password)
    if session.as_json:
        plain = [{key: _plain(value) for key, value in zip(names, row, strict=True)} for row in rows]
        session.document({"rows": plain})
        return
    for row in (names, *rows) if names else ():
        click.echo("\t".join("NULL" if value is None else str(value) for value in row))


def _plain(value: object) -> object:
    """A value as JSON has it: numbers and NULL stay, all else is text."""
    return value if value is None or isinstance(value, (int, float)) else str(value)


@lab.group()
def fault() -> None:
    """Break something in a lab; `heal` takes links, locks and filled disks back, `start` brings back what is dead."""


def _on_host(command: str, act: Callable[[Lab, str], object], about: str) -> None:
    """Add a fault that needs a host and nothing else."""

    @fault.command(command, help=about, epilog=examples(f"lab fault {command} db1"))
    @_NAME
    @click.argument("host")
    @json_option
    @click.pass_obj
    def run(session: Session, name: str, host: str) -> None:
        _done(session, name, command, host, detail=act(Lab.attach(name), host))


def _done(session: Session, name: str, command: str, *hosts: str, detail: object = None) -> None:
    """Say that a fault was done, to which hosts, and what came of it where that is more."""
    said = "done" if detail is None else str(detail)
    session.say(f"{' '.join((command, *hosts))}: {said}")
    if session.as_json:
        session.document({"lab": name, "fault": command, "hosts": list(hosts), "detail": said})


_on_host("kill", lambda there, host: there.fault.kill(host), "SIGKILL its mysqld or ZooKeeper.")
_on_host("stop", lambda there, host: there.fault.stop(host), "Freeze its mysqld or ZooKeeper (SIGSTOP).")
_on_host("cont", lambda there, host: there.fault.cont(host), "Let it go on (SIGCONT).")
_on_host("poweroff", lambda there, host: there.fault.poweroff(host), "Cut its power: the link first, then everything.")
_on_host("start", lambda there, host: there.fault.start(host), "Start what is dead: the host, its mysqld, its disk.")
_on_host("fill-disk", lambda there, host: counted(there.fault.fill_disk(host), "byte"), "Use up its disk.")
_on_host("read-only-fs", lambda there, host: there.fault.read_only_fs(host), "Let its disk turn read-only.")
_on_host("damage-relay", lambda there, host: there.fault.damage_relay(host), "Damage its unapplied relay log.")
_on_host(
    "exhaust-connections",
    lambda there, host: counted(there.fault.exhaust_connections(host), "session"),
    "Use up the connections that ordinary accounts may have.",
)


@fault.command(epilog=examples("lab fault cut db1 zk1", "lab fault cut mgr1 db1 --one-way"))
@_NAME
@click.argument("first")
@click.argument("second")
@_ONE_WAY
@json_option
@click.pass_obj
def cut(session: Session, name: str, first: str, second: str, one_way: bool) -> None:
    """Let nothing from the first host reach the second, nor back."""
    Lab.attach(name).fault.cut(first, second, one_way=one_way)
    _done(session, name, "cut", first, second)


@fault.command(epilog=examples("lab fault loss db1 db2 30"))
@_NAME
@click.argument("first")
@click.argument("second")
@click.argument("percent", type=int)
@_ONE_WAY
@json_option
@click.pass_obj
def loss(session: Session, name: str, first: str, second: str, percent: int, one_way: bool) -> None:
    """Lose some of the packets between two hosts, at random."""
    Lab.attach(name).fault.loss(first, second, percent, one_way=one_way)
    _done(session, name, "loss", first, second)


@fault.command(epilog=examples("lab fault slow db1 db2 50 --jitter 10"))
@_NAME
@click.argument("first")
@click.argument("second")
@click.argument("milliseconds", type=float)
@click.option("--jitter", default=0.0, help="Milliseconds more or less, at random.")
@_ONE_WAY
@json_option
@click.pass_obj
def slow(session: Session, /, name: str, first: str, second: str, milliseconds: float, **how: Any) -> None:
    """Delay packets between two hosts, each way (needs `lab up --switch`)."""
    Lab.attach(name).fault.slow(first, second, milliseconds, **how)
    _done(session, name, "slow", first, second)


@fault.command("hold-lock", epilog=examples("lab fault hold-lock db1"))
@_NAME
@click.argument("host")
@click.option("--statement", default="FLUSH TABLES WITH READ LOCK", show_default=True, help="What takes the lock.")
@json_option
@click.pass_obj
def hold_lock(session: Session, name: str, host: str, statement: str) -> None:
    """Hold a lock in a session that stays open."""
    Lab.attach(name).fault.hold_lock(host, statement)
    _done(session, name, "hold-lock", host)


@fault.command(epilog=examples("lab fault heal", "lab fault heal --name two"))
@_NAME
@json_option
@click.pass_obj
def heal(session: Session, name: str) -> None:
    """Take back cuts, losses, delays, held sessions and filled disks."""
    Lab.attach(name).fault.heal()
    _done(session, name, "heal")
