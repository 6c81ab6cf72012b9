"""Transactions that a server has made for itself, as programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failoverd.model.divergence import Act, Change, Clash, Judged, Row, Transaction, Value
from failoverd.model.published import Json, time_text


def transaction_json(one: Transaction, judged: Judged, clashes: tuple[Clash, ...]) -> Json:
    """One transaction; `clashes` go with its changes."""
    tables = dict.fromkeys(f"{change.schema}.{change.table}" for change in one.changes)
    return {
        "gtid": one.gtid,
        "time": time_text(one.at),
        "acknowledged": str(judged.told),
        "evidence": judged.why,
        "tables": list(tables),
        "statements": list(one.statements),
        "rows": [change_json(change, clash) for change, clash in zip(one.changes, clashes, strict=True)],
        "problem": one.problem or None,
    }


def change_json(change: Change, clash: Clash) -> Json:
    """One row: null where there is none before an insert or after a delete."""
    return {
        "act": str(change.act),
        "table": f"{change.schema}.{change.table}",
        "key": row_json(change.key),
        "before": row_json(change.before),
        "after": row_json(change.after),
        "conflict": str(clash),
    }


def row_json(row: Row) -> Json | None:
    """A row's columns by name."""
    return {name: value_json(value) for name, value in row} if row else None


def value_json(value: Value) -> object:
    """A value; what has no plain form as its bytes."""
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def change_from(told: Mapping[str, Any]) -> Change:
    """A row as it was told, as a noun again."""
    schema, _, table = str(told["table"]).partition(".")
    images = [row_from(told[name]) for name in ("before", "after", "key")]
    return Change(Act(told["act"]), schema, table, *images)


def row_from(told: Mapping[str, Any] | None) -> Row:
    """A row's columns; what was told as bytes is bytes again."""
    return tuple((name, value_from(value)) for name, value in (told or {}).items())


def value_from(told: Any) -> Value:
    """One value."""
    return bytes.fromhex(told["hex"]) if isinstance(told, dict) else told
