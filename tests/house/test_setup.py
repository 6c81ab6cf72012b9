"""The set-up's steps, with a mirror and programs of the test's own: what they find, say and leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.tree import ROOT

SCRIPTS = ROOT / "packaging/setup"
LOADER = "usr/lib64/ld-linux-test.so.2"
RUNS = '#!/bin/sh\necho "mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))"\n'
OTHER = '#!/bin/sh\necho "mysqld  Ver 10.11.6-MariaDB for debian-linux-gnu on x86_64"\n'
# Stands for mmdebstrap: the last two arguments are the target and the line of the source.
UNPACKER = f"""#!/bin/sh
echo "$*" >"$TEST_ASKED"
while [ $# -gt 2 ]; do shift; done
mkdir -p "$1/usr/lib64" "$1/usr/sbin"
cp "$TEST_LOADER" "$1/{LOADER}"
exit "$TEST_UNPACKER_ENDS"
"""


class Machine:
    """A machine made of an apt configuration, a PATH and a cache folder; only the test's folder is touched."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.bin, self.sources = folder / "cache", folder / "bin", folder / "sources.d"
        self.mirror, self.asked = folder / "mirror", folder / "asked"
        for path in (self.cache, self.bin, self.sources):
            path.mkdir()
        (folder / "apt.conf").write_text(f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{self.sources}";\n')
        loader = folder / "loader"
        self.program(loader, RUNS)
        self.program(self.bin / "mmdebstrap", UNPACKER)
        self.environment = {
            "PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin",
            "APT_CONFIG": str(folder / "apt.conf"),
            "FAILOVERD_CACHE": str(self.cache),
            "FAILOVERD_STEP": "[3/5] MySQL 9.7",
            "TEST_ASKED": str(self.asked),
            "TEST_LOADER": str(loader),
            "TEST_UNPACKER_ENDS": "0",
        }

    def program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def serve_unstable(self, origin: str = "Debian") -> None:
        release = self.mirror / "dists/sid/InRelease"
        release.parent.mkdir(parents=True)
        release.write_text(f"Origin: {origin}\n")

    def run(self, script: str = "mysql.sh", **more: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", str(SCRIPTS / script)],
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A fresh machine; it is root, whoever runs the test."""
    found = Machine(tmp_path)
    found.program(found.bin / "id", "#!/bin/sh\necho 0\n")
    return found


def one_line(machine: Machine) -> None:
    (machine.sources / "a.list").write_text(f"deb [trusted=yes] file:{machine.mirror} bookworm main\n")


def deb822(machine: Machine) -> None:
    text = (
        f"Types: deb\nURIs: file:{machine.mirror}\nSuites: bookworm bookworm-updates\nComponents: main\nTrusted: yes\n"
    )
    (machine.sources / "a.sources").write_text(text)


@pytest.mark.parametrize("write_sources", [one_line, deb822])
def test_unpacks_from_the_machines_own_mirror(machine: Machine, write_sources: Callable[[Machine], None]) -> None:
    write_sources(machine)
    machine.serve_unstable()
    code, said = machine.run()
    assert code == 0, said
    assert f"9.7.4 is unpacked in {machine.cache}/mysql" in said
    assert machine.asked.read_text().endswith(f"/mysql deb file:{machine.mirror} sid main\n")
    assert sorted(os.listdir(machine.cache)) == ["mysql"]
    assert (machine.cache / "mysql").stat().st_mode & 0o777 == 0o755
    machine.asked.unlink()
    code, said = machine.run()
    assert (code, machine.asked.exists()) == (0, False), said


def test_what_an_interrupted_run_left_is_unpacked_again(machine: Machine) -> None:
    one_line(machine)
    machine.serve_unstable()
    machine.program(machine.cache / "mysql" / LOADER, RUNS)
    machine.program(machine.cache / "unpack.abcdef/mysql" / LOADER, RUNS)
    code, said = machine.run()
    assert code == 0, said
    assert machine.asked.exists()
    assert (machine.cache / "mysql/failoverd-complete").exists()
    assert os.listdir(machine.cache) == ["mysql"]


def test_a_failed_unpacking_leaves_nothing(machine: Machine) -> None:
    one_line(machine)
    machine.serve_unstable()
    code, said = machine.run(TEST_UNPACKER_ENDS="1")
    assert code == 2
    assert "set-up: MySQL could not be unpacked" in said
    assert os.listdir(machine.cache) == []


@pytest.mark.parametrize("origin", ["", "Docker"])
def test_says_that_no_mirror_has_it(machine: Machine, origin: str) -> None:
    one_line(machine)
    if origin:
        machine.serve_unstable(origin)
    code, said = machine.run()
    assert code == 2
    assert "none of this machine's apt sources has Debian's unstable suite" in said
    assert os.listdir(machine.cache) == []


def test_says_that_only_root_can(machine: Machine) -> None:
    machine.program(machine.bin / "id", "#!/bin/sh\necho 1000\n")
    code, said = machine.run()
    assert code == 2
    assert "MySQL is missing and only root can install it" in said
    assert os.listdir(machine.cache) == []


def test_takes_a_mysqld_on_the_path(machine: Machine) -> None:
    machine.program(machine.bin / "mysqld", RUNS)
    code, said = machine.run()
    assert (code, f"{machine.bin}/mysqld 9.7.4 (on PATH)" in said) == (0, True), said


def test_does_not_take_another_server_for_mysql(machine: Machine) -> None:
    machine.program(machine.bin / "mysqld", OTHER)
    code, said = machine.run()
    assert code == 2
    assert "none of this machine's apt sources" in said


def test_takes_the_named_folder_or_says_why_not(machine: Machine, tmp_path: Path) -> None:
    code, said = machine.run(FAILOVERD_MYSQL_BASEDIR=str(tmp_path / "own"))
    assert code == 2
    assert f"FAILOVERD_MYSQL_BASEDIR={tmp_path}/own holds no usable mysqld" in said
    machine.program(tmp_path / "own/bin/mysqld", RUNS)
    code, said = machine.run(FAILOVERD_MYSQL_BASEDIR=str(tmp_path / "own"))
    assert (code, "9.7.4 (FAILOVERD_MYSQL_BASEDIR)" in said) == (0, True), said


# Stand for dpkg-query and apt-get: everything is installed but what TEST_MISSING names; installing shows the policy.
QUERY = """#!/bin/sh
shift 3
for package; do [ "$package" = "$TEST_MISSING" ] || echo "ii  $package"; done
"""
APT = """#!/bin/sh
case "$*" in *install*) ;; *) exit 0 ;; esac
echo "$*" >"$TEST_ASKED"
sh "$FAILOVERD_POLICY"
echo "policy says $?" >>"$TEST_ASKED"
exit "$TEST_APT_ENDS"
"""


@pytest.fixture
def packaged(machine: Machine, tmp_path: Path) -> Machine:
    """A machine whose packages are played."""
    machine.program(machine.bin / "dpkg-query", QUERY)
    machine.program(machine.bin / "apt-get", APT)
    machine.program(machine.bin / "java", RUNS)
    machine.environment |= {"FAILOVERD_POLICY": str(tmp_path / "policy-rc.d"), "TEST_MISSING": "", "TEST_APT_ENDS": "0"}
    return machine


@pytest.mark.parametrize(("ends", "code"), [("0", 0), ("100", 2)])
def test_installs_what_is_missing_and_lets_no_service_start(
    packaged: Machine, tmp_path: Path, ends: str, code: int
) -> None:
    found, said = packaged.run("packages.sh", TEST_MISSING="zookeeper", TEST_APT_ENDS=ends)
    assert found == code, said
    assert ("set-up: apt-get could not install: zookeeper" in said) == (code == 2)
    asked = packaged.asked.read_text().splitlines()
    assert asked[0].endswith("install --no-install-recommends zookeeper")
    assert asked[1] == "policy says 101"
    assert not (tmp_path / "policy-rc.d").exists()


def test_keeps_somebody_elses_policy(packaged: Machine, tmp_path: Path) -> None:
    packaged.program(tmp_path / "policy-rc.d", "#!/bin/sh\nexit 104\n")
    code, said = packaged.run("packages.sh", TEST_MISSING="sudo")
    assert code == 0, said
    assert packaged.asked.read_text().endswith("policy says 104\n")
    assert (tmp_path / "policy-rc.d").exists()


def test_takes_away_the_policy_of_a_killed_run(packaged: Machine, tmp_path: Path) -> None:
    mark = "failoverd set-up: no service starts while packages are installed"
    packaged.program(tmp_path / "policy-rc.d", f"#!/bin/sh\n# {mark}\nexit 101\n")
    code, said = packaged.run("packages.sh")
    assert (code, "nothing is missing" in said) == (0, True), said
    assert not (tmp_path / "policy-rc.d").exists()


def test_says_which_packages_only_root_can_install(packaged: Machine) -> None:
    packaged.program(packaged.bin / "id", "#!/bin/sh\necho 1000\n")
    code, said = packaged.run("packages.sh", TEST_MISSING="nftables")
    assert code == 2
    assert "nftables is missing and only root can install it" in said
    assert not packaged.asked.exists()
