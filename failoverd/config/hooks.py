"""The folder of people's own programs: which of them stand at which point when the configuration is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from failoverd.config.complaints import Wrong
from failoverd.config.document import Scalar
from failoverd.model.hooks import HookPolicy, Point


@dataclass(frozen=True, slots=True)
class HookFolder:
    """A folder that must be there, with nothing in it that looks like a point and is none."""

    def read(self, scalar: Scalar, base: Path) -> Path | None:
        """The path; relative ones start beside the configuration file."""
        if scalar.guess == "null":
            return None
        path = base / scalar.text
        if not path.is_dir():
            raise Wrong(f"{path} is not a folder", "make it, with a folder in it for each point, as on-promoted")
        known = {str(point) for point in Point}
        strange = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and entry.name not in known)
        if strange:
            raise Wrong(
                f"{path} has a folder {strange[0]}, which is no point", f"points are {', '.join(sorted(known))}"
            )
        return path


def hook_policy(folder: Path | None, timeout: float, rebuild_timeout: float) -> HookPolicy:
    """What planning needs to know of the hooks as they stand now; put there later they count after a reload."""
    if folder is None:
        return HookPolicy()
    counts = ((str(point), executables(folder / point)) for point in Point)
    points = tuple((point, number) for point, number in counts if number)
    return HookPolicy(str(folder), timeout, points, rebuild_timeout)


def executables(place: Path) -> int:
    """How many files in a point's folder can be run."""
    if not place.is_dir():
        return 0
    return sum(1 for path in place.iterdir() if path.is_file() and os.access(path, os.X_OK))
