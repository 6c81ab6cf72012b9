"""The configuration files that the lab writes: one for each manager, and one for people's own commands."""

from __future__ import annotations

import json
from collections.abc import Mapping

from failoverd.lab.layout import Host, Kind, Layout

PEOPLE = "people"


def document(layout: Layout, manager: Host | None) -> dict[str, object]:
    """The configuration of one manager, or with None the one for commands from the machine's own namespace."""
    keys = layout.folder / "keys"
    owner = layout.folder / (manager.name if manager else PEOPLE)
    root: dict[str, object] = {
        "manager": {
            "name": manager.name if manager else PEOPLE,
            "state_dir": str(owner / "state"),
            "run_dir": str(owner / "run"),
        },
        "mysql": {"user": "failoverd", "password_file": str(keys / "mysql.secret")},
        "replication": {"user": "repl", "password_file": str(keys / "repl.secret")},
        "ssh": {
            "user": "failoverd-agent",
            "key_file": str(keys / "manager_ed25519"),
            "known_hosts": str(keys / "known_hosts"),
        },
        "agent": {"install_user": "root", "install_key_file": str(keys / "install_ed25519")},
        "clusters": {
            layout.options.cluster: {
                "servers": [server_entry(host) for host in layout.servers],
            }
        },
    }
    if layout.options.lossless:
        root = merged(root, {"clusters": {layout.options.cluster: {"durability": "lossless"}}})
    members = layout.of_kind(Kind.ZOOKEEPER)
    if members:
        root["zookeeper"] = {"hosts": [f"{host.address}:2181" for host in members], "session_timeout": "1s"}
    return merged(root, layout.options.settings)


def server_entry(host: Host) -> dict[str, object]:
    """One server as the configuration lists it."""
    return {"name": host.name, "host": host.address, "agent": {"dir": str(host.agent_dir)}}


def merged(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`base` with `changes` laid over it, mapping by mapping.

    A mapping laid over a list changes the entries it names: `{"servers": {"db2": {"promote": "never"}}}`.
    """
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            result[key] = merged(old, value)
        elif isinstance(value, Mapping) and isinstance(old, list):
            result[key] = [merged(entry, value.get(entry["name"], {})) for entry in old]
        else:
            result[key] = value
    return result


def text(root: Mapping[str, object]) -> str:
    """The document as YAML: sections as blocks to the depth a person reads, the rest in the flow style that JSON is."""
    return "".join(_block(root, 0))


def _block(section: Mapping[str, object], depth: int) -> list[str]:
    lines = []
    indent = "  " * depth
    for key, value in section.items():
        if isinstance(value, Mapping) and depth < 2 and value and _deep(value):
            lines += [f"{indent}{key}:\n", *_block(value, depth + 1)]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{indent}{key}:\n", *(f"{indent}  - {json.dumps(entry)}\n" for entry in value)]
        else:
            lines.append(f"{indent}{key}: {json.dumps(value)}\n")
    return lines


def _deep(section: Mapping[str, object]) -> bool:
    return any(isinstance(value, (Mapping, list)) for value in section.values()) or len(json.dumps(section)) > 80
