"""What a runbook would do, as a document: `--plan` shows it and touches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd.model.runbook import Runbook

Document = Mapping[str, Any]


def preview(book: Runbook, on: str) -> Document:
    """Everything that would be done, in order, and what would be expected."""
    return {
        "drill": book.name,
        "title": book.title,
        "about": book.about,
        "file": book.file,
        "on": on,
        "needs": [str(need) for need in book.needs],
        "blast_radius": [str(role) for role in book.blast_radius],
        "steps": [
            {"title": step.title, "place": step.place, "clock": index == book.starts_the_clock}
            for index, step in enumerate(book.steps)
        ],
        "expect": [{"title": one.title, "place": one.place} for one in book.expect],
        "cleanup": [{"title": step.title, "place": step.place} for step in book.cleanup],
        "abort_if": [one.title for one in book.abort_if],
        "abort_file": book.abort_file or None,
    }


def text(told: Document) -> str:
    """The same for people."""
    lines = [f"{told['drill']}: {told['title']}", f"on {told['on']}; {told['file']}", "", told["about"], ""]
    if told["needs"]:
        lines.append(f"needs: {', '.join(told['needs'])}")
    if told["blast_radius"]:
        lines.append(f"hits nobody but: {', '.join(told['blast_radius'])}")
    lines += ["steps:"]
    lines += [
        f"  {number}. {step['title']}{'   <- times count from here' if step['clock'] else ''}"
        for number, step in enumerate(told["steps"], 1)
    ]
    for heading, key in (("expected:", "expect"), ("cleanup, whatever happens:", "cleanup")):
        lines += [heading, *(f"  - {one['title']}" for one in told[key])] if told[key] else []
    if told["abort_if"] or told["abort_file"]:
        reasons = [*told["abort_if"], *([f"{told['abort_file']} is there"] if told["abort_file"] else [])]
        lines.append(f"ends at once if: {'; '.join(reasons)}")
    return "\n".join(lines)
