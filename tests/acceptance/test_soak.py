"""The ways to the primary shaken at random, and the machine under load: nobody is failed over, the client is served.

`make soak` does it for half an hour; FAILOVERD_SOAK is the time in seconds, FAILOVERD_SEED repeats what was done.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from failoverd.lab import Lab
from failoverd.lab.writer import writer_for
from failoverd.model.errors import ServerError
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import MANAGERS, PATIENCE, rehearsal

SECONDS = float(os.environ.get("FAILOVERD_SOAK", "180"))
SEED = int(os.environ.get("FAILOVERD_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
SHAKEN = 4.0
WORK = "SELECT BENCHMARK(3000000, SHA2('load', 256))"

Shake = Callable[[Lab, random.Random, str], None]


def delay(lab: Lab, chance: random.Random, manager: str) -> None:
    lab.fault.slow(manager, "db1", chance.uniform(5, 150), jitter=chance.uniform(0, 30))


def loss(lab: Lab, chance: random.Random, manager: str) -> None:
    lab.fault.loss(manager, "db1", chance.randint(1, 30))


def one_way(lab: Lab, chance: random.Random, manager: str) -> None:
    pair = ("db1", manager) if chance.random() < 0.5 else (manager, "db1")
    lab.fault.cut(*pair, one_way=True)


def cut(lab: Lab, chance: random.Random, manager: str) -> None:
    del chance
    lab.fault.cut(manager, "db1")


def replica_away(lab: Lab, chance: random.Random, manager: str) -> None:
    lab.fault.cut(manager, chance.choice(["db2", "db3"]))


def load(lab: Lab, chance: random.Random, manager: str) -> None:
    del chance, manager

    def work() -> None:
        try:
            lab.sql("db1", WORK)
        except ServerError:
            return  # the lab went down meanwhile

    threading.Thread(target=work, daemon=True).start()


SHAKES: tuple[Shake, ...] = (delay, loss, one_way, cut, replica_away, load)


@pytest.mark.timeout(SECONDS + 240)
def test_nobody_is_failed_over(lab: LabFactory) -> None:
    chance = random.Random(SEED)
    with rehearsal(lab(switch=True)) as play:
        play.writer = writer_for(play.lab, patience=10.0)
        play.begin()
        done: list[str] = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            shakes = chance.sample(SHAKES, chance.randint(1, 2))
            for shake in shakes:
                shake(play.lab, chance, chance.choice(MANAGERS))
            done.append("+".join(shake.__name__ for shake in shakes))
            time.sleep(chance.uniform(1.0, SHAKEN))
            play.go_on(20)
            play.lab.fault.heal()
            assert play.logged("operation opened") == [], (SEED, done)
        told = play.managers.wait_for("a healthy cluster", lambda s: s["verdict"] == "healthy", PATIENCE)
        sizes = {server["name"]: server["transaction_bytes"] for server in told["servers"]}
        assert all(200 < (sizes[replica] or 0) < 2000 for replica in play.replicas()), "a row of the client's, measured"
        account = play.writer.stop()
        assert play.operations() == [], (SEED, done)
        assert {ack.server for ack in account.acks} == {"db1"}
        assert not account.errors, (SEED, done)
