"""A real sshd on loopback with keys of its own and the real agent behind a forced command."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from failoverd.agent.build import build
from failoverd.drivers.ssh.access import ZIPAPP, serve_command
from failoverd.drivers.ssh.connection import SshAccess
from tests.contract.zookeeper_server import free_port


class SshServer:
    """One sshd; `folder` also holds the client's key and known hosts. The agent runs as the account of this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.agent_dir = folder / "agent"
        self.agent_dir.mkdir(parents=True)
        (self.agent_dir / "state").mkdir()
        self.sha256 = build(self.agent_dir / ZIPAPP)
        self.before: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host", "client", "other"):
            make_key(folder / name)
        self.force(serve_command(str(self.agent_dir)))
        self.know(folder / "host.pub")
        (folder / "sshd_config").write_text(
            f"HostKey {folder}/host\nPort {self.port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nUseDNS no\n"
            f"StrictModes no\nAuthorizedKeysFile {folder}/authorized_keys .ssh/authorized_keys\n"
            "PasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 50\n"
            "SetEnv SHLVL=2\n"  # or bash would read this account's start-up files first, whatever they cost
        )

    def force(self, command: str) -> None:
        """Bind the client's key to a command."""
        key = (self.folder / "client.pub").read_text().strip()
        escaped = command.replace("\\", "\\\\").replace('"', '\\"')
        (self.folder / "authorized_keys").write_text(f'restrict,command="{escaped}" {key}\n')

    def free(self) -> None:
        """Let the client's key run what it asks for."""
        (self.folder / "authorized_keys").write_text((self.folder / "client.pub").read_text())

    def know(self, public: Path | None) -> None:
        """Let the client know this host key, or none."""
        line = "" if public is None else f"[127.0.0.1]:{self.port} {' '.join(public.read_text().split()[:2])}\n"
        (self.folder / "known_hosts").write_text(line)

    def start(self) -> None:
        """Start it and wait for its port."""
        Path("/run/sshd").mkdir(exist_ok=True)
        argv = [*self.before, "/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not self._listens():
            if time.monotonic() > end:
                raise RuntimeError(f"sshd did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it with all its sessions."""
        if self._process is None:
            return
        for pid in self.family():
            send(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Stop the daemon and everything below it without a word."""
        for pid in self.family():
            send(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for pid in self.family():
            send(pid, signal.SIGCONT)

    def end_agents(self) -> None:
        """Kill what runs below the daemon, as when the agent dies."""
        for pid in self.family()[1:]:
            send(pid, signal.SIGKILL)

    def family(self) -> list[int]:
        """The daemon and its descendants, the oldest first."""
        if self._process is None:
            return []
        found = [self._process.pid]
        for pid in found:
            listed = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
            )
            found.extend(int(word) for word in listed.stdout.split())
        return found

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def access(self, **changes: object) -> SshAccess:
        """How to log in."""
        known: dict[str, object] = {
            "host": "127.0.0.1",
            "user": "root",
            "key_file": self.folder / "client",
            "known_hosts": self.folder / "known_hosts",
            "port": self.port,
            "timeout": 20.0,
        }
        return SshAccess(**{**known, **changes})  # type: ignore[arg-type]


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended by itself meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def make_key(path: Path) -> None:
    """An ed25519 key pair without a passphrase."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
