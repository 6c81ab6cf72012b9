"""Hosts as network namespaces on one bridge, and what can be done to their links."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from failoverd.lab import switching
from failoverd.lab.layout import RUNNING_NAMESPACES, Host, Layout, namespace_prefix
from failoverd.lab.processes import run, side_by_side, wait_until
from failoverd.model.errors import ConfigError, FailoverdError

_ALIAS = "failoverd lab "
_TABLE = "failoverd_lab"


def require_namespaces() -> None:
    """ConfigError in one sentence where this machine does not let us make namespaces."""
    try:
        run(["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "true"])
    except FailoverdError as error:
        raise ConfigError(
            "the lab needs network, mount and process namespaces, and this machine does not permit them",
            error.detail,
            "run it as root on a machine or in a container that may create namespaces",
        ) from error


def build(layout: Layout) -> None:
    """Make all namespaces, links and addresses; the links meet on a bridge, or on the lab's own switch."""
    _batch(["ip"], [f"netns add {host.namespace}" for host in layout.hosts])
    if layout.options.switch:
        switching.start(layout)
    else:
        _bridge(layout)
    _batch(
        ["ip"],
        [
            f'link set {layout.bridge} alias "{_ALIAS}{layout.options.name}"',
            f"addr add {layout.gateway}/24 dev {layout.bridge}",
            f"link set {layout.bridge} up",
        ],
    )
    side_by_side(lambda host=host: _address(host, layout.gateway) for host in layout.hosts)  # type: ignore[misc]


def _bridge(layout: Layout) -> None:
    lines = [f"link add {layout.bridge} type bridge forward_delay 0 mcast_snooping 0"]
    for host in layout.hosts:
        lines += [
            f"link add {host.link} type veth peer name eth0 netns {host.namespace}",
            f"link set {host.link} master {layout.bridge} up",
        ]
    _batch(["ip"], lines)


def _address(host: Host, gateway: str) -> None:
    _batch(
        ["ip", "-n", host.namespace],
        [
            "link set lo up",
            f"addr add {host.address}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {gateway}",
        ],
    )


def _batch(command: list[str], lines: Iterable[str]) -> None:
    run([*command, "-batch", "-"], feed="\n".join(lines) + "\n")


def namespaces(name: str) -> tuple[str, ...]:
    """The namespaces that exist of the lab of that name."""
    folder = Path(RUNNING_NAMESPACES)
    prefix = namespace_prefix(name)
    return tuple(sorted(path.name for path in folder.glob(prefix + "*"))) if folder.is_dir() else ()


def members(name: str) -> tuple[int, ...]:
    """All processes that live in the lab's namespaces, whoever started them there."""
    found: list[int] = []
    for namespace in namespaces(name):
        try:
            found += inhabitants(namespace)
        except FailoverdError:
            if namespace in namespaces(name):
                raise
    return tuple(found)


def inhabitants(namespace: str) -> tuple[int, ...]:
    """The processes that live in one namespace."""
    return tuple(int(pid) for pid in run(["ip", "netns", "pids", namespace]).split())


def demolish(name: str) -> None:
    """Take the lab's namespaces and links away, whatever is left of them; somebody else may be at it too."""
    wait_until(lambda: not _demolish_once(name), deadline=10, what=f"the end of the network of lab {name}")


def _demolish_once(name: str) -> list[str]:
    """Delete what is there now and return what is left.

    The kernel takes the links of a dead namespace away by and by: one may go between the look and the act.
    """
    lines = [f"netns del {namespace}" for namespace in namespaces(name)]
    lines += [f"link del {link}" for link in _links(name)]
    if lines:
        with suppress(FailoverdError):
            _batch(["ip", "-force"], lines)
    return [*namespaces(name), *_links(name)]


def _links(name: str) -> list[str]:
    links = json.loads(run(["ip", "-j", "link", "show"]) or "[]")
    found = [entry["ifname"] for entry in links if entry.get("ifalias") == _ALIAS + name]
    for bridge in tuple(found):
        with suppress(FailoverdError):  # gone since the look: so are its ports
            ports = json.loads(run(["ip", "-j", "link", "show", "master", bridge]) or "[]")
            found += [entry["ifname"] for entry in ports]
    return found


def set_link(layout: Layout, host: Host, *, up: bool) -> None:
    """Plug or unplug the host's cable, at the far end."""
    if layout.options.switch:
        switching.tell(layout, "link", host=host.name, up=up)
    else:
        run(["ip", "link", "set", host.link, "up" if up else "down"])


def slow(layout: Layout, sender: Host, receiver: Host, milliseconds: float, jitter: float = 0.0) -> None:
    """Hold back what the sender sends the receiver; needs the lab's own switch (ConfigError)."""
    switching.require(layout)
    pair = {"from": sender.name, "to": receiver.name}
    switching.tell(layout, "slow", delay=milliseconds / 1000, jitter=jitter / 1000, **pair)


def forget_delays(layout: Layout) -> None:
    """Take all delays back."""
    if layout.options.switch:
        switching.tell(layout, "clear")


def drop(receiver: Host, sender: Host, percent: int = 100) -> None:
    """Let the receiver lose what the sender sends it: all of it, or `percent` of the packets at random."""
    some = "" if percent >= 100 else f" numgen random mod 100 < {percent}"
    rules = (
        f"add table ip {_TABLE}\n"
        f"add chain ip {_TABLE} losses {{ type filter hook input priority -300; }}\n"
        f"add rule ip {_TABLE} losses ip saddr {sender.address}{some} drop\n"
    )
    _nft(receiver, rules)


def forget_drops(host: Host) -> None:
    """Take all losses at this host back."""
    _nft(host, f"add table ip {_TABLE}\ndelete table ip {_TABLE}\n")


def drops(host: Host) -> tuple[str, ...]:
    """The losses that are in force at this host, as rules."""
    listed = run(["nsenter", f"--net=/run/netns/{host.namespace}", "nft", "list", "ruleset"])
    return tuple(line.strip() for line in listed.splitlines() if "drop" in line)


def _nft(host: Host, rules: str) -> None:
    run(["nsenter", f"--net=/run/netns/{host.namespace}", "nft", "-f", "-"], feed=rules)
