"""Every key of a runbook: its kind, its limits, its default and its sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final

from failoverd.config.complaints import Wrong
from failoverd.config.document import Scalar
from failoverd.config.kinds import Choice, Duration, Switch, Text, Whole, seconds_of, words_of
from failoverd.config.tagged import Tagged
from failoverd.model.runbook import Condition, Fault, Need, Role
from failoverd.model.verdict import VerdictName

_LINE: Final = Text(re.compile(r"\S[^\n]*"), "one line of text", most=400)
_PROSE: Final = Text(re.compile(r"\S.*", re.DOTALL), "some text", most=8000)
_COMMAND: Final = Text(
    re.compile(r"(switchover|failover|rejoin|repair|reopen|pause|resume|plan|check|status)( .*)?"),
    "a failoverd command that a drill may use",
)
_ON: Final = Text(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), "lab, or a cluster's name", most=32)
_THROUGH: Final = Text(re.compile(r"hosts|vip|haproxy|[A-Za-z0-9.-]+:\d{1,5}"), "hosts, vip, haproxy or HOST:PORT")
_FILE: Final = Text(re.compile(r"/[^\n]*"), "an absolute path")
_FAILPOINT: Final = Text(re.compile(r"(kill|stop) (before|after):[A-Za-z-]+"), "kill or stop, and a moment")
_SETTING: Final = Text(re.compile(r"[a-z_]+(\.[a-z_]+)*=\S[^\n]*"), "KEY=VALUE with a key of the cluster's section")
_ENDS: Final = Text(re.compile(r"(failover|switchover|rejoin|repair|reopen) [a-z-]+"), "a kind and an outcome")
_WITHIN: Final = Duration(0.1, 3600)
_YES: Final = Choice(("true",))
_SOMEBODY: Final = Choice(("primary", "replica", "other-replica", "replicas", "all", "others"))
_ANYBODY: Final = Choice(("any", "replica", "other-replica"))


@dataclass(frozen=True, slots=True)
class Moment:
    """A time to wait, or the name of what is waited for."""

    def read(self, scalar: Scalar, base: Path) -> float | Condition:
        """Seconds, or the condition."""
        if scalar.text in set(Condition):
            return Condition(scalar.text)
        try:
            return seconds_of(scalar.text)
        except Wrong:
            known = ", ".join(Condition)
            raise Wrong(f"'{scalar.text}' is neither a duration nor one of {known}") from None


@dataclass(frozen=True, slots=True)
class FaultShape:
    """Break something, or take it back."""

    fault: Annotated[Fault, words_of(Fault), "What is done."]
    at: Annotated[Role | None, words_of(Role), "Whom it hits."] = None
    peer: Annotated[Role | None, words_of(Role), "The other side of a cut."] = None
    lasts: Annotated[float, Duration(1, 600), "When it ends by itself on a real cluster."] = 60.0
    clock: Annotated[bool, Switch(), "Whether times count from this step."] = False


@dataclass(frozen=True, slots=True)
class RunShape:
    """Run a failoverd command."""

    run: Annotated[str, _COMMAND, "The command and its words; {cluster} and roles in braces stand for names."]
    exit: Annotated[int, Whole(0, 4), "The exit code it must end with."] = 0
    within: Annotated[float, _WITHIN, "How long it may take."] = 120.0
    clock: Annotated[bool, Switch(), "Whether times count from this step."] = False


@dataclass(frozen=True, slots=True)
class WaitShape:
    """Wait for a time or for something."""

    wait: Annotated[float | Condition, Moment(), "A duration, or what is waited for."]
    within: Annotated[float, _WITHIN, "How long it may take to come."] = 60.0
    clock: Annotated[bool, Switch(), "Whether times count from the end of this step."] = False


@dataclass(frozen=True, slots=True)
class AskShape:
    """Ask a person."""

    ask: Annotated[str, _LINE, "What the person is to do or to confirm."]
    clock: Annotated[bool, Switch(), "Whether times count from the answer."] = False


@dataclass(frozen=True, slots=True)
class HookShape:
    """Run a program of people's own."""

    hook: Annotated[str, _FILE, "The program."]
    within: Annotated[float, _WITHIN, "How long it may take."] = 60.0
    clock: Annotated[bool, Switch(), "Whether times count from this step."] = False


class StepShape(Tagged):
    """One step."""

    VARIANTS: ClassVar[Mapping[str, type[Any]]] = MappingProxyType(
        {"fault": FaultShape, "run": RunShape, "wait": WaitShape, "ask": AskShape, "hook": HookShape}
    )


@dataclass(frozen=True, slots=True)
class NewPrimaryShape:
    """Another server takes writes."""

    new_primary: Annotated[str, _ANYBODY, "Which."]
    within: Annotated[float | None, _WITHIN, "In what time."] = None


@dataclass(frozen=True, slots=True)
class NoFailoverShape:
    """Nothing is failed over."""

    no_failover: Annotated[str, _YES, "Always true."]
    within: Annotated[float | None, _WITHIN, "During what time."] = None


@dataclass(frozen=True, slots=True)
class OutageShape:
    """No write waits longer."""

    outage_below: Annotated[float, Duration(0.001, 3600), "The longest time without an acknowledged write."]
    within: Annotated[float | None, _WITHIN, "During what time."] = None


