"""The Agents port over SSH: each method is one question to one host, translated into nouns."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from failoverd.drivers.ssh.access import AgentAccess
from failoverd.drivers.ssh.agent_client import AgentChannel
from failoverd.drivers.ssh.answers import fault_words, fence_proof, holding, host_facts, silence, verified
from failoverd.drivers.ssh.asking import Ask
from failoverd.drivers.ssh.connection import SshAccess
from failoverd.drivers.ssh.copying import Take, copied_out
from failoverd.drivers.ssh.lines import Line
from failoverd.drivers.ssh.tending import Tender
from failoverd.gtid import GtidSet
from failoverd.model.errors import AgentError, FencedOut, LockLost
from failoverd.model.history import LEFT
from failoverd.model.host import (
    AgentSilent,
    FenceProof,
    Holding,
    HostSight,
    Links,
    LogKind,
    Lot,
    ProbeOutcome,
    ProbeReport,
    Spliced,
    Verified,
)
from failoverd.model.sight import ServerState
from failoverd.model.steps import SPLICE_CHANNEL
from failoverd.model.traffic import Vip
from failoverd.ports import Clock, Lease, Progress, Tasks

ASIDE = "fo_next"  # what names the files of a copy that waits for the splice channel
EVERYTHING = Lot()
MANY = 50  # hosts: from here on only those of primaries have a channel that is kept open unused
# What is linked at the first sign of trouble: files and bytes of the newest of each kind. Of the primary few, because
# links hold room that a purge there was to give back; relay logs are purged as soon as they are executed.
MOST_KEPT = {LogKind.BINARY: (8, 8 << 30), LogKind.RELAY: (256, 64 << 30)}
_PROBE_SHARE = 0.8  # of the time we have; the rest is for the way there and back, so that "hung" is still heard
GIVE, TAKE = "give", "take"  # the channels of transfers
_OWN_CHANNEL_OVER = 16 * 1024 * 1024  # bytes: a longer transfer would keep quick questions waiting on the warm channel


class SshAgents:
    """Implements `ports.Agents`. `lease_of` gives a cluster's lease in force, for what is laid out under an epoch.

    `sha256` is the hash of the zipapp that belongs to this program; facts tell of an agent with another one.
    """

    def __init__(
        self,
        accesses: tuple[AgentAccess, ...],
        sha256: str,
        clock: Clock,
        tasks: Tasks,
        lease_of: Callable[[str], Lease | None],
    ) -> None:
        self._clock = clock
        self._lease_of = lease_of
        self._accesses: Mapping[tuple[str, str], AgentAccess] = {}
        self._lines: Mapping[tuple[SshAccess, str], Line] = {}
        self._primaries: dict[str, str | None] = {}
        self._settling, self._exports = threading.Lock(), itertools.count()
        self._sha256, self._tasks, self._tender = sha256, tasks, Tender(tasks)
        self.configure(accesses)

    def configure(self, accesses: tuple[AgentAccess, ...]) -> None:
        """Other hosts, or other ways to them; lines that stay right stay open."""
        before = self._lines
        kept = {(access.ssh, access.dir): access for access in accesses}
        self._lines = {
            key: before.get(key) or Line(access.ssh, access.command, self._tender) for key, access in kept.items()
        }
        self._accesses = {(access.cluster, access.server): access for access in accesses}
        for key, line in before.items():
            if key not in kept:
                line.close()
        with self._settling:
            self._keep_wanted()

    def keep_warm(self) -> None:
        """Begin to open a channel to every host; does not wait."""
        for line in self._lines.values():
            line.warm()

    def keep_open(self, cluster: str, primary: str | None) -> bool:
        """Keep the channel to the primary's host open, or with None those to all hosts of the cluster; whether hosts
        are few, so that all are kept anyway.
        """
        with self._settling:
            if self._primaries.get(cluster, "") != primary:
                self._primaries[cluster] = primary
                self._keep_wanted()
        return self._few

    @property
    def _few(self) -> bool:
        return len(self._lines) < MANY

    def _keep_wanted(self) -> None:
        """Where hosts are few nothing is let go, and nothing is begun here."""
        if self._few:
            wanted = frozenset(self._lines)
        else:
            wanted = frozenset(
                (access.ssh, access.dir)
                for (cluster, server), access in self._accesses.items()
                if self._primaries.get(cluster, "") in (server, None)
            )
        for key, line in self._lines.items():
            line.keep(key in wanted, open_it=not self._few)

    def close(self) -> None:
        """End all channels."""
        for line in self._lines.values():
            line.close()

    def facts(self, cluster: str, server: str, timeout: float) -> HostSight:
        """What is true on that host now. Never raises for what a host does."""
        begun = time.monotonic()
        try:
            access = self._access(cluster, server)
            channel = self._line(access).channel(timeout)
            left = max(timeout - (time.monotonic() - begun), 0.01)
            asked = channel.begin(Ask("facts", self._named(access), cluster), left)
            highest = channel.begin(Ask("epoch", {}, cluster), left)
            told, epoch = channel.finish(asked), channel.finish(highest)
            return host_facts(server, told, int(epoch["epoch"]), self._clock.now(), channel.hello, self._sha256)
        except AgentError as error:
            return AgentSilent(server, silence(error), str(error), self._clock.now())

    def probe(self, cluster: str, origin: str, target: str, timeout: float) -> ProbeReport | None:
        """A complete login to `target` from the host of `origin`; None where that agent cannot be asked."""
        begun = time.monotonic()
        try:
            access, aim = self._access(cluster, origin), self._access(cluster, target)
            channel = self._line(access).channel(timeout)
            asked = Ask("probe", probe_args(aim, timeout * _PROBE_SHARE), cluster, patience=timeout)
            told = channel.call(asked, max(timeout - (time.monotonic() - begun), 0.01))
        except AgentError:
            return None
        code = told.get("code")
        number = code if isinstance(code, int) else 0
        outcome = ProbeOutcome(told["outcome"])
        return ProbeReport(origin, target, outcome, float(told["seconds"]), self._clock.now(), number)

    def remember(self, cluster: str, state: ServerState) -> None:
        """Tell the agent where its server keeps data and logs. Raises AgentError."""
        access, files = self._access(cluster, state.name), state.files
        args = {
            "server": state.name,
            "datadir": files.datadir,
            "server_uuid": state.server_uuid,
            "log_bin_basename": files.binary_basename,
            "log_bin_index": files.binary_index,
            "relay_log_basename": files.relay_basename,
            "relay_log_index": files.relay_index,
            "log_error": files.error_log,
            "port": state.endpoint.port,
            "pid_file": files.pid_file,
        }
        self._call(access, Ask("remember", args, cluster), access.ssh.timeout)

    def scan(self, cluster: str, server: str, kind: LogKind, lacking: GtidSet, timeout: float) -> Holding:
        """What the log files of that host hold beyond `lacking`; problems are part of the answer."""
        access = self._access(cluster, server)
        args = {**self._named(access), "kind": kind.value, "lacking": str(lacking)}
        try:
            return holding(server, kind, self._call(access, Ask("scan", args, cluster), timeout))
        except AgentError as error:
            return Holding(server, kind, complete=False, problem=str(error))

    def scan_kept(
        self, cluster: str, server: str, names: tuple[str, ...], lacking: GtidSet, timeout: float
    ) -> tuple[Holding, ...]:
        """What only links made under these names hold, by kind of log; problems are part of the answer."""
        access = self._access(cluster, server)
        asked = {**self._named(access), "kept": list(names), "only_kept": True, "lacking": str(lacking)}
        found = []
        for kind in LogKind:
            try:
                told = self._call(access, Ask("scan", {**asked, "kind": kind.value}, cluster), timeout)
            except AgentError as error:
                told = {"missing": "", "bytes": 0, "files": 1, "faults": [{"what": str(error)}]}
            found.append(replace(holding(server, kind, told), kept=names))
        return tuple(one for one in found if one.files)

    def verify(self, cluster: str, server: str, file: str, position: int, timeout: float) -> Verified:
        """What the applier can read of its relay logs from there on; problems are part of the answer."""
        access = self._access(cluster, server)
        args = {**self._named(access), "kind": "relay", "file": file, "position": position}
        try:
            return verified(server, self._call(access, Ask("verify", args, cluster), timeout))
        except AgentError as error:
            return Verified(server, problem=str(error))

    def keep(self, cluster: str, server: str, lease: Lease, operation: str, kind: LogKind | None = None) -> int:
        """Hard-link log files under the name of an operation: all, or the newest of one kind, which are more than
        anybody can lack and few enough for a disk that is short of room. Raises FencedOut, LockLost, AgentError.
        """
        access, args = self._access(cluster, server), {"operation": operation}
        if kind is None:
            return int(self._change(access, "keep", args, lease)["files"])
        files, size = MOST_KEPT[kind]
        newest = {**args, "kind": kind.value, "most_files": files, "most_bytes": size}
        return int(self._change(access, "keep", newest, lease, access.fencing_timeout)["files"])

    def kept(self, cluster: str, server: str, timeout: float) -> tuple[Links, ...]:
        """All links there, by name. Raises AgentError."""
        access = self._access(cluster, server)
        told = self._call(access, Ask("kept", self._named(access), cluster), timeout)["operations"]
        return tuple(Links(server, str(one["operation"]), int(one["files"]), int(one["bytes"])) for one in told)

    def trim(self, cluster: str, server: str, lease: Lease, held: GtidSet) -> str:
        """End the links of troubles and operations that are over, if there are any; what is left of them, in words."""
        access = self._access(cluster, server)
        left = []
        for links in self.kept(cluster, server, access.fencing_timeout):
            if links.name.startswith(LEFT):
                continue
            told = self._change(access, "trim", {"name": links.name, "held": str(held)}, lease)
            left += [GtidSet.parse(told["left"]).shorten()] if told["left"] else []
            left += fault_words(told)
        return "; ".join(left)

    def transfer(
        self, cluster: str, target: str, wanted: Holding, progress: Progress, lot: Lot = EVERYTHING
    ) -> Spliced:
        """Copy exactly the wanted transactions beside the target's relay logs, in pieces; what was left there by an
        earlier transfer is replaced. Raises AgentError, LockLost, FencedOut.
        """
        giver, taker = self._access(cluster, wanted.server), self._access(cluster, target)
        lease = self._lease_of(cluster)
        if lease is None:
            raise LockLost(f"nothing is laid out on {target}", f"no lease on {cluster}")
        idle = taker.salvage_timeout
        own = min(wanted.size, lot.most or wanted.size) > _OWN_CHANNEL_OVER
        same = self._line(giver) is self._line(taker)  # one channel would wait for itself
        source, sink = self._channel(giver, own, GIVE), self._channel(taker, own or same, TAKE)
        if not own and wanted.size > _OWN_CHANNEL_OVER:
            self._begin_to_open((giver, GIVE), (taker, TAKE))
        try:
            args = {**self._named(giver), "kind": wanted.kind.value, "wanted": str(wanted.missing)}
            args |= {"max_bytes": lot.most, "kept": list(wanted.kept)}
            pieces = source.download(Ask("extract", args, cluster), idle, progress)
            lease.check()
            suffix = ASIDE if lot.aside else SPLICE_CHANNEL
            put = Ask("put", {**self._named(taker), "name_suffix": suffix, "replace": True}, cluster, lease.epoch)
            laid = self._fenced(lambda: sink.upload(put, pieces, idle))
        except BaseException:
            self._end_others(cluster)
            raise
        size = int(laid["bytes"])
        progress(size, size)
        problem = "; ".join(fault_words(pieces.result))
        return Spliced(str(laid["relay_log_file"]), GtidSet.parse(laid["gtids"]), size, int(laid["files"]), problem)

    def copy_out(self, cluster: str, server: str, wanted: GtidSet, take: Take) -> tuple[str, ...]:
        """Hand `take` exactly these transactions out of that host's logs, as pieces of whole log files; what could not
        be read, in words. Changes nothing, so it needs no lease. Raises AgentError.
        """
        access = self._access(cluster, server)
        line, purpose = self._line(access), f"export {next(self._exports)}"  # one may begin while another one runs
        try:
            args = {**self._named(access), "wanted": str(wanted)}
            return copied_out(line.another(purpose, access.ssh.timeout), args, cluster, access.salvage_timeout, take)
        finally:
            line.end_others(purpose)

    def bring_forward(self, cluster: str, server: str, lease: Lease) -> str:
        """Give what was laid aside the names of the splice channel; its first file."""
        told = self._change(self._access(cluster, server), "splice_move", {"aside": ASIDE}, lease)
        return str(told["relay_log_file"])

    def clean_spliced(self, cluster: str, server: str, lease: Lease) -> None:
        """Remove files that a transfer has left, those aside too."""
        for suffix in (SPLICE_CHANNEL, ASIDE):
            self._change(self._access(cluster, server), "splice_clean", {"name_suffix": suffix}, lease)
        self._end_others(cluster)

    def _begin_to_open(self, *wanted: tuple[AgentAccess, str]) -> None:
        """Channels for long transfers that will follow: an agent takes a moment to start. Nobody waits, or hears of it
        here where one cannot be opened.
        """

        def opening(access: AgentAccess, purpose: str) -> Callable[[], AgentChannel]:
            return lambda: self._channel(access, own=True, purpose=purpose)

        self._tasks.gather({purpose: opening(access, purpose) for access, purpose in wanted}, 0.0)

    def _end_others(self, cluster: str) -> None:
        """The channels that were opened for long transfers; parts of one splice share them."""
        for access in self._accesses.values():
            if access.cluster == cluster:
                self._line(access).end_others(GIVE, TAKE)

    def fence(self, cluster: str, server: str, server_uuid: str, lease: Lease, operation: str) -> FenceProof:
        """Keep logs, hold the restart, kill, prove, mark. Raises FencedOut, LockLost or AgentError."""
        access = self._access(cluster, server)
        args = {"server_uuid": server_uuid, "hold": access.hold, "operation": operation, "vip": vip_args(access.vip)}
        told = self._change(access, "fence", args, lease, access.fencing_timeout)
        return fence_proof(server, told)

    def release(self, cluster: str, server: str, lease: Lease) -> None:
        """End the hold of a fence with an equal or lower epoch."""
        access = self._access(cluster, server)
        lease.check()
        asked = Ask("release", {"server": server}, cluster, lease.epoch)
        self._fenced(lambda: self._call(access, asked, access.fencing_timeout))

    def stand_in(self, cluster: str, server: str, server_uuid: str, lease: Lease) -> None:
        """Start its mysqld again, once, when it has ended by itself. Raises FencedOut, LockLost or AgentError."""
        access = self._access(cluster, server)
        self._change(access, "stand_in", {"server_uuid": server_uuid}, lease, access.fencing_timeout)

    def take_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Bring the virtual address there; whether it was not there. Raises FencedOut, LockLost or AgentError."""
        return bool(self._move_address("take_address", cluster, server, vip, lease)["taken"])

    def leave_address(self, cluster: str, server: str, vip: Vip, lease: Lease) -> bool:
        """Take the virtual address away; whether it was there. Raises FencedOut, LockLost or AgentError."""
        return bool(self._move_address("leave_address", cluster, server, vip, lease)["left"])

    def _move_address(self, op: str, cluster: str, server: str, vip: Vip, lease: Lease) -> Mapping[str, Any]:
        access = self._access(cluster, server)
        return self._change(access, op, {"vip": vip_args(vip)}, lease, access.fencing_timeout)

    def check(self, cluster: str, server: str, timeout: float) -> Mapping[str, Any]:
        """Each right the agent needs, and what is configured of its host, tried: `{"ok", "rights": [{"right", "why"}],
        "settings": [{"key", "why"}]}`. Raises AgentError.
        """
        access = self._access(cluster, server)
        args = {**self._named(access), "vip": vip_args(access.vip), **access.settings}
        return self._call(access, Ask("agent_check", args, cluster), timeout)

    def hello(self, cluster: str, server: str, timeout: float) -> Mapping[str, Any]:
        """What the agent says of itself. Raises AgentError."""
        return self._line(self._access(cluster, server)).channel(timeout).hello

    def _access(self, cluster: str, server: str) -> AgentAccess:
        known = self._accesses.get((cluster, server))
        if known is None:
            raise AgentError(f"no agent is known for {server} of {cluster}", code="MISSING")
        return known

    def _line(self, access: AgentAccess) -> Line:
        return self._lines[(access.ssh, access.dir)]

    def _channel(self, access: AgentAccess, own: bool, purpose: str) -> AgentChannel:
        line = self._line(access)
        return line.another(purpose, access.ssh.timeout) if own else line.channel(access.ssh.timeout)

    def _named(self, access: AgentAccess) -> dict[str, Any]:
        return {"server": access.server, "datadir": access.datadir}

    def _call(self, access: AgentAccess, ask: Ask, timeout: float) -> Mapping[str, Any]:
        begun = time.monotonic()
        channel = self._line(access).channel(timeout)
        return channel.call(ask, max(timeout - (time.monotonic() - begun), 0.01))

    def _change(
        self, access: AgentAccess, op: str, args: Mapping[str, Any], lease: Lease, timeout: float | None = None
    ) -> Mapping[str, Any]:
        lease.check()
        asked = Ask(op, {**self._named(access), **args}, access.cluster, lease.epoch)
        return self._fenced(lambda: self._call(access, asked, access.salvage_timeout if timeout is None else timeout))

    def _fenced(self, act: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return act()
        except AgentError as error:
            if error.code == "STALE_EPOCH":
                raise FencedOut(error.what, error.detail, "a newer manager is at work") from error
            raise


def vip_args(vip: Vip | None) -> dict[str, Any] | None:
    """A virtual address as agents are told."""
    return None if vip is None else {"address": vip.address, "prefix": vip.prefix, "interface": vip.interface}


def probe_args(aim: AgentAccess, timeout: float) -> dict[str, Any]:
    """What a probe of a server needs to know; an agent knows no authorities, so `verify` asks for TLS alone."""
    return {
        "host": aim.endpoint.host,
        "port": aim.endpoint.port,
        "user": aim.account.user,
        "password": aim.account.password,
        "timeout": timeout,
        "tls": "required" if aim.account.tls.startswith("verify") else aim.account.tls,
    }
