"""Loading runbooks: what is right is read whole, what is wrong is told with path and line, nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.config.complaints import ConfigErrors
from failoverd.config.runbook import load_runbook
from failoverd.config.runbook_shapes import AbortShape, ExpectShape, StepShape
from failoverd.model.runbook import (
    FAULTS,
    SENTENCES,
    Abort,
    AskStep,
    Condition,
    Expectation,
    Fault,
    FaultStep,
    HookStep,
    Need,
    Role,
    RunStep,
    WaitStep,
)

SHIPPED = sorted((Path(__file__).parents[3] / "conf/drills").glob("*.yml"))
WHOLE = """\
title: A drill
about: |
  Why,
  and what to look at.
on: shop
needs: [healthy, standby]
blast_radius: [primary, replica]
lab: {replicas: 3, lossless: true, settings: [failover.cooldown=0s, failover.automatic=true]}
probe: {every: 20ms, through: "10.0.0.5:3306", reads: false}
steps:
  - {wait: 500ms}
  - {wait: healthy, within: 10s}
  - {fault: kill, at: primary, clock: true, lasts: 30s}
  - {fault: cut, at: replica, peer: managers}
  - {run: "switchover {cluster} --yes", exit: 3}
  - ask: is the page red?
  - {hook: /usr/local/bin/tell, within: 5s}
expect:
  - {within: 3s, new_primary: any}
  - lost_rows: 0
cleanup:
  - fault: heal
abort_if:
  - two_writers: true
  - outage_over: 20s
