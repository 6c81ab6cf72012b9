"""The statements of a replay: every column by its quoted name, exactly the row that was, never more than one."""

from __future__ import annotations

import pytest

from failoverd.drivers.mysql.amending import statement_of
from failoverd.model.divergence import Act, Change

BEFORE = (("n", 1), ("odd `%", None))
AFTER = (("n", 1), ("odd `%", "x"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(Act.INSERT, "app", "t", (), AFTER), "INSERT INTO `app`.`t` SET `n` = %s, `odd ``%%` = %s"),
        (
            Change(Act.UPDATE, "app", "t", BEFORE, AFTER),
            "UPDATE `app`.`t` SET `n` = %s, `odd ``%%` = %s WHERE `n` <=> %s AND `odd ``%%` <=> %s LIMIT 2",
        ),
        (
            Change(Act.DELETE, "app", "t", BEFORE),
            "DELETE FROM `app`.`t` WHERE `n` <=> %s AND `odd ``%%` <=> %s LIMIT 2",
        ),
    ],
    ids=["insert", "update", "delete"],
)
def test_each_change_has_its_statement(change: Change, text: str) -> None:
    statement = statement_of(change)
    assert statement.text == text
    assert statement.changes
