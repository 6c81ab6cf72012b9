"""Every step says what it does, and recognises from a look alone that it has been done."""

from __future__ import annotations

from typing import get_args

import pytest

from failoverd.model import steps
from failoverd.model.divergence import Judged, Told
from failoverd.model.hooks import Point
from failoverd.model.host import LogKind
from failoverd.model.snapshot import TopologySnapshot
from failoverd.model.steps import Step
from failoverd.model.traffic import Haproxy, Vip
from tests.scenarios.words import gtids, identity
from tests.scenarios.world import build, endpoint

HUNDRED = gtids("db1:1-100")


def look(*lines: str) -> TopologySnapshot:
    return build(["db1 up", *lines]).snapshot


FOLLOWS = look("db2 replica")
STOPPED = look("db2 replica receiver=no")
CONNECTING = look("db2 replica receiver=connecting")
ALONE = look("db2 alone")
NOWHERE = look("db2 replica from=failoverd.invalid")
OPEN = look("db2 alone rw")
STARTS_CLOSED = look("db2 replica starts-closed")
BEHIND = look("db2 replica executed=db1:1-99")
AWAY = look("db2 down")
FENCED = look("db2 down", "agent db2 dead fenced=7")
FREE = look("db2 down", "agent db2 dead")

PRIMARY = look("db2 alone rw semi=waits clients=1")
DEAF = look("db2 alone rw semi=waits clients=0")
GIVES = look("db2 replica semi=acks")
GAVE = look("db2 replica receiver=no semi=on")
UNREGISTERED = look("db2 replica semi=on")
HALF = look("db2 replica semi=both")
UNREAD = look("db2 replica applier=no sqlerr=13121 received=db1:1-110")
READ = look("db2 replica applier=no sqlerr=13121")

VIP = Vip("10.0.0.100", 24, "eth0")
HAPROXY = Haproxy(("10.0.0.5:9999",), "shop")

