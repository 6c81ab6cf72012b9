"""Clients that know one address only: they follow the primary, are kept there, and need no manager for going on."""

from __future__ import annotations

from itertools import pairwise

from failoverd.lab.writer import Account, Writer
from tests.acceptance.conftest import LabFactory
from tests.acceptance.leading import Proxy, address, balancer, client, holding, led_rehearsal
from tests.acceptance.rehearsal import NOTHING_LOST, PATIENCE, Rehearsal, eventually


def going_on(*writers: Writer) -> None:
    """Every client is acknowledged fifty more rows."""
    for writer in writers:
        assert writer.wait_for_acks(50, PATIENCE), writer.account.errors


def one_way(play: Rehearsal, proxy: Proxy, primary: str) -> None:
    """Only that server's host has the address, and HAProxy leads to it alone."""
    eventually(lambda: holding(play.lab), lambda found: found == (primary,), f"the address on the host of {primary}")
    eventually(proxy.ready, lambda found: found == (primary,), f"HAProxy leading to {primary}")


def no_number_twice(account: Account) -> None:
    """Rows came in order."""
    assert all(a.number < b.number for a, b in pairwise(account.acks))


def test_clients_of_one_address_follow_a_failover_and_need_no_manager(lab: LabFactory) -> None:
    with led_rehearsal(lab()) as (play, proxy):
        play.begin()
        one_way(play, proxy, "db1")
        through = [client(play.lab, address(play.lab)), client(play.lab, balancer(play.lab))]
        play.writer.pause()  # the others write rows with the same numbers
        play.lab.sql("db1", "DELETE FROM app.numbered")
        by_vip, by_proxy = through
        by_vip.start()
        going_on(by_vip)
        died = play.kill_primary()
        going_on(by_vip)
        shown = play.ended()
        elect = shown["new_primary"]
        one_way(play, proxy, elect)
        assert shown["lost"] == NOTHING_LOST
        stages = [step["stage"] for step in shown["steps"] if step["outcome"] == "done"]
        assert stages.index("TRAFFIC") > stages.index("PROMOTE")
        account = by_vip.stop()
        no_number_twice(account)
        after = account.first_ack_after(died)
        assert after is not None

        play.lab.sql(elect, "DELETE FROM app.numbered")
        by_proxy.start()
        going_on(by_proxy)
        proxy.stop()  # it comes back knowing nobody, and is told again
        proxy.start()
        one_way(play, proxy, elect)
        going_on(by_proxy)

        play.managers.stop()
        going_on(by_proxy)
        one_way(play, proxy, elect)
        no_number_twice(by_proxy.stop())
        play.writer.resume()
