"""Load the configuration: the file, what lies in `clusters.d` beside it, everything checked, all errors at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from failoverd.config.complaints import Complaint, ConfigErrors, Place
from failoverd.config.document import Entry, Section, parse
from failoverd.config.schema import Config
from failoverd.config.walk import At, Origin, Walk

DEFAULT_PATH: Final = Path("/etc/failoverd/failoverd.yml")
_SERVER: Final = re.compile(r"(clusters\.(.+)\.servers\[\d+\])\.name")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and, for every key's path, its value and where that comes from."""

    config: Config
    path: Path
    values: Mapping[str, object]
    origins: Mapping[str, Origin]


def load(path: Path) -> Config:
    """The configuration in that file; ConfigErrors with everything that is wrong."""
    return read(path).config


def read(path: Path) -> Loaded:
    """The configuration with the origin of every value; ConfigErrors with everything that is wrong."""
    file = path.absolute()
    walk = Walk()
    root = parse(file)
    if isinstance(root, Complaint):
        raise ConfigErrors((root,))
    config = walk.section(Config, with_clusters_beside(root, file, walk), At("", Place(file, 1), {}))
    alike(walk, Place(file, 1))
    if walk.complaints or not isinstance(config, Config):
        raise ConfigErrors(tuple(walk.complaints))
    return Loaded(config, file, walk.values, walk.origins)


def with_clusters_beside(root: Section, file: Path, walk: Walk) -> Section:
    """The document with the clusters of `clusters.d/*.yml` added; those files may hold nothing else."""
    found = root.get("clusters")
    if found and not isinstance(found.item, Section):
        return root
    entries = list(found.item.entries) if found and isinstance(found.item, Section) else []
    for misnamed in sorted((file.parent / "clusters.d").glob("*.yaml")):
        walk.complain("", Place(misnamed, 1), "is not read", "only files that end in .yml are")
    for beside in sorted((file.parent / "clusters.d").glob("*.yml")):
        part = parse(beside)
        if isinstance(part, Complaint):
            walk.complaints[part] = None
            continue
        for entry in part.entries:
            if entry.key == "clusters" and isinstance(entry.item, Section):
                entries += entry.item.entries
            else:
                walk.complain(entry.key, entry.place, "may not stand here", "only clusters with its sections may")
    place = found.place if found else root.place
    clusters = Entry("clusters", place, Section(place, tuple(entries)))
    if found is None:
        return replace(root, entries=(*root.entries, clusters))
    return replace(root, entries=tuple(clusters if entry is found else entry for entry in root.entries))


def alike(walk: Walk, otherwise: Place) -> None:
    """Complain about servers of a cluster with one name, whatever its case, and endpoints that are listed twice."""
    seen: dict[tuple[str, ...], str] = {}

    def once(mark: tuple[str, ...], path: str, sentence: str) -> None:
        first = seen.setdefault(mark, path)
        if first != path:
            place = walk.place_of(path, otherwise)
            walk.complain(path, place, sentence, f"the first is at {walk.place_of(first, otherwise)}: {first}")

    for path, value in list(walk.values.items()):
        found = _SERVER.fullmatch(path)
        if found is None:
            continue
        server, cluster = found.groups()
        if isinstance(value, str):
            once(("name", cluster, value.lower()), path, f"the name '{value}' is given twice")
        host = walk.values.get(f"{server}.host")
        port = walk.values.get(f"{server}.port") or walk.values.get(f"{server}.mysql.port")
        if isinstance(host, str) and isinstance(port, int):
            once(("endpoint", host.lower(), str(port)), f"{server}.host", f"{host}:{port} is listed twice")
