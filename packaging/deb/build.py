#!/usr/bin/env python3
"""Builds the Debian packages, the wheel and the source archive: `python packaging/deb/build.py [TARGET]`.

The libraries that failoverd needs are taken from the environment that it was tested in, file by file as their authors
published them. The trees of both packages are laid out here; debhelper makes packages of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from click_man.core import write_man_pages
from packaging.requirements import Requirement

from failoverd import __version__
from failoverd.agent.build import build as build_zipapp
from failoverd.cli.main import main as commands

ROOT = Path(__file__).resolve().parents[2]
# The system's own tools, whatever else this machine has on its path.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
AGENT_DIR = "/var/lib/failoverd-agent"

LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys

sys.path.insert(0, "/usr/lib/failoverd")

from failoverd.__main__ import main

main()
"""
SUDOERS = f"""\
# The agent's one door: what it may do as root is in the agent itself, which only root can change.
failoverd-agent ALL=(root) NOPASSWD: /usr/bin/python3 -I -S {AGENT_DIR}/failoverd-agent.pyz door
"""
BUNDLED = """\
# What this package holds of other people's work

The libraries that failoverd was tested with, below /usr/lib/failoverd. Each licence's text stands in the library's
.dist-info folder there.

| library | version | licence |
|---|---|---|
"""


def main(target: Path) -> None:
    """Everything, into `target`."""
    work = ROOT / "build" / "deb"
    shutil.rmtree(work, ignore_errors=True)
    source = work / f"failoverd-{__version__}"
    lay_out_manager(source / "tree" / "failoverd")
    lay_out_agent(source / "tree" / "failoverd-agent")
    describe(source / "debian")
    run(["dpkg-buildpackage", "-b", "-us", "-uc"], source, {"PATH": PATH})
    target.mkdir(parents=True, exist_ok=True)
    for old in (*target.glob("failoverd*"),):
        old.unlink()
    for made in work.glob("*.deb"):
        shutil.move(made, target / made.name)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)], ROOT, {})
    for made in sorted(target.iterdir()):
        sys.stdout.write(f"{made}\n")


def lay_out_manager(tree: Path) -> None:
    """The manager: its code, its libraries, its command, what it needs of the system, and its pages."""
    library = tree / "usr/lib/failoverd"
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "failoverd", library / "failoverd", ignore=leave)
    libraries = sorted(needed("failoverd[web]"), key=lambda one: one.name.lower())
    for one in libraries:
        copy_library(one, library)
    documents = tree / "usr/share/doc/failoverd"
    write(
        documents / "bundled.md", BUNDLED + "".join(f"| {d.name} | {d.version} | {licence(d)} |\n" for d in libraries)
    )
    shutil.copytree(ROOT / "conf", documents / "examples", ignore=shutil.ignore_patterns("systemd"))
    shutil.copytree(ROOT / "conf/drills", tree / "usr/share/failoverd/drills")
    for page in (ROOT / "docs").glob("*.md"):
        shutil.copy(page, documents)
    shutil.copy(ROOT / "CHANGELOG.md", documents / "releases.md")
    write(tree / "usr/bin/failoverd", LAUNCHER).chmod(0o755)
    write(tree / "etc/failoverd/failoverd.yml.sample", (ROOT / "conf/failoverd.yml").read_text(encoding="utf-8"))
    pages = tree / "usr/share/man/man1"
    pages.mkdir(parents=True)
    write_man_pages("failoverd", commands, version=__version__, target_dir=str(pages))
    for shell, place in (
        ("bash", "bash-completion/completions/failoverd"),
        ("zsh", "zsh/vendor-completions/_failoverd"),
    ):
        script = run([sys.executable, "-m", "failoverd", "completion", shell], ROOT, {})
        write(tree / "usr/share" / place, script)


def lay_out_agent(tree: Path) -> None:
    """The agent: the zipapp and its sudo rule."""
    place = tree / "usr/lib/failoverd-agent/failoverd-agent.pyz"
    place.parent.mkdir(parents=True)
    build_zipapp(place)
    write(tree / "etc/sudoers.d/failoverd-agent", SUDOERS)


def describe(folder: Path) -> None:
    """What debhelper reads."""
    shutil.copytree(ROOT / "packaging/debian", folder)
    shutil.copy(ROOT / "conf/systemd/failoverd.service", folder)
    shutil.copy(ROOT / "conf/systemd/failoverd-web.service", folder / "failoverd.failoverd-web.service")
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or run(["git", "log", "-1", "--format=%ct"], ROOT, {}).strip()
    moment = datetime.fromtimestamp(float(seconds), UTC)
    write(
        folder / "changelog",
        f"failoverd ({__version__}) unstable; urgency=medium\n\n"
        "  * See /usr/share/doc/failoverd/releases.md.\n\n"
        f" -- failoverd developers <failoverd@localhost.localdomain>  {moment:%a, %d %b %Y %H:%M:%S +0000}\n",
    )


def needed(name: str, seen: set[str] | None = None) -> Iterator[metadata.Distribution]:
    """The installed libraries that a distribution (with its extras, as NAME[EXTRA]) needs here, and that those need,
    each once.
    """
    known = set() if seen is None else seen
    asked = Requirement(name)
    for text in metadata.distribution(asked.name).requires or ():
        wanted = Requirement(text)
        extras = sorted(asked.extras) or [""]
        applies = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras)
        found = metadata.distribution(wanted.name) if applies else None
        if found is not None and found.name not in known:
            known.add(found.name)
            yield found
            yield from needed(f"{found.name}[{','.join(wanted.extras)}]" if wanted.extras else found.name, known)


def copy_library(library: metadata.Distribution, folder: Path) -> None:
    """Every file of an installed library but its commands and what Python compiled of it."""
    for file in library.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            place = folder / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), place)


def licence(library: metadata.Distribution) -> str:
    """A library's licence in its own words."""
    said = library.metadata.get("License-Expression") or library.metadata.get("License") or ""
    named = [c.rpartition(" :: ")[2] for c in library.metadata.get_all("Classifier") or () if c.startswith("License")]
    return said or ", ".join(named)


def write(path: Path, text: str) -> Path:
    """The file, made with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(command: list[str], folder: Path, env: Mapping[str, str]) -> str:
    """What a command printed; its complaint, and the end, where it failed."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "packages")
