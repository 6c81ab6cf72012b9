"""Names of the session locks."""

from __future__ import annotations

from failoverd.drivers.mysql.access import ReplicationAccess, ServerAccess
from failoverd.drivers.mysql.claims import LockNames
from failoverd.model.sight import Endpoint


def test_names_fit_into_what_mysql_takes_and_ignore_case() -> None:
    names = LockNames.of("S" * 32, 10**12, "a manager with a very long name " * 5)
    every = (names.cluster, names.epoch, names.manager, *names.newer)
    assert all(len(name) <= 64 for name in every)
    assert all(name == name.lower() for name in every)
    assert len(set(every)) == len(every)


def test_the_next_64_epochs_are_looked_for() -> None:
    names = LockNames.of("Shop", 7, "m1")
    assert (names.cluster, names.epoch) == ("failoverd/shop", "failoverd/shop/7")
    assert (names.newer[0], names.newer[-1], len(names.newer)) == ("failoverd/shop/8", "failoverd/shop/71", 64)


def test_managers_have_names_of_their_own() -> None:
    assert LockNames.of("shop", 1, "m1").manager != LockNames.of("shop", 1, "m2").manager


def test_passwords_are_never_shown() -> None:
    access = ServerAccess("shop", "db1", Endpoint("10.0.0.1", 3306), "failoverd", "hunter2")
    assert "hunter2" not in repr((access, ReplicationAccess("repl", "hunter2")))
