"""Sections that can be one of several shapes: which one is said by the key that only that shape has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from failoverd.config.document import Section


class Tagged:
    """A section whose shape is named by one of its keys; `VARIANTS` maps that key to the shape."""

    VARIANTS: ClassVar[Mapping[str, type[Any]]] = {}


def variant(shape: type[Tagged], section: Section) -> type[Any] | str:
    """The shape that the section's keys name; a sentence where they name none or more than one."""
    found = [entry.key for entry in section.entries if entry.key in shape.VARIANTS]
    if len(found) == 1:
        return shape.VARIANTS[found[0]]
    known = ", ".join(shape.VARIANTS)
    if not found:
        keys = ", ".join(entry.key for entry in section.entries) or "no key"
        return f"says nothing known: it has {keys}, and needs one of {known}"
    return f"says more than one thing: {' and '.join(found)}; each stands in an entry of its own"
