"""`rejoin --checksums` on real servers: what is alike is proven, what was altered behind the log is named."""

from __future__ import annotations

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import Rehearsal, eventually, executed, inside, rehearsal
from tests.acceptance.test_rejoin import attached

TABLES = ("app.same", "app.altered")


def compared(play: Rehearsal, *tables: str) -> tuple[int, dict[str, str], list[str]]:
    """Stop db3 as a person would, attach it again with these tables compared: exit code, each step's end, findings."""
    play.lab.sql("db3", "STOP REPLICA IO_THREAD FOR CHANNEL ''")
    code, told, said = play.command("rejoin", "shop", "db3", "--checksums", ",".join(tables), "--yes")
    assert told["outcome"] == "done", said
    attached(play, "db3", "db1")
    ended = {step["title"]: f"{step['outcome']}: {step['detail']}" for step in told["steps"]}
    return code, ended, told["findings"]


def test_a_row_that_was_altered_behind_the_log_is_found_by_a_comparison_and_by_nothing_else(lab: LabFactory) -> None:
    with rehearsal(lab()) as play:
        play.begin()
        play.writer.pause()  # a set that grows all the time is compared by luck only
        for table in TABLES:
            play.lab.sql("db1", f"CREATE TABLE {table} (n INT PRIMARY KEY, w INT)")
            play.lab.sql("db1", f"INSERT INTO {table} VALUES (1, 10), (2, 20)")
        play.lab.sql("db1", "GRANT SELECT ON app.* TO failoverd@'%'")
        wanted = executed(play.lab, "db1")
        eventually(lambda: inside(play.lab, "db3", wanted), bool, f"db3 at {wanted}")
        code, ended, findings = compared(play, *TABLES)
        assert (code, findings) == (0, [])
        titles = [title for title in ended if "app." in title]
        assert len(titles) == 2
        assert all("done: equal: checksum" in ended[title] for title in titles), ended

        hidden = "SET SESSION sql_log_bin = 0; UPDATE app.altered SET w = 21 WHERE n = 2"
        play.lab.sql("db3", f"SET GLOBAL read_only = OFF; {hidden}; SET GLOBAL super_read_only = ON")
        code, ended, findings = compared(play, *TABLES)
        assert code == 1
        (found,) = findings
        assert "app.altered differs" in found
        (same,) = (ended[title] for title in titles if "app.same" in title)
        (altered,) = (ended[title] for title in titles if "app.altered" in title)
        assert "done: equal" in same
        assert altered.startswith("failed: app.altered differs")
