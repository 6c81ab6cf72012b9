"""Transactions that a server has made for itself, as programs read them."""

from __future__ import annotations

from failoverd.model.divergence import Change, Clash, Judged, Row, Transaction, Value
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
