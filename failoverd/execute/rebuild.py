"""REBUILD: a server that came back is built anew by people's own programs, and seen up again."""

from __future__ import annotations

from failoverd.execute.hands import Hands
from failoverd.execute.hooks import Asked, run_point, spoken
from failoverd.execute.overwriting import Watch, came_back
from failoverd.model.errors import StepFailed
from failoverd.model.hooks import Point
from failoverd.model.published import operation_json
from failoverd.model.steps import RebuildByHook

LINE = 200  # characters of a hook's latest line that are told as progress


def rebuild_by_hook(step: RebuildByHook, hands: Hands) -> str:
    """Mark it, so that nobody takes it for a replica whatever becomes of it; run the programs; wait until it is up with
    other settings of replication than the mark. A program that fails leaves it closed and marked.
    """
    watch = Watch(step.server, step.primary, hands)
    asked = Asked(
        Point.REBUILD,
        operation_json(hands.operation),
        until_failure=True,
        about={"SERVER": step.server, "SERVER_ADDRESS": str(hands.policy.server(step.server).endpoint)},
        heed=lambda line: heed(watch, line),
    )
    must_stand(hands)
    hands.claimed(step.server).mark_unfinished()
    try:
        names = run_all(step.server, hands, asked)
    except BaseException:
        watch.close_again()
        raise
    seconds = watch.seconds
    came_back(watch, "its programs ended well", f"{names} ended well, and the mark is still there")
    return f"rebuilt by {names} in {seconds:.1f} s; it is up again, closed"


def must_stand(hands: Hands) -> None:
    """Before anything is changed: StepFailed or HookError where there is no program that may be run."""
    hooks, folder = hands.outside.hooks, hands.policy.hooks.folder
    if hooks is None or not hooks.names(folder, Point.REBUILD):
        raise StepFailed(f"no program stands at {Point.REBUILD}", folder)


def run_all(server: str, hands: Hands, asked: Asked) -> str:
    """The names of the programs, all of which have ended well; StepFailed where one has not."""
    results = run_point(hands, asked)
    failed = [result for result in results if not result.ok]
    if failed:
        raise StepFailed(
            f"{server} could not be rebuilt", spoken(failed[0]), "it is closed and marked: mend that, begin anew"
        )
    return ", ".join(result.name for result in results)


def heed(watch: Watch, line: str) -> None:
    """Go on only with the lease and beside a primary; tell what the program said last."""
    watch.guard()
    watch.tell(lambda: readable(line) or "the program says nothing")


def readable(line: str) -> str:
    """What people may be shown of a line: nothing that moves their terminal's cursor."""
    return "".join(one if one.isprintable() else " " for one in line[-LINE:]).strip()
