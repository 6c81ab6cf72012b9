"""All runs of one drill together: how long, how often passed, what was lost; for repeats and for comparing days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from failoverd.drill.figures import percentile

Document = Mapping[str, Any]
_FIGURES: Final = {"outage": "outage_seconds", "to the next write": "rto_seconds"}


def distribution(runs: Sequence[Document]) -> Document:
    """The figures of these runs (summaries, oldest first) together; of none, a document that says so."""
    figures = {}
    for name, key in _FIGURES.items():
        values = [float(run[key]) for run in runs if run[key] is not None]
        if values:
            figures[name] = {
                "median": percentile(values, 0.5),
                "p90": percentile(values, 0.9),
                "least": min(values),
                "most": max(values),
            }
    top = max([float(run["outage_seconds"] or 0.0) for run in runs], default=0.0) or 1.0
    return {
        "drill": runs[-1]["drill"] if runs else None,
        "title": runs[-1]["title"] if runs else None,
        "runs": len(runs),
        "passed": sum(run["result"] == "passed" for run in runs),
        "lost_rows": sum(int(run["lost_rows"] or 0) for run in runs),
        "figures": figures,
        "top": top,
        "middle": round(170 - 150 * figures.get("outage", {}).get("median", 0.0) / top, 1),
        "points": [
            {
                "x": round(64 + 880 * (index + 0.5) / len(runs), 1),
                "y": round(170 - 150 * float(run["outage_seconds"] or 0.0) / top, 1),
                "result": run["result"],
            }
            for index, run in enumerate(runs)
        ],
    }