@dataclass(frozen=True, slots=True)
class LostShape:
    """Acknowledged rows that are lost."""

    lost_rows: Annotated[int, Whole(0, 10**9), "How many at most."]


@dataclass(frozen=True, slots=True)
class DuplicateShape:
    """Rows that are there twice."""

    duplicate_rows: Annotated[int, Whole(0, 10**9), "How many at most."]


@dataclass(frozen=True, slots=True)
class StaleShape:
    """How old the answers of replicas may be."""

    stale_reads_below: Annotated[float, Duration(0.001, 3600), "The oldest row that a replica may lack."]
    within: Annotated[float | None, _WITHIN, "During what time."] = None


@dataclass(frozen=True, slots=True)
class VerdictShape:
    """What failoverd must say."""

    verdict: Annotated[str, Choice(tuple(map(str, VerdictName))), "The verdict."]
    within: Annotated[float | None, _WITHIN, "In what time."] = None


@dataclass(frozen=True, slots=True)
class WriterShape:
    """Never two writers, and one in the end."""

    one_writer: Annotated[str, _YES, "Always true."]
    within: Annotated[float | None, _WITHIN, "During what time."] = None


@dataclass(frozen=True, slots=True)
class AttachedShape:
    """Who follows the primary."""

    attached: Annotated[str, _SOMEBODY, "all, others (all but the first primary), or a role."]
    within: Annotated[float | None, _WITHIN, "In what time."] = None


@dataclass(frozen=True, slots=True)
class OperationShape:
    """How an operation ends."""

    operation: Annotated[str, _ENDS, "Kind and outcome, as in `failover done`."]
    within: Annotated[float | None, _WITHIN, "In what time."] = None


class ExpectShape(Tagged):
    """One expectation."""

    VARIANTS: ClassVar[Mapping[str, type[Any]]] = MappingProxyType(
        {
            "new_primary": NewPrimaryShape,
            "no_failover": NoFailoverShape,
            "outage_below": OutageShape,
            "lost_rows": LostShape,
            "duplicate_rows": DuplicateShape,
            "stale_reads_below": StaleShape,
            "verdict": VerdictShape,
            "one_writer": WriterShape,
            "attached": AttachedShape,
            "operation": OperationShape,
        }
    )


@dataclass(frozen=True, slots=True)
class TwoWritersShape:
    """Two servers take writes at once."""

    two_writers: Annotated[str, _YES, "Always true."]


@dataclass(frozen=True, slots=True)
class OutageOverShape:
    """Writes wait too long."""

    outage_over: Annotated[float, Duration(0.1, 3600), "The longest time without an acknowledged write."]


@dataclass(frozen=True, slots=True)
class BadVerdictShape:
    """A verdict that ends the drill."""

    verdict: Annotated[str, Choice(tuple(map(str, VerdictName))), "The verdict."]


class AbortShape(Tagged):
    """One reason to end a drill at once."""

    VARIANTS: ClassVar[Mapping[str, type[Any]]] = MappingProxyType(
        {"two_writers": TwoWritersShape, "outage_over": OutageOverShape, "verdict": BadVerdictShape}
    )


@dataclass(frozen=True, slots=True)
class LabSection:
    """The lab that is brought up for it."""

    replicas: Annotated[int, Whole(1, 8), "Replicas beside the primary."] = 2
    managers: Annotated[int, Whole(1, 5), "Managers."] = 2
    zookeepers: Annotated[int, Whole(1, 5), "Members of the ensemble: 1, 3 or 5."] = 1
    lossless: Annotated[bool, Switch(), "Semi-sync from the start."] = False
    supervised: Annotated[bool, Switch(), "Whether each mysqld is started again after its end."] = False
    performance_schema: Annotated[bool, Switch(), "Whether the servers have it."] = False
    disk_mb: Annotated[int, Whole(256, 65536), "The size of each server's disk."] = 512
    failpoint: Annotated[str, _FAILPOINT, "Where the first manager is killed or stopped in its operation."] = ""
    settings: Annotated[tuple[str, ...], _SETTING, "Keys of the cluster's section with other values."] = ()


@dataclass(frozen=True, slots=True)
class ProbeSection:
    """The client that writes numbered rows."""

    every: Annotated[float, Duration(0.001, 10), "How often a row is written."] = 0.01
    through: Annotated[str, _THROUGH, "By which address."] = "hosts"
    reads: Annotated[bool, Switch(), "Whether replicas are read, too."] = True


@dataclass(frozen=True, slots=True)
class RunbookShape:
    """The whole file."""

    title: Annotated[str, _LINE, "What is rehearsed, in one line."]
    about: Annotated[str, _PROSE, "Why, and what to look at."]
    steps: tuple[StepShape, ...]
    expect: tuple[ExpectShape, ...]
    on: Annotated[str, _ON, "lab, or the cluster that it is for."] = "lab"
    needs: Annotated[tuple[Need, ...], words_of(Need), "What must hold before anything is touched."] = ()
    blast_radius: Annotated[tuple[Role, ...], words_of(Role), "Nobody else may be hit."] = ()
    cleanup: tuple[StepShape, ...] = ()
    abort_if: tuple[AbortShape, ...] = ()
    abort_file: Annotated[str, _FILE, "While this file exists, the drill ends at once."] = ""
    lab: LabSection = LabSection()
    probe: ProbeSection = ProbeSection()
