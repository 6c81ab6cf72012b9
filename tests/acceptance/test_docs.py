"""What the pages tell people to type, typed: each block that is marked `lab` or `run`, in its order."""

from __future__ import annotations

import re

from failoverd.lab import Lab
from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import eventually, everywhere, executed, rehearsal, replication, writable
from tests.house.pages import blocks


def filled(lab: Lab, text: str) -> str:
    """What a person types: sets for the words that stand for them."""
    return re.sub(r"the set of (\w+)", lambda named: executed(lab, named[1]), text).strip()


def following(lab: Lab, server: str) -> tuple[object, ...]:
    """Whom it follows, and whether both threads run."""
    row = replication(lab, server)
    return row["Source_Host"], row["Replica_IO_Running"], row["Replica_SQL_Running"]


def test_the_page_for_the_worst_night_leads_to_a_cluster_that_takes_writes(lab: LabFactory) -> None:
    with rehearsal(lab(managers=0, zookeepers=0)) as play:
        play.write()
        play.writer.stop()
        everywhere(play)
        play.kill_primary()
        told = [block for block in blocks("disaster.md") if block.mark == "lab"]
        before, after = told[:-1], told[-1]
        for block in before:
            for server in block.places:
                play.lab.sql(server, filled(play.lab, block.text))
        assert writable(play.lab) == ("db2",)
        running = ("db2", "Yes", "Yes")  # by the name that the page uses
        eventually(lambda: following(play.lab, "db3"), lambda found: found == running, "db3 following db2")
        play.lab.start_mysqld("db1")
        (server,) = after.places
        assert server == "db1"
        assert play.lab.sql("db1", filled(play.lab, after.text)) == (("",),)
        assert writable(play.lab) == ("db2",)
