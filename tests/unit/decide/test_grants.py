"""Grants: the statements, what SHOW GRANTS gives, and what is lacking."""

from __future__ import annotations

import pytest

from failoverd.decide.grants import PRIVILEGES, held, lacking, statements


def test_what_the_statements_grant_is_everything() -> None:
    newer = "REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN, XA_RECOVER_ADMIN, SYSTEM_USER"
    made = statements("fo")
    assert made == (
        "GRANT REPLICATION CLIENT, REPLICATION SLAVE, RELOAD, PROCESS ON *.* TO 'fo'@'%';",
        f"GRANT {newer} ON *.* TO 'fo'@'%';",
        "GRANT SELECT ON performance_schema.* TO 'fo'@'%';",
    )
    assert lacking(held(made)) == ()


def test_the_lines_of_a_server_are_read() -> None:
    assert held(
        (
            "GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO `fo`@`%`",
            "GRANT CONNECTION_ADMIN,SYSTEM_USER ON *.* TO `fo`@`%`",
            "GRANT SELECT ON `performance_schema`.* TO `fo`@`%`",
            "GRANT SELECT (`a`, `b`), INSERT ON `mysql`.`plugin` TO `fo`@`%`",
            "GRANT `role`@`%` TO `fo`@`%`",
        )
    ) == {
        "RELOAD",
        "PROCESS",
        "REPLICATION CLIENT",
        "CONNECTION_ADMIN",
        "SYSTEM_USER",
        "SELECT ON performance_schema.*",
        "SELECT ON mysql.plugin",
        "INSERT ON mysql.plugin",
    }


@pytest.mark.parametrize("privilege", PRIVILEGES, ids=lambda p: p.key)
def test_each_privilege_is_missed(privilege: object) -> None:
    rest = frozenset(p.key for p in PRIVILEGES if p is not privilege)
    assert lacking(rest) == (privilege,)


def test_nothing_held_lacks_everything() -> None:
    assert lacking(held(("GRANT USAGE ON *.* TO `fo`@`%`",))) == PRIVILEGES


def test_select_on_everything_covers_performance_schema() -> None:
    assert "SELECT" not in {p.name for p in lacking(frozenset({"SELECT"}))}


def test_all_privileges_cover_only_the_older_ones() -> None:
    assert {p.name for p in lacking(held(("GRANT ALL PRIVILEGES ON *.* TO `root`@`%`",)))} == {
        "REPLICATION_SLAVE_ADMIN",
        "SYSTEM_VARIABLES_ADMIN",
        "CONNECTION_ADMIN",
        "XA_RECOVER_ADMIN",
        "SYSTEM_USER",
    }
