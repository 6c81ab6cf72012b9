"""What is built: installed, upgraded, removed and purged in a clean Debian 12; nothing starts unconfigured."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import click
import pytest

from failoverd import __version__
from failoverd.cli.main import main as commands
from failoverd.drivers.ssh.zipapp import shipped_sha256
from tests.house.pages import blocks
from tests.package.conftest import ROOT, package
from tests.package.machine import Machine

pytestmark = pytest.mark.timeout(600)  # the first one builds the packages
UNIT = "failoverd.service"
OURS = ("/etc/failoverd", "/usr/lib/failoverd", "/var/lib/failoverd", "/usr/share/doc/failoverd", "/run/failoverd")
AGENTS = ("/usr/lib/failoverd-agent", "/var/lib/failoverd-agent", "/etc/sudoers.d/failoverd-agent")


def left(machine: Machine, *places: str) -> list[str]:
    """What is there of these."""
    return [place for place in places if machine.run("test", "-e", place, check=False).returncode == 0]


def stat(machine: Machine, place: str) -> str:
    """Mode and owners."""
    return machine.say("stat", "-c", "%a %U %G", place)


def later(built: Path, folder: Path) -> Path:
    """The same package as a later version."""
    tree = folder / "later"
    subprocess.run(["dpkg-deb", "-R", built, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 99."), encoding="utf-8")
    made = folder / f"later-{built.name}"
    subprocess.run(
        ["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "-b", tree, made], check=True, capture_output=True
    )
    return made


def test_the_life_of_the_managers_package(machine: Machine, packages: Path, tmp_path: Path) -> None:
    built = package(packages, "failoverd")
    machine.install(built)
    assert machine.say("systemctl", "is-enabled", UNIT) == "disabled"
    assert machine.say("systemctl", "is-active", UNIT) == "inactive"
    machine.run("systemctl", "start", UNIT)
    assert machine.say("systemctl", "is-active", UNIT) == "inactive", "without a configuration nothing is started"
    assert stat(machine, "/etc/failoverd") == "750 root failoverd"
    assert stat(machine, "/etc/failoverd/failoverd.yml.sample") == "640 root failoverd"
    assert machine.say("getent", "passwd", "failoverd").endswith(":/var/lib/failoverd:/usr/sbin/nologin")
    assert machine.say("failoverd", "--version").startswith("failoverd, version ")
    assert "primary-killed" in machine.say("failoverd", "drill", "list")
    refused = machine.run("failoverd", "config", "check", check=False)
    assert (refused.returncode, "failoverd.yml" in refused.stderr) == (2, True)
    machine.write("/etc/failoverd/mine.yml", "mine: yes\n")
    machine.install(later(built, tmp_path))
    assert machine.say("dpkg-query", "-W", "-f", "${Version}", "failoverd").startswith("99.")
    assert machine.say("failoverd", "--version").startswith("failoverd, version ")
    assert machine.say("systemctl", "is-active", UNIT) == "inactive"
    machine.run("dpkg", "--remove", "failoverd")
    assert left(machine, "/usr/bin/failoverd", "/usr/lib/failoverd", "/usr/share/man/man1/failoverd.1.gz") == []
    assert left(machine, "/etc/failoverd/failoverd.yml.sample") != [], "what is configured stays until a purge"
    machine.run("dpkg", "--purge", "failoverd")
    assert left(machine, *OURS) == ["/etc/failoverd"]
    assert machine.say("ls", "/etc/failoverd") == "mine.yml", "what people wrote stays"


def names(command: click.Command, name: str) -> set[str]:
    """A command's manual page and those of all below it."""
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return {name}.union(*(names(one, f"{name}-{word}") for word, one in below if not one.hidden))


