"""A real standalone ZooKeeper on loopback for the contract tests: trimmed, with short ticks, killed at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

_JARS = ("zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-nop.jar")
# What Debian's own list of jars for TLS lacks is here too.
_NETTY = tuple(
    f"netty-{part}.jar"
    for part in (
        "buffer", "codec", "common", "handler", "resolver", "transport", "transport-native-epoll",
        "transport-native-unix-common",
    )
)  # fmt: skip
_TRIM = (
    "-Xmx64m",
    "-Xss256k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=16m",
    "-Dzookeeper.preAllocSize=1024",
)

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class ZooKeeperServer:
    """One server process; it may be killed, stopped, started again, and have its data wiped."""

    def __init__(
        self, folder: Path, tick_ms: int = 200, tls: tuple[Path, Path] | None = None, host: str = LOOPBACK
    ) -> None:
        """It listens at `host`. With `tls`, a file of the server's key and certificate and one of the authorities whose
        clients it takes, it serves TLS on `secure_address`.
        """
        self.folder = folder
        self._host = host
        self._secure_port = free_port() if tls else 0
        self.port = free_port()
        self.tick = tick_ms / 1000
        (folder / "data").mkdir(parents=True)
        lines = [f"tickTime={tick_ms}", f"dataDir={folder}/data", f"clientPort={self.port}"]
        lines += [f"clientPortAddress={host}", "maxClientCnxns=0", "admin.enableServer=false"]
        lines += ["4lw.commands.whitelist=srvr"]
        if tls:
            lines += [f"secureClientPort={self._secure_port}", f"secureClientPortAddress={host}", "ssl.clientAuth=need"]
            lines += ["serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory"]
            lines += [f"ssl.keyStore.location={tls[0]}", "ssl.keyStore.type=PEM"]
            lines += [f"ssl.trustStore.location={tls[1]}", "ssl.trustStore.type=PEM"]
        (folder / "zoo.cfg").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """HOST:PORT for clients."""
        return f"{self._host}:{self.port}"

    @property
    def secure_address(self) -> str:
        """HOST:PORT for clients that speak TLS."""
        return f"{self._host}:{self._secure_port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        jars = ":".join(f"/usr/share/java/{jar}" for jar in (*_JARS, *_NETTY))
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        argv = [shutil.which("java") or "java", *_TRIM, "-cp", jars, main, str(self.folder / "zoo.cfg")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + 60
        while not self._serves():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"ZooKeeper did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Freeze or thaw it."""
        if self._process is None:
            return
        os.kill(self._process.pid, number)
        while number == signal.SIGSTOP and not all_stopped(self._process.pid):
            time.sleep(0.005)

    def wipe(self) -> None:
        """Lose all it has ever stored; it must not be running."""
        shutil.rmtree(self.folder / "data")
        (self.folder / "data").mkdir()

    def _serves(self) -> bool:
        try:
            with socket.create_connection((self._host, self.port), timeout=1.0) as connection:
                connection.settimeout(1.0)
                connection.sendall(b"srvr")
                return connection.recv(4096).startswith(b"Zookeeper version")
        except OSError:
            return False


def all_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still: a stop signal reaches them one after the other."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)
