"""GTID sets and their text: the only implementation, shared by the manager and the agent."""

from failoverd.gtid.builder import GtidSetBuilder
from failoverd.gtid.intervals import Interval
from failoverd.gtid.sets import Gtid, GtidSet
from failoverd.gtid.text import GtidSyntaxError

__all__ = ["Gtid", "GtidSet", "GtidSetBuilder", "GtidSyntaxError", "Interval"]
