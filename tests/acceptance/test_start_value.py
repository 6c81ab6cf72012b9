"""A server that would come back writable is found while it is open, by its host, and really would."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.conftest import LabFactory
from tests.acceptance.rehearsal import takes_writes


def test_a_persisted_off_is_found_on_an_open_primary_and_beats_its_configuration(lab: LabFactory) -> None:
    one = lab(replicas=1)

    def said(server: str) -> dict[str, str]:
        answer = one.call_in("mgr1", one.manager_argv("mgr1", "check", "shop", "--json"), deadline=60.0)
        found: list[dict[str, Any]] = json.loads(answer.stdout)["findings"]
        return {f["id"]: f["severity"] for f in found if f["server"] == server}

    assert {"starts-writable", "start-hidden", "start-unknown"} & set(said("db1")) == set()
    one.sql("db1", "SET PERSIST super_read_only = OFF; SET PERSIST read_only = OFF")
    assert said("db1")["starts-writable"] == "error"
    one.fault.kill("db1")
    one.start_mysqld("db1")
    assert takes_writes(one, "db1")
    one.sql("db1", "RESET PERSIST super_read_only; RESET PERSIST read_only")
    one.fault.kill("db1")
    one.start_mysqld("db1")
    assert not takes_writes(one, "db1")
