"""What can go wrong in a lab, done to it; `heal` takes back what has no command of its own for that."""

from __future__ import annotations

import signal

from failoverd.lab import disks, keeping, network, relay, servers, zookeeper
from failoverd.lab.layout import Host, Kind, Layout
from failoverd.lab.processes import end, send, state, wait_until
from failoverd.lab.sessions import Sessions
from failoverd.model.errors import FailoverdError

_SERVICES = {Kind.SERVER: "mysqld", Kind.ZOOKEEPER: "zookeeper"}


class Faults:
    """The faults of one lab; hosts are given by their names."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._sessions = Sessions(layout)

    def kill(self, name: str) -> None:
        """SIGKILL the host's mysqld (or ZooKeeper); returns when that process is gone and reaped."""
        pid = self._pid(name)
        send(pid, signal.SIGKILL)
        wait_until(lambda: state(pid) == "", deadline=10, what=f"the end of process {pid} on {name}")

    def stop(self, name: str) -> None:
        """Freeze the host's mysqld (or ZooKeeper) with SIGSTOP; returns when it stands still."""
        pid = self._pid(name)
        send(pid, signal.SIGSTOP)
        wait_until(lambda: state(pid) == "T", deadline=5, what=f"the stop of process {pid} on {name}")

    def cont(self, name: str) -> None:
        """Let a frozen mysqld (or ZooKeeper) go on."""
        send(self._pid(name), signal.SIGCONT)

    def poweroff(self, name: str) -> None:
        """Cut the host's power: the link first, so that nobody sees its sockets close, then all its processes."""
        host = self.layout.host(name)
        network.set_link(self.layout, host, up=False)
        if host.kind in _SERVICES:
            keeping.power_off(host)
        else:
            end(network.inhabitants(host.namespace))

    def start(self, name: str) -> None:
        """Start what is dead, the host or its mysqld (or ZooKeeper), and wait until it answers.

        A manager's or client's host gets its link back; what ran there is the caller's to start.
        """
        host = self.layout.host(name)
        if host.kind in _SERVICES:
            self._start_kept(host)
        else:
            network.set_link(self.layout, host, up=True)

    def _start_kept(self, host: Host) -> None:
        if disks.is_read_only(host):
            keeping.power_off(host)
            disks.make_writable(host)
        if not keeping.is_on(host):
            keeping.power_on(host)
            network.set_link(self.layout, host, up=True)
        elif keeping.service_pid(host, _SERVICES[host.kind]) == 0:
            keeping.ask(host, "start", service=_SERVICES[host.kind])
        if host.kind is Kind.SERVER:
            servers.wait_for_start(host)
        else:
            zookeeper.wait_for_start(host)

    def supervise(self, name: str, *, on: bool) -> None:
        """Restart the host's mysqld 100 ms after each end from now on, or no longer."""
        keeping.ask(self._kept(name), "supervise", service="mysqld", restart=servers.RESTART_AFTER if on else None)

    def link(self, name: str, *, up: bool) -> None:
        """Pull the host's cable out, or plug it in."""
        network.set_link(self.layout, self.layout.host(name), up=up)

    def cut(self, first: str, second: str, *, one_way: bool = False) -> None:
        """Let nothing from the first host reach the second; without `one_way` nothing the other way either."""
        self.loss(first, second, 100, one_way=one_way)

    def loss(self, first: str, second: str, percent: int, *, one_way: bool = False) -> None:
        """Lose that share of the packets from the first host to the second, at random; without `one_way` both ways."""
        if not 0 < percent <= 100:
            raise FailoverdError("the share to lose is not usable", f"{percent} %", "1 to 100")
        sender, receiver = self.layout.host(first), self.layout.host(second)
        network.drop(receiver, sender, percent)
        if not one_way:
            network.drop(sender, receiver, percent)

    def fill_disk(self, name: str) -> int:
        """Use up the disk of the host but for a few KB; returns how many bytes that took."""
        return disks.fill(self._kept(name))

    def read_only_fs(self, name: str) -> None:
        """Let the disk of the host turn read-only under its open files; `start` repairs it."""
        disks.make_read_only(self._kept(name))

    def damage_relay(self, name: str) -> str:
        """Overwrite bytes in what the replica has received and not yet applied; returns "file:offset".

        The applier must be stopped: with nothing unapplied there is nothing to damage (FailoverdError).
        """
        return relay.damage(self._server(name))

    def hold_lock(self, name: str, statement: str = "FLUSH TABLES WITH READ LOCK") -> None:
        """Keep a session open that has run this statement, by default the one that stops all writes."""
        self._sessions.hold(self._server(name), statement)

    def exhaust_connections(self, name: str) -> int:
        """Use up all connections that ordinary accounts may have; returns how many sessions that took."""
        return self._sessions.hold(self._server(name), "DO 0", user="app", count=100_000)

    def slow(self, first: str, second: str, milliseconds: float, *, jitter: float = 0.0, one_way: bool = False) -> None:
        """Delay what the first host sends the second, each way without `one_way`; needs a lab with its own switch."""
        if milliseconds < 0 or jitter < 0:
            raise FailoverdError("the delay is not usable", f"{milliseconds} ms, jitter {jitter} ms", "0 or more")
        sender, receiver = self.layout.host(first), self.layout.host(second)
        network.slow(self.layout, sender, receiver, milliseconds, jitter)
        if not one_way:
            network.slow(self.layout, receiver, sender, milliseconds, jitter)

    def heal(self) -> None:
        """Take back every cut, loss, delay, pulled cable, held session, filled disk; hosts without power stay off."""
        self._sessions.release()
        network.forget_delays(self.layout)
        for host in self.layout.hosts:
            if host.kind in _SERVICES:
                disks.empty(host)
            network.forget_drops(host)
            if host.kind not in _SERVICES or keeping.is_on(host):
                network.set_link(self.layout, host, up=True)

    def _kept(self, name: str) -> Host:
        host = self.layout.host(name)
        if host.kind not in _SERVICES:
            there = ", ".join(other.name for other in self.layout.hosts if other.kind in _SERVICES)
            raise FailoverdError("that host has no service of the lab", name, f"those are {there}")
        return host

    def _server(self, name: str) -> Host:
        host = self._kept(name)
        if host.kind is not Kind.SERVER:
            raise FailoverdError(f"{name} has no mysqld", "", "db1, db2 ... have one")
        return host

    def _pid(self, name: str) -> int:
        host = self._kept(name)
        pid = keeping.service_pid(host, _SERVICES[host.kind])
        if pid == 0:
            raise FailoverdError(f"no {_SERVICES[host.kind]} runs on {name}", "", f"failoverd lab fault start {name}")
        return pid