def test_every_command_has_a_manual_page(packages: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", package(packages, "failoverd"), tmp_path], check=True)
    pages = {page.name.partition(".")[0] for page in (tmp_path / "usr/share/man/man1").iterdir()}
    assert pages == names(commands, "failoverd")
    assert len(pages) > 30


def test_the_life_of_the_agents_package(machine: Machine, packages: Path, tmp_path: Path) -> None:
    built = package(packages, "failoverd-agent")
    machine.run("groupadd", "--system", "mysql")
    machine.install(built)
    assert machine.say("getent", "shadow", "failoverd-agent").split(":")[1] == "*"
    assert "mysql" in machine.say("id", "-nG", "failoverd-agent").split()
    assert stat(machine, "/var/lib/failoverd-agent") == "755 root root"
    assert stat(machine, "/var/lib/failoverd-agent/state") == "700 failoverd-agent failoverd-agent"
    assert stat(machine, "/etc/sudoers.d/failoverd-agent") == "440 root root"
    machine.run("visudo", "-c")
    hello = machine.run(*SERVE).stdout
    assert '"door":"ok"' in hello.replace(" ", ""), hello
    machine.install(package(packages, "failoverd"))
    manager = machine.say("python3", "-IS", "-c", SHIPPED)
    assert machine.say("sha256sum", "/usr/lib/failoverd-agent/failoverd-agent.pyz").split()[0] == manager
    machine.install(later(built, tmp_path))
    assert '"door":"ok"' in machine.run(*SERVE).stdout.replace(" ", "")
    machine.run("dpkg", "--remove", "failoverd-agent")
    assert left(machine, "/usr/lib/failoverd-agent", "/var/lib/failoverd-agent/failoverd-agent.pyz") == []
    assert left(machine, "/var/lib/failoverd-agent/state") != [], "what it remembers stays until a purge"
    machine.run("dpkg", "--purge", "failoverd-agent")
    assert left(machine, *AGENTS) == []


def test_the_quickstart_installs_both(machine: Machine, packages: Path) -> None:
    for name in ("failoverd", "failoverd-agent"):
        shutil.copy(package(packages, name), machine.root / "opt")
    told = [block.text for block in blocks("quickstart.md") if block.places == ("package",)]
    for text in told:
        machine.run("sh", "-euc", f"cd /opt; {text}")
    assert machine.say("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "failoverd*").splitlines() == [
        "failoverd installed",
        "failoverd-agent installed",
    ]
    assert machine.say("systemctl", "is-active", UNIT) == "inactive"
    machine.run("dpkg", "--purge", "failoverd", "failoverd-agent")


# The agent that the installed manager takes for its own.
SHIPPED = """
import sys
sys.path.insert(0, "/usr/lib/failoverd")
from failoverd.drivers.ssh.zipapp import shipped_sha256
print(shipped_sha256())
"""
# As the forced command of the managers' key runs it.
SERVE = (
    *("runuser", "-u", "failoverd-agent", "--", "/bin/sh", "-c"),
    "d=/var/lib/failoverd-agent; exec /usr/bin/python3 -I -S $d/failoverd-agent.pyz serve --dir $d </dev/null",
)


def test_lintian_finds_nothing(packages: Path) -> None:
    made = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", *packages.glob("*.deb")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert made.returncode == 0, made.stdout + made.stderr


def test_every_override_has_its_reason() -> None:
    for page in (ROOT / "packaging/debian").glob("*.lintian-overrides"):
        before = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            assert line.startswith("#") or before.startswith("#"), f"{page.name}: {line} has no reason above it"
            before = line


def test_bundled_libraries_are_listed_with_their_licences(packages: Path) -> None:
    made = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", package(packages, "failoverd")], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as tree:
        page = tree.extractfile("./usr/share/doc/failoverd/bundled.md")
        assert page is not None
        rows = [line.split("|")[1:4] for line in page.read().decode().splitlines() if line.startswith("| ")][1:]
        folders = {name.split("/")[4] for name in tree.getnames() if name.endswith(".dist-info")}
    named = {name.strip().lower().replace("-", "_") for name, _, _ in rows}
    assert named == {folder.partition("-")[0].lower().replace("-", "_") for folder in folders}
    assert all(licence.strip() for _, _, licence in rows), rows


@pytest.mark.parametrize("kind", ["wheel", "source"])
def test_wheel_and_source_archive_hold_the_program(packages: Path, kind: str) -> None:
    if kind == "wheel":
        (archive,) = packages.glob("*.whl")
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    else:
        (archive,) = packages.glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            names = tar.getnames()
    assert any(name.endswith("failoverd/service/cycle.py") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(".venv" in name or "__pycache__" in name for name in names)


def test_source_and_wheel_are_installed_with_what_they_need_in_a_clean_environment(
    packages: Path, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    commands = tmp_path / "place/bin"
    shipped = {path.stem for path in (ROOT / "conf/drills").glob("*.yml")}
    agent = "from failoverd.drivers.ssh.zipapp import shipped_sha256 as sha256; print(sha256())"

    def run(*words: object) -> str:
        done = subprocess.run(
            [str(word) for word in words], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("/usr/bin/python3", "-m", "venv", "place")
    for archive, how in (("*.tar.gz", ()), ("*.whl", ("--no-deps", "--force-reinstall"))):
        (built,) = packages.glob(archive)
        run(commands / "pip", "install", "--quiet", "--disable-pip-version-check", *how, built)
        assert run(commands / "failoverd", "--version").strip() == f"failoverd, version {__version__}"
        drills = run(commands / "failoverd", "drill", "list").splitlines()
        assert shipped <= {line.split()[0] for line in drills if line}
        assert run(commands / "python", "-c", agent).strip() == shipped_sha256()
