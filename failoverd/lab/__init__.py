"""A whole cluster on one machine, for trying, drills and tests: hosts, mysqld, sshd, ZooKeeper, faults."""

from __future__ import annotations

from failoverd.lab.lab import Lab
from failoverd.lab.layout import Options

__all__ = ["Lab", "Options"]
