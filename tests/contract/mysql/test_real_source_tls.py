"""A replica that failoverd attaches to a source anew: whether it verifies whom it copies from, by `replication.tls`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd.drivers.mysql.access import Tls
from tests.contract.authority import Authority
from tests.contract.mysql.worlds import CLUSTER, REPLICATION, RealWorld, unasked, within
from tests.fakes.coordination import FakeLease

LONG = 5.0
TLS = ("ssl_ca", "ssl_cert", "ssl_key")
SEEN = "SHOW REPLICA STATUS FOR CHANNEL ''"


@pytest.fixture
def ours(real: RealWorld, tmp_path: Path) -> Iterator[Authority]:
    """The authority of the source's certificate, which names 127.0.0.1 and nothing else."""
    source, made = real.mysqlds["db1"], Authority(tmp_path, "ours")
    issued = made.issue("source", "127.0.0.1")
    before = [source.value(f"SELECT @@GLOBAL.{name}") for name in TLS]
    certify(real, [str(made.certificate), str(issued.certificate), str(issued.key)])
    yield made
    certify(real, before)


def certify(real: RealWorld, files: list[str]) -> None:
    """Let the source show another certificate from now on."""
    named = [f"SET GLOBAL {name} = '{file}'" for name, file in zip(TLS, files, strict=True)]
    real.mysqlds["db1"].rows(*named, "ALTER INSTANCE RELOAD TLS")


def attached(real: RealWorld, tls: Tls, ca_file: str, host: str = "127.0.0.1") -> None:
    """Let db2 forget its source, and follow it again as a server that has none is attached."""
    wanted = replace(REPLICATION, tls=tls, ca_file=ca_file)
    claim = real.servers(replication=wanted).claim(CLUSTER, "db2", FakeLease(1), LONG)
    claim.forget_source()
    claim.follow(replace(real.endpoint("db1"), host=host), unasked)
    claim.release()


def state(real: RealWorld) -> str:
    row = real.mysqlds["db2"].rows(SEEN)[0]
    return f"{row['Replica_IO_Running']}: {row['Last_IO_Errno']} {row['Last_IO_Error']}"


@pytest.mark.parametrize(
    ("tls", "authority", "host", "verified"),
    [
        ("verify", "ours", "127.0.0.1", True),
        ("verify", "ours", "localhost", True),
        ("verify", "theirs", "127.0.0.1", False),
        ("verify-identity", "ours", "127.0.0.1", True),
        ("verify-identity", "ours", "localhost", False),
        ("verify-identity", "theirs", "127.0.0.1", False),
        ("required", "none", "127.0.0.1", True),
    ],
)
def test_whom_an_attached_replica_copies_from(
    real: RealWorld, ours: Authority, tmp_path: Path, tls: Tls, authority: str, host: str, verified: bool
) -> None:
    files = {"ours": ours.certificate, "theirs": Authority(tmp_path, "theirs").certificate, "none": ""}
    attached(real, tls, str(files[authority]), host)
    within(10, lambda: not state(real).startswith("Connecting: 0 "), "a word of the receiver")
    found = state(real)
    assert found.startswith("Yes: 0 ") if verified else "2026" in found and "certificate verify failed" in found, found


def test_another_source_is_verified_as_the_one_before(real: RealWorld, ours: Authority) -> None:
    attached(real, "verify", str(ours.certificate))
    within(10, lambda: state(real).startswith("Yes: 0 "), "a receiver that runs")
    claim = real.servers().claim(CLUSTER, "db2", FakeLease(2), LONG)
    claim.follow(real.endpoint("db3"), unasked)  # db3's certificate is of an authority of its own
    claim.release()
    within(10, lambda: "certificate verify failed" in state(real), "the receiver's refusal")
