"""The statements of a replay: every column by its quoted name, exactly the row that was, never more than one."""

from __future__ import annotations

import pytest

from failoverd.drivers.mysql.amending import read_back, statement_of, values_of, without
from failoverd.drivers.mysql.tables import in_order
from failoverd.model.divergence import Act, Change

KEY = (("n", 1),)
BEFORE = (("n", 1), ("odd `%", None))
WHERE = "WHERE `n` <=> %s AND `n` <=> %s AND `odd ``%%` <=> %s LIMIT 2"
AFTER = (("n", 2), ("odd `%", "x"))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(Act.INSERT, "app", "t", (), AFTER, KEY), "INSERT INTO `app`.`t` SET `n` = %s, `odd ``%%` = %s"),
        (
            Change(Act.UPDATE, "app", "t", BEFORE, AFTER, KEY),
            f"UPDATE `app`.`t` SET `n` = %s, `odd ``%%` = %s {WHERE}",
        ),
        (
            Change(Act.DELETE, "app", "t", BEFORE, (), KEY),
            f"DELETE FROM `app`.`t` {WHERE}",
        ),
    ],
    ids=["insert", "update", "delete"],
)
def test_each_change_has_its_statement_and_a_value_for_every_place(change: Change, text: str) -> None:
    statement = statement_of(change)
    assert statement.text == text
    assert statement.changes
    assert len(values_of(change)) == text.count("%s")


def test_what_a_table_makes_itself_is_neither_given_nor_looked_for() -> None:
    change = Change(Act.UPDATE, "app", "t", BEFORE, AFTER, KEY)
    left = without(change, frozenset({"odd `%"}))
    assert (left.before, left.after, left.key) == (KEY, (("n", 2),), KEY)


def test_a_changed_row_is_looked_for_under_the_key_it_has_now_with_case_and_fractions() -> None:
    said = read_back(Change(Act.UPDATE, "app", "t", BEFORE, (("n", 2), ("f", 0.5), ("v", "x")), KEY))
    assert said.values == (2, 0.5, 0.5, "x", 2)
    assert said.statement.text == (
        "SELECT COUNT(*) AS found, COALESCE(SUM(`n` <=> %s AND (`f` <=> %s OR `f` <=> CAST(%s AS FLOAT))"
        " AND CONVERT(`v` USING utf8mb4) COLLATE utf8mb4_0900_bin <=> %s), 0) AS alike"
        " FROM `app`.`t` WHERE `n` <=> %s"
    )


def test_columns_that_are_not_stored_stand_where_the_table_has_them() -> None:
    told = [("n", 0), ("a", 1), ("s", 2), ("v", 65537), ("w", 131077), ("x", 3)]
    assert in_order([{"name": name, "place": place} for name, place in sorted(told, key=lambda one: one[1])]) == (
        "n", "v", "a", "s", "x", "w",
    )  # fmt: skip
