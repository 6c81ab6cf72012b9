"""Clients that know one address only: they follow the primary, are kept there, and need no manager for going on."""

from __future__ import annotations

import subprocess
from itertools import pairwise

from failoverd.lab.leading import balancer_address, virtual_address
from failoverd.lab.writer import Account, Writer
from tests.acceptance.conftest import LabFactory
from tests.acceptance.leading import Proxy, asked, client, holding, led_rehearsal
from tests.acceptance.rehearsal import MANAGERS, NOTHING_LOST, PATIENCE, Rehearsal, eventually


def going_on(*writers: Writer) -> None:
    """Every client is acknowledged fifty more rows."""
    for writer in writers:
        assert writer.wait_for_acks(50, PATIENCE), writer.account.errors


def one_way(play: Rehearsal, proxy: Proxy, primary: str) -> None:
    """Only that server's host has the address, and HAProxy leads to it alone."""
    eventually(lambda: holding(play.lab), lambda found: found == (primary,), f"the address on the host of {primary}")
    eventually(proxy.ready, lambda found: found == (primary,), f"HAProxy leading to {primary}")


def told_by(play: Rehearsal, manager: str, primary: str) -> None:
    """A manager, active or standby, says yes for that server alone."""
    for server in play.lab.servers:
        code = 200 if server == primary else 503
        eventually(
            lambda server=server: asked(play.lab, manager, f"/clusters/shop/is-primary?server={server}"),  # type: ignore[misc]
            lambda status, code=code: status == code,  # type: ignore[misc]
            f"{code} for {server}",
        )
    assert asked(play.lab, manager, "/health/ready") == 200


def anew(play: Rehearsal, primary: str, host: str) -> Writer:
    """A client that knows only this address begins with an empty table, and writes."""
    play.lab.sql(primary, "DELETE FROM app.numbered")
    writer = client(play.lab, host)
    writer.start()
    going_on(writer)
    return writer


def no_number_twice(account: Account) -> None:
    """Rows came in order."""
    assert all(a.number < b.number for a, b in pairwise(account.acks))


def test_a_client_of_the_virtual_address_follows_a_failover(lab: LabFactory) -> None:
    with led_rehearsal(lab()) as (play, proxy):
        play.begin()
        one_way(play, proxy, "db1")
        play.writer.stop()
        writer = anew(play, "db1", virtual_address(play.lab))
        died = play.kill_primary()
        going_on(writer)
        shown = play.ended()
        elect = shown["new_primary"]
        one_way(play, proxy, elect)
        assert shown["lost"] == NOTHING_LOST
        stages = [step["stage"] for step in shown["steps"] if step["outcome"] == "done"]
        assert stages.index("TRAFFIC") > stages.index("PROMOTE")
        assert not [step for step in shown["steps"] if step["outcome"] == "failed"]
        (away,) = [s for s in shown["steps"] if s["server"] == "db1" and s["title"].startswith("take ")]
        assert away["detail"] == "was not there", "the fence takes the address away, before there is a new primary"
        for manager in MANAGERS:
            told_by(play, manager, elect)
        account = writer.stop()
        no_number_twice(account)
        assert account.first_ack_after(died) is not None
        flush = f"ip address flush dev eth0 label eth0 to {virtual_address(play.lab)} && ip address show dev eth0"
        left = play.lab.call_in(elect, ["sh", "-c", flush]).stdout  # looked at at once: managers bring it back
        assert virtual_address(play.lab) not in str(left)
        one_way(play, proxy, elect)


def test_clients_of_haproxy_follow_a_failover_its_restart_and_need_no_manager(lab: LabFactory) -> None:
    with led_rehearsal(lab()) as (play, proxy):
        play.begin()
        one_way(play, proxy, "db1")
        play.writer.stop()
        writer = anew(play, "db1", balancer_address(play.lab))
        play.kill_primary()
        going_on(writer)
        elect = play.ended()["new_primary"]
        one_way(play, proxy, elect)
        proxy.stop()  # it comes back knowing nobody, and is told again
        proxy.start()
        one_way(play, proxy, elect)
        going_on(writer)
        for manager in MANAGERS:
            play.managers.kill(manager)
        going_on(writer)
        one_way(play, proxy, elect)
        no_number_twice(writer.stop())


def test_clients_follow_a_switchover_there_and_back(lab: LabFactory) -> None:
    with led_rehearsal(lab()) as (play, proxy):
        play.begin()
        one_way(play, proxy, "db1")
        play.writer.stop()
        writer = anew(play, "db1", virtual_address(play.lab))
        for primary in ("db2", "db1"):
            code, document, _ = play.command("switchover", "shop", "--to", primary, "--yes")
            assert (code, document["outcome"]) == (0, "done"), document
            assert not [step for step in document["steps"] if step["outcome"] == "failed"]
            assert holding(play.lab) == (primary,)
            assert proxy.ready() == (primary,)
            going_on(writer)
        no_number_twice(writer.stop())


# Nobody fails over here: the ways of the clients are what counts.
BY_HAND = {"clusters": {"shop": {"failover": {"automatic": False}}}}


def strip(play: Rehearsal, server: str) -> None:
    """The host's interface has no virtual address any more, as after a start of either."""
    words = ("address", "delete", f"{virtual_address(play.lab)}/24", "dev", "eth0")
    subprocess.run(["ip", "-n", play.lab.hosts[server].namespace, *words], check=True, timeout=20)


def test_a_flapped_interface_and_a_booted_host_are_given_the_address_back_and_managers_may_die(lab: LabFactory) -> None:
    with led_rehearsal(lab(settings=BY_HAND)) as (play, proxy):
        play.begin()
        one_way(play, proxy, "db1")
        play.writer.stop()
        writers = [anew(play, "db1", virtual_address(play.lab)), client(play.lab, balancer_address(play.lab))]
        writers[1]._number = 10**9
        writers[1].start()
        going_on(*writers)

        play.lab.fault.link("db1", up=False)
        strip(play, "db1")
        play.lab.fault.link("db1", up=True)
        one_way(play, proxy, "db1")
        going_on(*writers)

        play.lab.fault.poweroff("db1")
        strip(play, "db1")
        play.lab.fault.start("db1")
        eventually(lambda: play.command("reopen", "shop", "--yes")[0], lambda code: code == 0, "an open primary")
        one_way(play, proxy, "db1")
        going_on(*writers)

        for manager in MANAGERS:
            play.managers.kill(manager)
        going_on(*writers)
        one_way(play, proxy, "db1")
