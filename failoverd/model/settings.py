"""What a manager runs a cluster with, as managers and commands tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a cluster: their digest, and the settings themselves as JSON data, never with a secret in them."""

    digest: str = ""
    told: Mapping[str, object] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class InForce:
    """What the active manager of a cluster runs with; nothing is told by a manager of an earlier version."""

    manager: str
    version: str
    settings: Settings