CASES: dict[type, tuple[Step, tuple[TopologySnapshot, ...], tuple[TopologySnapshot, ...]]] = {
    steps.ClaimServer: (steps.ClaimServer("db2"), (), (FOLLOWS, AWAY)),
    steps.FenceHost: (steps.FenceHost("db2", identity("db2"), "guard"), (), (FENCED, FREE, AWAY)),
    steps.FenceSession: (steps.FenceSession("db2"), (FOLLOWS,), (OPEN, look("db2 replica plain"), AWAY)),
    steps.StopReceiver: (steps.StopReceiver("db2"), (STOPPED, ALONE), (FOLLOWS, CONNECTING, AWAY)),
    steps.StartReceiver: (steps.StartReceiver("db2"), (FOLLOWS, CONNECTING), (STOPPED, ALONE, AWAY)),
    steps.ReleaseFence: (steps.ReleaseFence("db2"), (FREE,), (FENCED, AWAY)),
    steps.Splice: (steps.Splice("db2", "db1", LogKind.BINARY, HUNDRED, 9), (FOLLOWS,), (BEHIND, AWAY)),
    steps.Fetch: (steps.Fetch("db2", "db3", endpoint("db3"), HUNDRED), (STOPPED,), (BEHIND, FOLLOWS, AWAY)),
    steps.EndPartial: (steps.EndPartial("db2"), (FOLLOWS, ALONE), (look("db2 replica queueing=db1:101"), AWAY)),
    steps.StartApplier: (steps.StartApplier("db2"), (FOLLOWS, ALONE), (look("db2 replica applier=no"), AWAY)),
    steps.Drain: (steps.Drain("db2", HUNDRED), (FOLLOWS,), (BEHIND, AWAY)),
    steps.DropSplice: (steps.DropSplice("db2"), (FOLLOWS, ALONE), (AWAY,)),
    steps.DisarmSource: (steps.DisarmSource("db2"), (ALONE, NOWHERE), (FOLLOWS, STOPPED, AWAY)),
    steps.OpenWrites: (steps.OpenWrites("db2"), (OPEN,), (FOLLOWS, look("db2 alone rw offline"), AWAY)),
    steps.PublishPrimary: (steps.PublishPrimary("db2"), (), (OPEN, AWAY)),
    steps.ForgetSource: (steps.ForgetSource("db2"), (ALONE,), (NOWHERE, FOLLOWS, AWAY)),
    steps.Repoint: (
        steps.Repoint("db2", "db1", endpoint("db1")),
        (FOLLOWS, CONNECTING),
        (STOPPED, NOWHERE, ALONE, AWAY),
    ),
    steps.Acknowledge: (steps.Acknowledge("db2"), (GIVES, GAVE), (UNREGISTERED, HALF, FOLLOWS, AWAY)),
    steps.AwaitAcks: (steps.AwaitAcks("db2", 1), (PRIMARY,), (DEAF, look("db2 alone rw semi=short"), OPEN, AWAY)),
    steps.GiveUpAcks: (steps.GiveUpAcks("db2"), (), (PRIMARY, OPEN, AWAY)),
    steps.StopWaiting: (steps.StopWaiting("db2"), (FOLLOWS, GIVES), (PRIMARY, HALF, AWAY)),
    steps.RelaxDurability: (steps.RelaxDurability("db2"), (), (FOLLOWS, AWAY)),
    steps.RestoreDurability: (steps.RestoreDurability("db2"), (), (FOLLOWS, AWAY)),
    steps.KeepLogs: (steps.KeepLogs("db2"), (), (FOLLOWS, AWAY)),
    steps.ApplyReadable: (steps.ApplyReadable("db2"), (FOLLOWS, ALONE), (UNREAD, READ, AWAY)),
    steps.TakeAddress: (steps.TakeAddress("db2", VIP), (), (FOLLOWS, OPEN, AWAY)),
    steps.LeaveAddress: (steps.LeaveAddress("db2", VIP), (FREE,), (FOLLOWS, AWAY)),
    steps.SteerBalancers: (steps.SteerBalancers("db2", ("db1",), HAPROXY), (), (FOLLOWS, OPEN, AWAY)),
    steps.RunHooks: (steps.RunHooks(Point.ON_PROMOTED, "db2"), (), (FOLLOWS, AWAY)),
    steps.FenceByHook: (steps.FenceByHook("db2"), (), (FENCED, AWAY)),
    steps.GetReady: (steps.GetReady("db2", "db1"), (), (FOLLOWS, AWAY)),
    steps.CloseWrites: (steps.CloseWrites("db2"), (), (FOLLOWS, OPEN, AWAY)),
    steps.CatchUp: (steps.CatchUp("db2", "db1"), (), (FOLLOWS, AWAY)),
    steps.KeepOut: (steps.KeepOut("db2"), (), (look("db2 alone offline"), FOLLOWS, AWAY)),
    steps.LetIn: (steps.LetIn("db2"), (FOLLOWS, OPEN), (look("db2 alone rw offline"), AWAY)),
    steps.CloseReturned: (
        steps.CloseReturned("db2"),
        (STARTS_CLOSED,),
        (OPEN, FOLLOWS, look("db2 replica plain"), AWAY),
    ),
    steps.ExportDivergence: (
        steps.ExportDivergence("db2", "db1", (Judged(HUNDRED, Told.UNKNOWN, "nobody knows"),)),
        (),
        (FOLLOWS, AWAY),
    ),
    steps.CloneData: (steps.CloneData("db2", "db3", endpoint("db3"), "db1"), (), (FOLLOWS, AWAY)),
    steps.RebuildByHook: (steps.RebuildByHook("db2", "db1"), (), (FOLLOWS, AWAY)),
    steps.InjectEmpty: (steps.InjectEmpty("db2", "db3", HUNDRED), (OPEN,), (AWAY,)),
    steps.CompareTable: (steps.CompareTable("db2", "db1", "app.t", 10.0), (), (FOLLOWS, AWAY)),
    steps.ProveAttached: (steps.ProveAttached("db2", "db1", "db1", 10.0), (), (FOLLOWS, AWAY)),
    steps.Replay: (steps.Replay("db2", "db3", HUNDRED), (), (OPEN, AWAY)),
    steps.Refetch: (steps.Refetch("db2", "db1", endpoint("db1"), HUNDRED), (), (FOLLOWS, AWAY)),
}


def test_every_step_is_here() -> None:
    assert set(CASES) == set(get_args(Step))


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_a_step_knows_when_it_is_done(kind: type) -> None:
    step, done, undone = CASES[kind]
    assert all(step.achieved(snapshot) for snapshot in done)
    assert not any(step.achieved(snapshot) for snapshot in undone)


def test_titles_name_the_server_and_differ() -> None:
    titles = [step.title() for step, _, _ in CASES.values()]
    assert len(set(titles)) == len(titles)
    assert all("db2" in title for title in titles)
