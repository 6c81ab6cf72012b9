"""Which modes of TLS insist on it, and that a clone insists where sessions do."""

from __future__ import annotations

from typing import get_args

import pytest

from failoverd.drivers.mysql.access import ServerAccess, Tls, insists
from failoverd.drivers.mysql.cloning import CLONE, CLONE_BY_TLS, clone_by
from failoverd.model.sight import Endpoint

INSISTING = {"off": False, "preferred": False, "required": True, "verify": True, "verify-identity": True}


@pytest.mark.parametrize("tls", get_args(Tls))
def test_a_clone_is_encrypted_wherever_sessions_have_to_be(tls: Tls) -> None:
    access = ServerAccess("shop", "db1", Endpoint("db1", 3306), "failoverd", password="a", tls=tls)
    assert insists(tls) is INSISTING[tls]
    assert clone_by(access) is (CLONE_BY_TLS if INSISTING[tls] else CLONE)
