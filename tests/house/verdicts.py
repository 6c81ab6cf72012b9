"""docs/verdicts.md, made from the tables that decide: `python -m tests.house.verdicts` writes it, a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from failoverd.decide.candidate import OBSTACLES
from failoverd.decide.fitness import SERVER_ROWS
from failoverd.decide.problems import PROBLEMS
from failoverd.decide.readiness import CLUSTER_ROWS
from failoverd.decide.refusals import REFUSALS
from failoverd.decide.rules import RULES
from failoverd.model.verdict import Advice, VerdictName

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verdicts.md"

HEAD = """\
# Verdicts, refusals, reasons and problems

Everything that failoverd can say about a cluster, with what a person does about it. This page is made from the tables
that decide (`make verdicts`), and a test keeps it so. Words in braces are filled in from what was seen.
"""
VERDICTS = {
    VerdictName.HEALTHY: "the primary answers and takes writes",
    VerdictName.SUSPECT: "something is wrong, and either evidence is still coming in or the primary is alive after all",
    VerdictName.PRIMARY_DEAD: "the primary is gone, or dies again and again",
    VerdictName.PRIMARY_FROZEN: "something lives there and answers nobody",
    VerdictName.PRIMARY_HUNG: "the primary answers, and no write comes to an end",
    VerdictName.PRIMARY_UNFIT: "the primary answers and cannot be written to: closed, or without a usable disk",
    VerdictName.BLIND: "we are the ones who cannot see",
    VerdictName.INCONSISTENT: "the servers contradict each other or the record: only a person can tell what is right",
}
LEADS_TO = {
    Advice.NOTHING: "nothing",
    Advice.LOOK_AGAIN: "another look, soon",
    Advice.FAIL_OVER: "a failover",
    Advice.REOPEN: "the primary is opened again",
    Advice.REJOIN: "the old primary is closed and, where nothing in it diverged, attached",
    Advice.RECORD: "the primary is recorded",
    Advice.ALERT: "an alert",
}
SWITCHES = {
    VerdictName.PRIMARY_DEAD: "dead",
    VerdictName.PRIMARY_FROZEN: "frozen",
    VerdictName.PRIMARY_HUNG: "hung",
    VerdictName.PRIMARY_UNFIT: "unfit",
}


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *verdicts(), *rules(), *refusals(), *obstacles(), *problems(), *findings()))


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table in the page's form."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def verdicts() -> Iterator[str]:
    """What each verdict means."""
    yield "## Verdicts\n"
    yield from table(("verdict", "means"), ((f"`{name}`", said) for name, said in VERDICTS.items()))


def rules() -> Iterator[str]:
    """The rule table in its order."""
    yield "## Rules: the first that holds is the verdict\n"
    yield "An act needs the active manager's lock, `failover.automatic`, and no refusal. The switches of `failover.on`"
    yield "say for each verdict whether a failover follows or only an alert; of their defaults, `hung` and `unfit` only"
    yield "alert.\n"
    heads = ("rule", "verdict", "sentence", "leads to", "what to do")
    yield from table(
        heads, ((f"`{r.id}`", f"`{r.verdict}`", r.sentence, leads(r.advice, r.verdict), r.hint) for r in RULES)
    )


def leads(advice: Advice, verdict: VerdictName) -> str:
    """What a rule leads to, with the switch that may say otherwise."""
    switch = f" (`on.{SWITCHES[verdict]}`)" if advice is Advice.FAIL_OVER else ""
    return LEADS_TO[advice] + switch


def refusals() -> Iterator[str]:
    """The refusal table."""
    yield "## Refusals: what stands against an act\n"
    yield "A person overrides a refusal once, by its name: `failoverd failover CLUSTER --override NAME`.\n"
    heads = ("refusal", "sentence", "stands against", "override", "what to do")
    yield from table(
        heads,
        (
            (f"`{r.id}`", r.sentence, ", ".join(sorted(r.kinds)), "yes" if r.overridable else "no", r.hint)
            for r in REFUSALS
        ),
    )


def obstacles() -> Iterator[str]:
    """Why a server cannot be promoted."""
    yield "## Why a server is not promoted\n"
    yield from table(("reason", "sentence", "what to do"), ((f"`{o.id}`", o.sentence, o.hint) for o in OBSTACLES))


def problems() -> Iterator[str]:
    """What is wrong with single servers."""
    yield "## Problems of single servers\n"
    yield from table(("problem", "sentence", "what to do"), ((f"`{p.id}`", p.sentence, p.hint) for p in PROBLEMS))


def findings() -> Iterator[str]:
    """What `check` adds."""
    yield "## What `failoverd check` says besides\n"
    heads = ("finding", "severity", "sentence", "what to do")
    yield from table(
        heads,
        (
            *((f"`{r.id}`", str(r.severity), r.sentence, r.hint or "nothing") for r in CLUSTER_ROWS),
            *((f"`{r.id}`", str(r.severity), r.sentence, r.hint) for r in SERVER_ROWS),
        ),
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
