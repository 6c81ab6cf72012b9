"""What a manager tells the others when it stands in line, and when it becomes active. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failoverd.drivers.identity import Identity
from failoverd.drivers.zookeeper.records import pack, unpack
from failoverd.model.errors import CoordinationError
from failoverd.model.settings import InForce, Settings

_WHOLE = 1 << 30  # one entry always: it is replaced as a whole


@dataclass(frozen=True, slots=True)
class Told:
    """`line` is our entry in the line: who we are, and the digest of our settings. `config` says the same with the
    settings themselves: it is written with the epoch, and again when they have changed.
    """

    manager: str
    digest: str
    line: bytes
    config: bytes


def told_by(identity: Identity, settings: Settings) -> Told:
    """What we tell of ourselves and of our settings for one cluster."""
    ours = {
        "v": 1,
        "manager": identity.name,
        "pid": identity.pid,
        "host": identity.host,
        "version": identity.version,
        "digest": settings.digest,
    }
    config = pack({**ours, "settings": dict(settings.told)}, part=_WHOLE).head
    return Told(identity.name, settings.digest, json.dumps(ours).encode(), config)


def other_settings(before: bytes | None, ours: Told) -> str:
    """The manager that was active before us, where it is another one and had other settings."""
    told = _read(before)
    same = told.get("digest") in {None, "", ours.digest} or told.get("manager") == ours.manager
    return "" if same else str(told["manager"])


def in_force(entry: bytes | None) -> InForce | None:
    """What the active manager runs with, None where that is not told."""
    told = _read(entry)
    if "manager" not in told:
        return None
    settings = Settings(str(told.get("digest", "")), dict(told.get("settings") or {}))
    return InForce(str(told["manager"]), str(told.get("version", "")), settings)


def _read(entry: bytes | None) -> Mapping[str, Any]:
    try:
        return unpack(entry, (), "config") if entry else {}
    except CoordinationError:
        return {}
