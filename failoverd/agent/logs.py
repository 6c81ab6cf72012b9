"""The questions about log files: what they hold, the bytes of it, and whether they are sound."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from failoverd.agent import fields
from failoverd.agent.binlog.delta import DeltaWriter
from failoverd.agent.binlog.extract import extract
from failoverd.agent.binlog.scan import Contents, Enough, Scanner
from failoverd.agent.binlog.verifying import verify
from failoverd.agent.conversation import Call, Op
from failoverd.agent.fields import Field
from failoverd.gtid import GtidSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from failoverd.agent.deadline import Deadline
    from failoverd.agent.home import Home, Server

SERVER = {"server": Field(fields.server), "datadir": Field(fields.optional(fields.path), None)}
KIND = Field(fields.one_of("binary", "relay", "both"), "both")
_KEPT = Field(fields.operations, [])
_FOLLOWED = 2
"""The newest file, and the one before it, until both heads tell what it holds."""

_FILE = Field(fields.matching(r"[\w@.#+:-]{0,255}", "a file's name"), "")


class Logs:
    """Answers from what it remembers of each file; `ops` is its part of the agent's table."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._scanner = Scanner()
        self._scanning = threading.Lock()
        search = {**SERVER, "kind": KIND, "kept": _KEPT}
        lacking = {"lacking": Field(fields.gtid_set, GtidSet()), "verify": Field(fields.boolean, False)}
        lacking["only_kept"] = Field(fields.boolean, False)
        wanted = {"wanted": Field(fields.gtid_set), "max_bytes": Field(fields.whole(0, 2**50), 0)}
        place = {"kind": Field(fields.one_of("binary", "relay"), "relay"), "file": _FILE}
        self.ops = {
            "scan": Op(self._scan, {**search, **lacking}),
            "extract": Op(self._extract, {**search, **wanted}),
            "verify": Op(self._verify, {**SERVER, **place, "position": Field(fields.whole(0, 2**50), 0)}),
        }

    def follow(self, server: Server, deadline: Deadline, check: Callable[[], None]) -> None:
        """Read on in a server's logs, so that a later question finds them read; `check` may end it at any moment."""
        for place in (server.binary, server.relay):
            if place is not None:
                with _held(self._scanning, deadline):
                    self._scanner.scan(place.files()[-_FOLLOWED:], verify=False, check=check)

    def _server(self, call: Call) -> Server:
        return self._home.server(call.cluster, call.args["server"], call.args["datadir"])

    def _contents(self, call: Call, verified: bool, enough: Enough | None) -> dict[str, list[Contents]]:
        """Look into the asked logs; "both" passes over one that was not remembered.

        Every binary log file begins with all that came before it; a relay log may begin anew, and is read from its
        oldest file on. Links of the named operations come last, without those whose file is still where it was.
        """
        server, only = self._server(call), call.args.get("only_kept", False)
        kinds = ("binary", "relay") if call.args["kind"] == "both" else (call.args["kind"],)
        places = {"binary": server.binary, "relay": server.relay}
        found: dict[str, list[Contents]] = {}
        with _held(self._scanning, call.deadline):
            for kind in kinds:
                if places[kind] is None and len(kinds) > 1:
                    continue
                place = server.place(kind)
                last = enough if kind == "binary" else None
                check, kept = call.deadline.check, place.only_kept(call.args["kept"])
                found[kind] = [] if only else self._scanner.scan(place.files(), verified, check, last)
                found[kind] += self._scanner.scan(kept, verified, check)
        return found

    def _scan(self, call: Call) -> dict[str, Any]:
        began = time.monotonic()
        verified, lacking = call.args["verify"], call.args["lacking"]
        found = self._contents(call, verified, None if verified else lambda previous: previous <= lacking)
        files = [one for contents in found.values() for one in contents]
        holds = GtidSet()
        for one in files:
            holds |= one.holds
        missing = holds - lacking
        newest = [contents[-1] for contents in found.values() if contents]
        return {
            "holds": str(holds),  # of the files that were looked at
            "missing": str(missing),
            "bytes": sum(_bytes_of(one, missing) for one in files),
            "files": len(files),
            "torn": [one.torn.as_json() for one in files if one.torn is not None],
            "in_use": any(one.in_use for one in newest),
            "faults": [fault.as_json() for one in files for fault in one.faults],
            "seconds": round(time.monotonic() - began, 6),
        }

    def _extract(self, call: Call) -> dict[str, Any]:
        wanted = call.args["wanted"]
        found = self._contents(call, False, lambda previous: not previous & wanted)
        # the binary log first: the relay log is asked only for what that does not hold
        files = [one for kind in ("binary", "relay") for one in found.get(kind, ())]
        total = sum(_bytes_of(one, wanted) for one in files)
        writer = DeltaWriter(call.send)

        def check() -> None:
            call.deadline.check()
            call.progress(writer.bytes, total)

        sent, refused = extract(files, wanted, writer, call.args["max_bytes"], check)
        with _held(self._scanning, call.deadline):
            for one in refused:
                self._scanner.distrust(one.path, one.gtids, one.fault)
        return {
            "gtids": str(sent),
            "transactions": writer.transactions,
            "bytes": writer.bytes,
            "files": writer.files,
            "faults": [one.fault.as_json() for one in refused],
        }

    def _verify(self, call: Call) -> dict[str, Any]:
        began = time.monotonic()
        place = self._server(call).place(call.args["kind"])
        found = verify(place, call.args["file"], call.args["position"], call.deadline.check)
        return {
            "sound": str(found.sound),
            "behind": str(found.behind),
            "faults": [fault.as_json() for fault in found.faults],
            "torn": found.torn.as_json() if found.torn else None,
            "bytes": found.bytes,
            "files": found.files,
            "seconds": round(time.monotonic() - began, 6),
        }


def _bytes_of(one: Contents, gtids: GtidSet) -> int:
    """About how many bytes of a file are of these transactions."""
    here, whole = (one.holds & gtids).count(), one.holds.count()
    return one.size * here // whole if here else 0


@contextlib.contextmanager
def _held(lock: threading.Lock, deadline: Deadline) -> Iterator[None]:
    """Hold a lock, waiting no longer than the deadline."""
    while not lock.acquire(timeout=max(0.001, deadline.left())):
        deadline.check()
    try:
        yield
    finally:
        lock.release()
