"""A host's own disk: of limited size, can be filled, and can turn read-only under a running server."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from failoverd.lab.layout import STATE_PARENT, Host
from failoverd.lab.processes import run, wait_until
from failoverd.model.errors import FailoverdError

_FILLER = "filler"
_LEFT_FREE = 4096
_MOUNT_OPTIONS = "loop,errors=remount-ro,noatime"
_FORMAT = ("-q", "-F", "-m", "0", "-J", "size=16", "-E", "lazy_itable_init=1,lazy_journal_init=1")


def mount(host: Host, megabytes: int) -> None:
    """Give the host its disk, and its service a folder on it.

    A file with a small ext4 where loop devices are permitted and the memory's file system has room for it, because only
    a real file system can turn read-only while files are open for writing; a tmpfs otherwise.
    """
    if not _mount_image(host, megabytes):
        run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", host.namespace, str(host.disk)])
    for name in ("data", "zookeeper"):
        path = Path(host.disk / name)
        path.mkdir(mode=0o750)
        os.chown(path, host.user, host.user)


def _mount_image(host: Host, megabytes: int) -> bool:
    """Make and mount the file with the ext4; False where that is not possible."""
    memory = os.statvfs(host.folder)
    if memory.f_bavail * memory.f_frsize < megabytes * 1024 * 1024:
        return False
    image = str(host.folder / "disk.img")
    try:
        run(["truncate", "-s", f"{megabytes}M", image])
        run(["mkfs.ext4", *_FORMAT, image])
        run(["mount", "-o", _MOUNT_OPTIONS, image, str(host.disk)])
    except FailoverdError:
        Path(image).unlink(missing_ok=True)
        return False
    return True


def unmount_all(folder: Path) -> None:
    """Unmount everything that is mounted inside the lab's folder."""
    if folder.parent != Path(STATE_PARENT):
        raise FailoverdError("that is no lab's folder", str(folder))
    wait_until(lambda: not _unmount_once(folder), deadline=10, what=f"the end of the disks in {folder}")


def _unmount_once(folder: Path) -> list[str]:
    for point in reversed(_mounts(folder)):
        with suppress(FailoverdError):  # somebody else may be at it too
            run(["umount", "-l", point])
    return _mounts(folder)


def _mounts(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [point for point in (line.split()[4] for line in lines) if point.startswith(f"{folder}/")]


def fill(host: Host) -> int:
    """Use up all that is free on the host's disk but a few KB; returns how many bytes that were."""
    disk = os.statvfs(host.disk)
    free = max(0, disk.f_bavail * disk.f_frsize - _LEFT_FREE)
    filler = os.open(Path(host.disk / _FILLER), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        # The file system needs some of the free blocks for its own books: ask for less until it fits.
        for size in range(free, 0, -max(1, free // 1000)):
            try:
                os.posix_fallocate(filler, 0, size)
            except OSError:
                continue
            break
        _write_the_rest(filler)
        return os.fstat(filler).st_size
    finally:
        os.close(filler)


def _write_the_rest(filler: int) -> None:
    os.lseek(filler, 0, os.SEEK_END)
    block = bytes(_LEFT_FREE)
    while True:
        try:
            os.write(filler, block)
        except OSError:
            return


def empty(host: Host) -> None:
    """Give back what `fill` took."""
    Path(host.disk / _FILLER).unlink(missing_ok=True)


def make_read_only(host: Host) -> None:
    """Let the host's file system meet an error, so that it turns read-only, files open or not."""
    device = os.stat(host.disk).st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    trigger = Path(f"/sys/fs/ext4/{name}/trigger_fs_error")
    if not trigger.exists():
        raise FailoverdError(
            f"the disk of {host.name} cannot turn read-only",
            "it is no ext4 on a loop device",
            "the lab needs loop devices for this fault",
        )
    # What nobody synced would be lost, and that is the template's copy too.
    run(["sync", "-f", str(host.disk)])
    trigger.write_text("broken by the lab\n", encoding="utf-8")
    wait_until(lambda: is_read_only(host), deadline=5, what=f"the read-only disk of {host.name}")


def make_writable(host: Host) -> None:
    """Repair a disk that turned read-only: its processes must have ended; check the file system and mount it again."""
    if not is_read_only(host):
        return
    image = str(host.folder / "disk.img")
    run(["umount", str(host.disk)])
    # Another host that starts just now has a copy of all mounts until it lets go of those that are not its own.
    wait_until(lambda: not _is_attached(image), deadline=30, what=f"the release of {image} by all mount namespaces")
    run(["sh", "-c", 'e2fsck -fp "$0" || [ $? -eq 1 ]', image])
    run(["mount", "-o", _MOUNT_OPTIONS, image, str(host.disk)])


def _is_attached(image: str) -> bool:
    """Whether a loop device still has the file."""
    return image in run(["losetup", "--noheadings", "--output", "BACK-FILE", "--list"]).split()


def is_read_only(host: Host) -> bool:
    """Whether the host's disk has turned read-only; a full one has not."""
    probe = Path(host.disk / "probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return error.errno == errno.EROFS
    return False
