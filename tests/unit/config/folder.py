"""A folder with everything a small valid configuration names, and room for what a test writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from failoverd.config.complaints import ConfigErrors
from failoverd.config.load import Loaded, read

HEAD = """\
mysql: {password_file: mysql.secret}
replication: {password_file: repl.secret}
ssh: {key_file: id, known_hosts: known_hosts}
"""
SHOP = """\
clusters:
  shop:
    servers:
      - {name: db1, host: 10.0.0.1}
      - {name: db2, host: 10.0.0.2}
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder; file modes are private unless a test says otherwise."""

    path: Path

    def put(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file."""
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def load(self, text: str) -> Loaded:
        """Load that text as failoverd.yml."""
        return read(self.put("failoverd.yml", text, 0o644))

    def complaints(self, text: str) -> list[str]:
        """What is wrong with it: each complaint as `LINE PATH: sentence (hint)`."""
        try:
            self.load(text)
        except ConfigErrors as errors:
            prefix = f"{self.path}/"
            return [
                str(c).replace(prefix, "").removeprefix("failoverd.yml:").replace(": ", " ", 1)
                for c in errors.complaints
            ]
        return []


def prepared(path: Path) -> Folder:
    """The folder with secrets, key and known hosts in it."""
    folder = Folder(path)
    folder.put("mysql.secret", "m-canary\n")
    folder.put("repl.secret", "r-canary\n")
    folder.put("id", "key\n")
    folder.put("known_hosts", "", 0o644)
    return folder
