"""A cluster's settings as canonical data and their digest, so that managers can tell whether and where they differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from failoverd.config.secret import Secret

# A manager's own choice that says nothing about the cluster: where it keeps its files, and whom it installs agents as.
_LOCAL = frozenset({"install_user"})


def settings_digest(cluster: object) -> str:
    """SHA-256 of the cluster's settings without secrets and without the paths of this machine."""
    text = json.dumps(canonical(cluster), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def plain_settings(section: object) -> Mapping[str, Any]:
    """What the digest is made of, as JSON data; empty for a section that is not there."""
    made: Mapping[str, Any] = json.loads(json.dumps(canonical(section))) or {}
    return made


def canonical(value: object) -> object:
    """A tree of settings as JSON data; secrets and local paths are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in _LOCAL}
        return {name: canonical(item) for name, item in fields.items() if not isinstance(item, Secret | Path)}
    if isinstance(value, tuple):
        return [canonical(item) for item in value]
    return value