abort_file: /run/stop
"""
SMALL = """\
title: A drill
about: why
steps: [{fault: kill, at: primary}]
expect: [{lost_rows: 0}]
"""


def put(folder: Path, text: str) -> Path:
    file = folder / "ours.yml"
    file.write_text(text)
    return file


def complaints(folder: Path, text: str) -> list[str]:
    """What is wrong, as `LINE PATH: sentence`."""
    try:
        load_runbook(put(folder, text))
    except ConfigErrors as errors:
        return [f"{c.place.line} {c.path}: {c.sentence}" for c in errors.complaints]
    return []


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    book = load_runbook(put(tmp_path, WHOLE))
    assert (book.name, book.on, book.title, book.about) == ("ours", "shop", "A drill", "Why,\nand what to look at.")
    assert book.needs == (Need.HEALTHY, Need.STANDBY)
    assert book.needs_place == f"{tmp_path}/ours.yml:6"
    assert book.blast_radius == (Role.PRIMARY, Role.REPLICA)
    place = f"{tmp_path}/ours.yml"
    assert book.steps == (
        WaitStep(0.5, place=f"{place}:11"),
        WaitStep(Condition.HEALTHY, 10.0, place=f"{place}:12"),
        FaultStep(Fault.KILL, Role.PRIMARY, lasts=30.0, clock=True, place=f"{place}:13"),
        FaultStep(Fault.CUT, Role.REPLICA, Role.MANAGERS, place=f"{place}:14"),
        RunStep("switchover {cluster} --yes", 3, place=f"{place}:15"),
        AskStep("is the page red?", place=f"{place}:16"),
        HookStep("/usr/local/bin/tell", 5.0, place=f"{place}:17"),
    )
    assert book.expect == (
        Expectation("new_primary", "any", 3.0, f"{place}:19"),
        Expectation("lost_rows", 0, None, f"{place}:20"),
    )
    assert book.cleanup == (FaultStep(Fault.HEAL, place=f"{place}:22"),)
    assert book.abort_if == (Abort("two_writers"), Abort("outage_over", 20.0))
    assert book.abort_file == "/run/stop"
    assert (book.lab.replicas, book.lab.lossless) == (3, True)
    assert book.lab.settings == (("failover.cooldown", "0s"), ("failover.automatic", "true"))
    assert (book.probe.every, book.probe.through, book.probe.reads) == (0.02, "10.0.0.5:3306", False)
    assert book.starts_the_clock == 2


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    book = load_runbook(put(tmp_path, SMALL))
    assert (book.on, book.needs, book.cleanup, book.abort_if, book.lab.managers) == ("lab", (), (), (), 2)
    assert book.starts_the_clock == 0


BAD = {
    "unknown field": (SMALL + "retries: 3\n", "5 retries: is not a known key"),
    "unknown step": (
        SMALL.replace("fault: kill", "fualt: kill"),
        "3 steps[0]: says nothing known: it has fualt, at, and needs one of fault, run, wait, ask, hook",
    ),
    "unknown fault": (SMALL.replace("kill", "explode"), "3 steps[0].fault: 'explode' is not one of kill, freeze"),
    "unknown field of a step": (
        SMALL.replace("at: primary", "at: primary, times: 2"),
        "3 steps[0].times: is not a known key",
    ),
    "two things in one step": (
        SMALL.replace("at: primary", "wait: 3s"),
        "3 steps[0]: says more than one thing: fault and wait; each stands in an entry of its own",
    ),
    "unknown expectation": (
        SMALL.replace("lost_rows", "won_rows"),
        "4 expect[0]: says nothing known: it has won_rows, and needs one of new_primary",
    ),
    "impossible number": (SMALL.replace("lost_rows: 0", "lost_rows: -1"), "4 expect[0].lost_rows: -1 is outside 0"),
    "impossible time": (
        SMALL.replace("lost_rows: 0", "new_primary: any, within: 0s"),
        "4 expect[0].within: 0s is outside 100ms to 1h",
    ),
    "time without a unit": (
        SMALL.replace("lost_rows: 0", "outage_below: 3"),
        "4 expect[0].outage_below: '3' is not a duration",
    ),
    "contradiction": (
        SMALL.replace("{lost_rows: 0}", "{new_primary: any}, {no_failover: true}"),
        "4 expect[1].no_failover: cannot hold together with new_primary",
    ),
    "a move that nobody wants": (
        SMALL.replace("{lost_rows: 0}", "{no_failover: true}, {operation: failover done}"),
        "4 expect[1].operation: cannot hold together with no_failover",
    ),
    "reads that nobody makes": (
        SMALL.replace("lost_rows: 0", "stale_reads_below: 1s") + "probe: {reads: false}\n",
        "4 expect[0].stale_reads_below: cannot be judged: the probe does not read",
    ),
    "nobody to hit": (SMALL.replace(", at: primary", ""), "3 steps[0].fault: 'kill' does not say whom it hits"),
    "the wrong one to hit": (
        SMALL.replace("kill, at: primary", "fill-disk, at: zookeeper"),
        "3 steps[0].at: 'fill-disk' cannot hit 'zookeeper'",
    ),
    "a cut with one side": (SMALL.replace("kill", "cut"), "3 steps[0].fault: 'cut' needs a peer"),
    "a peer for nothing": (
        SMALL.replace("at: primary", "at: primary, peer: replica"),
        "3 steps[0].fault: 'kill' takes no peer",
    ),
    "outside the radius": (
        SMALL + "blast_radius: [replica]\n",
        "3 steps[0].at: 'primary' lies outside the blast radius",
    ),
    "no standby where one is needed": (
        SMALL + "needs: [standby]\nlab: {managers: 1}\n",
        "5 needs: the lab of this runbook has no standby",
    ),
    "no standby to hit": (
        SMALL.replace("at: primary", "at: standby-manager") + "lab: {managers: 1}\n",
        "3 steps[0].at: the lab has no standby-manager",
    ),
    "no other replica": (
        SMALL.replace("lost_rows: 0", "new_primary: other-replica") + "lab: {replicas: 1}\n",
        "4 expect[0].new_primary: the lab has no other-replica",
    ),
    "lossless without a lossless lab": (
        SMALL + "needs: [lossless]\n",
        "5 needs: the lab of this runbook has no lossless",
    ),
    "an even ensemble": (SMALL + "lab: {zookeepers: 2}\n", "5 lab.zookeepers: 2 is no size of an ensemble"),
    "two clocks": (
        SMALL.replace("[{fault: kill, at: primary}]", "[{wait: 1s, clock: true}, {wait: 2s, clock: true}]"),
        "3 steps[1].clock: the clock starts twice",
    ),
    "a clock in the cleanup": (
        SMALL + "cleanup: [{fault: heal, clock: true}]\n",
        "5 cleanup[0].clock: the clock cannot start in the cleanup",
    ),
    "another program": (
        SMALL.replace("fault: kill, at: primary", "run: rm -rf /"),
        "3 steps[0].run: 'rm -rf /' is not a failoverd command that a drill may use",
    ),
    "nothing to wait for": (
        SMALL.replace("fault: kill, at: primary", "wait: luck"),
        "3 steps[0].wait: 'luck' is neither a duration nor one of healthy",
    ),
    "no steps": (SMALL.replace("[{fault: kill, at: primary}]", "[]"), "3 steps: is an empty list"),
    "no title": (SMALL.replace("title: A drill\n", ""), "1 title: is missing"),
    "no expectation": (SMALL.replace("expect: [{lost_rows: 0}]\n", ""), "1 expect: is missing"),
    "not a runbook": ("- a\n", "1 : is a list instead of sections with keys"),
    "a step that is a word": (SMALL.replace("[{fault: kill, at: primary}]", "[kill]"), "3 steps[0]: is 'kill' instead"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_with_path_and_line(name: str, tmp_path: Path) -> None:
    text, said = BAD[name]
    assert [found for found in complaints(tmp_path, text) if found.startswith(said)], complaints(tmp_path, text)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    assert len(complaints(tmp_path, SMALL.replace("kill", "explode").replace("rows: 0", "rows: x") + "a: 1\n")) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="there is no such file"):
        load_runbook(tmp_path / "none.yml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_runbooks_load(file: Path) -> None:
    book = load_runbook(file)
    assert book.about
    assert book.on == "lab"
    assert all(step.title for step in (*book.steps, *book.cleanup))


def test_tables_name_the_same_things() -> None:
    assert set(ExpectShape.VARIANTS) == set(SENTENCES)
    assert set(FAULTS) == set(Fault)
    assert set(StepShape.VARIANTS) == {"fault", "run", "wait", "ask", "hook"}
    assert set(AbortShape.VARIANTS) == {"two_writers", "outage_over", "verdict"}
