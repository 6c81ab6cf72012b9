"""Builds the zipapp, byte for byte the same from the same sources: `python -m failoverd.agent.build TARGET`."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_FIRST_LINE = b"#!/usr/bin/env python3\n"
_MOMENT = (1980, 1, 1, 0, 0, 0)
_STAYS_HOME = frozenset({"agent/build.py", "agent/entry.py", "agent/__main__.py"})


def build(target: Path) -> str:
    """Write the zipapp to `target`, replacing it in one step, and give its SHA-256 as hex."""
    data = _FIRST_LINE + _archive()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.chmod(0o755)
    temporary.replace(target)
    return hashlib.sha256(data).hexdigest()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(_members().items()):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            archive.writestr(entry, content, compresslevel=9)
    return buffer.getvalue()


def _members() -> dict[str, bytes]:
    first = {"__main__.py": "agent/entry.py", "failoverd/__init__.py": "__init__.py"}
    members = {name: (_PACKAGE / path).read_bytes() for name, path in first.items()}
    for part in ("gtid", "agent"):
        for path in (_PACKAGE / part).rglob("*.py"):
            name = path.relative_to(_PACKAGE).as_posix()
            if name not in _STAYS_HOME:
                members[f"failoverd/{name}"] = path.read_bytes()
    return members


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m failoverd.agent.build TARGET")
    sys.stdout.write(build(Path(sys.argv[1])) + "\n")
