"""Reading published JSON documents: what is missing or of another type reads as empty, never as an error."""

from __future__ import annotations

from collections.abc import Mapping

Document = Mapping[str, object]


def word(document: Document, key: str) -> str:
    """The value as text; empty for null and for what is not there."""
    value = document.get(key)
    return "" if value is None else str(value)


def number(document: Document, key: str) -> int:
    """The whole number; 0 for what is none."""
    value = document.get(key)
    return value if isinstance(value, int) else 0


def parts(document: Document, key: str) -> tuple[Document, ...]:
    """The documents in a list."""
    value = document.get(key)
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, list | tuple) else ()


def part(document: Document, key: str) -> Document:
    """The document within a document; an empty one for null."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def words(document: Document, key: str) -> tuple[str, ...]:
    """The texts in a list."""
    value = document.get(key)
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()


def writes_word(server: Document) -> str:
    """Whether a server accepts writes, in a word."""
    if not server.get("reachable"):
        return "unreachable"
    if server.get("super_read_only"):
        return "closed"
    return "read-only" if server.get("read_only") else "open"
