"""How the zipapp begins: with its modules unpacked beside the agent's state, of which Python keeps the compiled form;
out of a zipapp each start compiles them all. It is built in as `__main__`, and imports nothing of failoverd before it
is known from where.
"""

from __future__ import annotations

import os
import sys
import zlib


def place_of(program: str, words: list[str]) -> str:
    """Where the modules of this very zipapp belong; "" for the door and the others, which may have more rights than
    whoever can write there.
    """
    if words[:2] != ["serve", "--dir"] or len(words) != 3:
        return ""
    with open(program, "rb") as stream:
        return os.path.join(os.path.abspath(words[2]), "state", f"code-{zlib.crc32(stream.read()):08x}")


def ours(folder: str) -> bool:
    """Whether it is there and nobody but this account can write into it."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


def unpack(program: str, place: str) -> bool:
    """Put the modules there, whole or not at all, and remove those of other versions; whether they are there."""
    import shutil  # noqa: PLC0415 - only the first start needs it
    import zipfile  # noqa: PLC0415

    state, new = os.path.dirname(place), f"{place}.{os.getpid()}"
    os.umask(0o077)
    try:
        others = [name for name in os.listdir(state) if name.startswith("code-")]
        with zipfile.ZipFile(program) as archive:
            archive.extractall(new, [name for name in archive.namelist() if name.startswith("failoverd/")])
        os.rename(new, place)
    except OSError:  # no room, or another start was quicker
        others = []
    for name in (os.path.basename(new), *others):
        shutil.rmtree(os.path.join(state, name), ignore_errors=True)
    return ours(place)


def run() -> None:
    """Do what the command line says, with the unpacked modules, or with the zipapp's where those cannot be had."""
    place = place_of(sys.argv[0], sys.argv[1:])
    if place and ours(os.path.dirname(place)) and (ours(place) or unpack(sys.argv[0], place)):
        sys.path.insert(0, place)
        try:
            import failoverd.agent.main  # noqa: PLC0415 - only now it is known from where
            import failoverd.agent.serving  # noqa: F401, PLC0415
        except Exception:  # noqa: BLE001 - whatever has become of them: the agent must start
            sys.path.remove(place)
            for name in [name for name in sys.modules if name.partition(".")[0] == "failoverd"]:
                del sys.modules[name]
    from failoverd.agent.main import main  # noqa: PLC0415

    main()


if __name__ == "__main__":
    run()
