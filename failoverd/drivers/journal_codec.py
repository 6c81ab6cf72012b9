"""Records of the journal and of what is published, between frozen nouns and versioned JSON data: pure.

Every record carries `v`; a record of a later version is refused, never guessed at.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from failoverd.gtid import GtidSet
from failoverd.model.cloning import Overwrite
from failoverd.model.divergence import Cure, Resolution
from failoverd.model.errors import CoordinationError
from failoverd.model.history import Pause, Recorded
from failoverd.model.plans import Entry, EntryKind, Kind, Operation, Report, Request, Requester, Result, Verb
from failoverd.model.published import operation_json, plan_json, report_json
from failoverd.model.steps import Step

VERSION = 1
KEPT = 200  # operations per cluster
KEPT_ALWAYS = 20  # of these, however old they are
KEPT_SECONDS = 400 * 86400.0
Data = dict[str, Any]
_PLAIN = frozenset({str, int, float, bool})
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")


def plain(value: object) -> Any:
    """Nouns as JSON data: dataclasses by field, steps with their class, GTID sets as text, sets sorted."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, GtidSet):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"step": type(value).__name__, **shown} if isinstance(value, Step) else shown
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def checked_name(what: str, name: str) -> str:
    """The name, if it can be part of a path; CoordinationError otherwise."""
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise CoordinationError(
            f"{what} {name!r} cannot be recorded", "names are letters, digits, dot, dash, underscore"
        )
    return name


def versioned(data: Mapping[str, Any]) -> Data:
    """The record with the version of its shape."""
    return {"v": VERSION, **data}


def opened(data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The record, if this program knows its shape."""
    version = data.get("v")
    if not isinstance(version, int) or version > VERSION:
        raise CoordinationError(
            f"record {where} has shape {version!r}",
            f"this program knows {VERSION}",
            "run the newest installed failoverd",
        )
    return data


def begin_record(operation: Operation) -> Data:
    """What opens an operation's journal: as published, and whole, so that another manager can go on with it."""
    shown = {"operation": operation_json(operation), "plan": plan_json(operation.plan)}
    return versioned({**shown, "whole": plain(operation)})


def entry_record(entry: Entry) -> Data:
    """One record between begin and end."""
    return versioned({"kind": entry.kind.value, "at": entry.at, "body": plain(entry.body)})


def end_record(report: Report) -> Data:
    """What closes an operation's journal."""
    return versioned({"report": report_json(report)})


def whole(begin: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], end: Mapping[str, Any] | None) -> Data:
    """One operation for people: its report if it has ended, else what is known so far; its first plan, its entries."""
    told = [{key: entry[key] for key in ("kind", "at", "body")} for entry in entries]
    so_far = [entry["body"] for entry in told if entry["kind"] == EntryKind.OUTCOME]
    steps = end["report"]["steps"] if end is not None else so_far
    known = summary(begin, end)
    if end is None and stands(told) == EntryKind.NEEDS_PERSON:
        known["outcome"] = Result.NEEDS_PERSON.value
    known["seen"] = begin.get("whole", {}).get("seen") or ""
    return {**known, "steps": steps, "plan": begin["plan"], "entries": told}


def stands(told: Sequence[Mapping[str, Any]]) -> str:
    """Whether an operation without an end was last taken up, or needs a person; empty for neither."""
    turns = [entry["kind"] for entry in told if entry["kind"] in {EntryKind.RESUMED, EntryKind.NEEDS_PERSON}]
    return str(turns[-1]) if turns else ""


def summary(begin: Mapping[str, Any], end: Mapping[str, Any] | None) -> Data:
    """One operation without its steps: from the report if it has ended, else from what opened it."""
    told = begin["operation"] if end is None else end["report"]
    return {key: item for key, item in told.items() if key != "steps"}


def failover_done_at(report: Report) -> float | None:
    """Wall-clock seconds at which a failover ended done; None for every other end."""
    if report.kind is not Kind.FAILOVER or report.result is not Result.DONE:
        return None
    return report.stamps.ended or report.stamps.writable or report.stamps.started


def recorded_from(data: Mapping[str, Any]) -> Recorded:
    """The published primary. CoordinationError where it cannot be understood."""
    inherited = data.get("inherited")
    try:
        return Recorded(
            name=str(data["name"]),
            server_uuid=str(data["server_uuid"]),
            epoch=int(data["epoch"]),
            ackers=tuple(str(name) for name in data.get("ackers", ())),
            degraded=bool(data.get("degraded", False)),
            inherited=None if inherited is None else GtidSet.parse(str(inherited)),
        )
    except (LookupError, TypeError, ValueError) as error:
        why = f"{type(error).__name__} {error}"
        raise CoordinationError("the record of the primary cannot be understood", why) from error


def pause_from(data: Mapping[str, Any]) -> Pause:
    """One pause."""
    until = data.get("until")
    server = str(data.get("server", ""))
    return Pause(str(data["by"]), str(data["reason"]), None if until is None else float(until), server)


def in_force(pauses: Iterable[Pause], wall: float) -> tuple[Pause, ...]:
    """The pauses whose end has not passed, that of the cluster first."""
    return tuple(sorted((pause for pause in pauses if not pause.over(wall)), key=lambda pause: pause.server))


def request_from(data: Mapping[str, Any]) -> Request:
    """A person's request."""
    by = data["by"]
    loss = data.get("accept_loss")
    return Request(
        cluster=str(data["cluster"]),
        kind=Kind(data["kind"]),
        by=Requester(str(by["kind"]), str(by["user"]), str(by["host"]), str(by["reason"])),
        to=str(data.get("to", "")),
        accept_loss=None if loss is None else int(loss),
        overrides=frozenset(str(name) for name in data.get("overrides", ())),
        asked_at=float(data.get("asked_at", 0.0)),
        verb=Verb(data.get("verb", "begin")),
        operation=str(data.get("operation", "")),
        settings=tuple(str(line) for line in data.get("settings", ())),
        resolution=resolution_from(data.get("resolution")),
        clone=overwrite_from(data.get("clone")),
        checksums=tuple(str(name) for name in data.get("checksums", ())),
        rebuild=overwrite_from(data.get("rebuild")),
    )


def resolution_from(data: Mapping[str, Any] | None) -> Resolution | None:
    """What is to be done about a diverged tail, where something is."""
    return None if data is None else Resolution(Cure(data["cure"]), GtidSet.parse(str(data["gtids"])))


def overwrite_from(data: Mapping[str, Any] | None) -> Overwrite | None:
    """Whether a server's data is to be overwritten, and what only it has may go."""
    return None if data is None else Overwrite(discard=bool(data["discard"]))


def worth_keeping(place: int, age: float) -> bool:
    """Whether an operation that has ended stays in the journal: `place` counts newer ones, `age` is in seconds."""
    return place < min(KEPT, KEPT_ALWAYS) or (place < KEPT and age <= KEPT_SECONDS)


def too_old(told: Sequence[Mapping[str, Any]], wall: float) -> set[str]:
    """Of all operations of a cluster, newest first, the ids of those that are let go."""
    ages = [wall - datetime.fromisoformat(started_at(one)).timestamp() for one in told]
    over = [one for place, one in enumerate(told) if not worth_keeping(place, ages[place])]
    return {str(one["operation"]) for one in over if one["ended"]}


def started_at(told: Mapping[str, Any]) -> str:
    """When an operation of a list began, for ordering: times as published sort as texts."""
    return str(told["started"])
