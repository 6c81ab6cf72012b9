"""A host's private files: accounts, names, sudo's one rule, folders, keys; and its sshd."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from failoverd.lab.keeping import Service
from failoverd.lab.layout import NETNS_FILES, Host, Kind, Layout
from failoverd.lab.processes import run
from failoverd.lab.state import exclusively

AGENT = "failoverd-agent"
_ZIPAPP = "failoverd-agent.pyz"
_PYTHON = "/usr/bin/python3 -I -S"


def write_etc(layout: Layout) -> None:
    """Write what each host sees as its own /etc files; the machine's are not touched."""
    names = "".join(f"{host.address} {host.name}\n" for host in layout.hosts)
    hosts = f"127.0.0.1 localhost\n{layout.gateway} machine\n{names}"
    with exclusively():
        for host in layout.hosts:
            folder = Path(NETNS_FILES / host.namespace)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "hosts").write_text(hosts, encoding="utf-8")
            if host.kind in {Kind.SERVER, Kind.ZOOKEEPER}:
                _write_accounts(folder, host)


def _write_accounts(folder: Path, host: Host) -> None:
    home = host.folder / "home"
    passwd = (
        f"root:x:0:0:root:{home}/root:/bin/sh\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        f"mysql:x:{host.user}:{host.user}:MySQL:{host.folder}:/usr/sbin/nologin\n"
        f"{AGENT}:x:{host.agent_user}:{host.agent_user}:failoverd agent:{home}/{AGENT}:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    group = (
        "root:x:0:\ntty:x:5:\nshadow:x:42:\nnogroup:x:65534:\n"
        f"mysql:x:{host.user}:{AGENT}\n{AGENT}:x:{host.agent_user}:\n"
    )
    names = [line.split(":")[0] for line in passwd.splitlines()]
    door = f"{_PYTHON} {host.agent_dir / _ZIPAPP} door"
    files = {
        "passwd": (passwd, 0o644),
        "group": (group, 0o644),
        "shadow": ("".join(f"{name}:*:20000:0:99999:7:::\n" for name in names), 0o600),
        "hostname": (f"{host.name}\n", 0o644),
        "sudoers": (f"Defaults !syslog, env_reset\n{AGENT} ALL=(root) NOPASSWD: {door}\n", 0o440),
    }
    for name, (text, mode) in files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


def remove_etc(prefix: str) -> None:
    """Remove the private /etc files of all hosts whose namespaces begin so."""
    with exclusively():
        parent = Path(NETNS_FILES)
        for folder in parent.glob(prefix + "*"):
            shutil.rmtree(folder, ignore_errors=True)
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def make_folders(host: Host) -> None:
    """Make the host's folders; what belongs to its service or its agent is theirs alone."""
    owners = {
        "run": (host.user, 0o700),
        "tmp": (host.user, 0o700),
        "log": (host.user, 0o750),
        "disk": (host.user, 0o755),
        "agent": (0, 0o755),
        "agent/state": (host.agent_user, 0o700),
        "home": (0, 0o755),
        "home/root": (0, 0o700),
        f"home/{AGENT}": (host.agent_user, 0o755),
        "ssh": (0, 0o700),
    }
    for name, (owner, mode) in owners.items():
        path = Path(host.folder / name)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        os.chown(path, owner, owner)


def install_agent(host: Host, zipapp: Path, client_key: str, install_key: str) -> None:
    """Put the zipapp where root alone may write, and let two keys in: the managers' forced, the installer's not."""
    target = Path(host.agent_dir / _ZIPAPP)
    shutil.copyfile(zipapp, target)
    target.chmod(0o644)
    command = f"{_PYTHON} {target} serve --dir {host.agent_dir}"
    _authorize(Path(host.folder / "home" / AGENT), host.agent_user, f'restrict,command="{command}" {client_key}')
    _authorize(Path(host.folder / "home/root"), 0, install_key)


def _authorize(home: Path, owner: int, line: str) -> None:
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "authorized_keys").write_text(line + "\n", encoding="utf-8")
    for path in (folder, folder / "authorized_keys"):
        os.chown(path, owner, owner)


def sshd_service(host: Host) -> Service:
    """Write the host's own sshd configuration and return the sshd as a service."""
    text = (
        f"HostKey {host.folder}/ssh/host_key\n"
        "Port 22\n"
        "PidFile none\n"
        "UsePAM no\n"
        "UseDNS no\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
        "AuthorizedKeysFile .ssh/authorized_keys\n"
        # The lab lives in a folder that everybody may write to, which sshd would refuse.
        "StrictModes no\n"
        "MaxStartups 100\n"
        "MaxSessions 50\n"
        "PrintMotd no\n"
    )
    Path(host.folder / "sshd_config").write_text(text, encoding="utf-8")
    return Service(
        name="sshd",
        argv=("/usr/sbin/sshd", "-D", "-e", "-f", str(host.folder / "sshd_config")),
        user=0,
        cwd="/",
        log=str(host.log / "sshd.log"),
        restart=1.0,
    )


def make_key(path: Path, comment: str) -> str:
    """Make an ed25519 key pair at `path` (mode 0600) and return the public half as one line."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path.with_name(path.name + ".pub").read_text(encoding="utf-8").strip()
