"""The way of every command that begins an operation: the plan first, then a refusal or a question, then the act."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from failoverd.cli.plan import show_plan
from failoverd.cli.render import operation_view, show
from failoverd.cli.session import DONE, FINDING, Session, dry_run_option, json_option, reason_option, yes_option
from failoverd.decide.refusals import REFUSALS, standing
from failoverd.model.documents import Document, part, word
from failoverd.model.errors import PlanRefused
from failoverd.model.plans import Kind, Plan, Request
from failoverd.model.published import EXIT_CODES, UNFENCED
from failoverd.model.verdict import Refusal
from failoverd.plan.render import render_plan

Command = TypeVar("Command", bound=Callable[..., Any])

OUTCOMES: Final[Mapping[str, int]] = {str(result): code for result, code in EXIT_CODES.items()}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person is shown and asked, and what is then done.

    `against` makes a dry run exit with 1; `refusal` is raised before anything is asked.
    """

    plan: Plan
    against: tuple[Refusal, ...]
    refusal: PlanRefused | None
    question: str
    act: Callable[[], Document]


def acting(command: Command) -> Command:
    """The options of every command that begins an operation: --reason, --yes, --dry-run, --json, in this order."""
    for option in (json_option, dry_run_option, yes_option, reason_option):
        command = option(command)
    return command


def override_option(*kinds: Kind) -> Callable[[Command], Command]:
    """--override with the refusals that a person may override in operations of these kinds; without one, of all."""
    rows = tuple(row.id for row in REFUSALS if row.overridable and (not kinds or set(kinds) & set(row.kinds)))
    return click.option(
        "--override",
        multiple=True,
        metavar="REFUSAL",
        type=click.Choice(rows),
        help="Act in spite of this refusal, by the name that the plan shows; again for another one.",
    )


def carry_through(session: Session, wish: Wish, *, yes: bool, dry_run: bool) -> None:
    """Show the plan; then refuse it, or ask and act, and end with the exit code of what came of it."""
    if dry_run:
        show_plan(session, wish.plan)
        sys.exit(FINDING if wish.against else DONE)
    session.say(render_plan(wish.plan))
    if wish.refusal is not None:
        raise wish.refusal
    session.agree(wish.question, yes)
    end_with(session, wish.act())


def end_with(session: Session, operation: Document) -> None:
    """The operation as the one document, or for people; then its exit code."""
    if session.as_json:
        session.document(operation)
    else:
        show(operation_view(operation))
    sys.exit(exit_code(operation))


def still_standing(made: Plan, request: Request) -> tuple[Refusal, ...]:
    """The refusals that neither an override nor the accepted loss takes away."""
    covered = set(request.overrides)
    if request.accept_loss is not None and len(made.missing) <= request.accept_loss:
        covered.add("missing-transactions")
    return standing(made.refusals, frozenset(covered))


def exit_code(operation: Document) -> int:
    """What scripts are told: the outcome, and 1 for a done one with findings or whose fence could not be proven."""
    code = OUTCOMES.get(word(operation, "outcome"), FINDING)
    unfenced = word(part(operation, "fenced"), "how") == UNFENCED
    return FINDING if code == DONE and (unfenced or operation.get("findings")) else code
