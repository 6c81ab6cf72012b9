"""What a server has made for itself, kept on this host: the raw log, mysqlbinlog's text of it, and JSON for programs.

`DIR/OPERATION/`: raw.000001 and so on, transactions.sql, transactions.json, and manifest.json, which is written last:
where it is, everything is on the disk. Memory holds one transaction at a time.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from failoverd.drivers.binlog.cursor import Cut
from failoverd.drivers.binlog.transactions import transactions_of
from failoverd.drivers.files import sync_file, sync_folder, unwritable
from failoverd.drivers.journal_codec import checked_name
from failoverd.drivers.ssh.copying import Take
from failoverd.gtid import GtidSet, GtidSetBuilder
from failoverd.model.divergence import Change, Clash, Exported, ExportOrder, Judged, Shape, Told, Transaction
from failoverd.model.divergence_json import change_from, transaction_json
from failoverd.model.errors import ServerError, StepFailed
from failoverd.model.published import time_text
from failoverd.ports import Clock

MANIFEST = "manifest.json"
PROGRAM = "mysqlbinlog"
_SQL_LIMIT = 600.0  # seconds for the program's whole text
_TABLES_LIMIT = 3.0
# Rows of one replay: it is one transaction, and every row is a round trip.
MOST_REPLAYED = 100_000
# So many rows are compared with the primary's at once, or fewer where they have this many characters.
MOST_TOGETHER = 100
_MUCH = 1_000_000
_Some = TypeVar("_Some", Transaction, Change)
_UNJUDGED = Judged(GtidSet(), Told.UNKNOWN, "no journal tells anything about it")


class Source(Protocol):
    """Where exact transactions come from: the agents."""

    def copy_out(self, cluster: str, server: str, wanted: GtidSet, take: Take) -> tuple[str, ...]:
        """Hand over pieces of whole log files with exactly these; what could not be read. Raises AgentError."""


class Tables(Protocol):
    """A living server's tables, as far as our account may see them."""

    problem: str

    def shape(self, schema: str, table: str) -> Shape:
        """A table's columns and key."""

    def compare(self, changes: Sequence[Change]) -> tuple[Clash, ...]:
        """What stands against each of these changes."""

    def close(self) -> None:
        """End it."""


class NoTables:
    """In place of a server that cannot be reached: nothing is known."""

    def __init__(self, problem: str) -> None:
        self.problem = problem

    def shape(self, schema: str, table: str) -> Shape:
        """Nobody tells."""
        return Shape()

    def compare(self, changes: Sequence[Change]) -> tuple[Clash, ...]:
        """Nobody tells."""
        return (Clash.UNKNOWN,) * len(changes)

    def close(self) -> None:
        """Nothing is open."""


class DivergenceFiles:
    """Implements `ports.Archive` below one folder; `open_tables` gives the tables of (cluster, server, seconds)."""

    def __init__(
        self, root: Path, source: Source, open_tables: Callable[[str, str, float], Tables], clock: Clock
    ) -> None:
        self._root = root
        self._source = source
        self._open_tables = open_tables
        self._clock = clock

    def keep(self, order: ExportOrder) -> Exported:
        """Fetch exactly these transactions and write them down, on the disk on return; what an earlier attempt under
        the same name has left is replaced. Raises AgentError, CoordinationError where the disk takes nothing.
        """
        folder = self._root / checked_name("operation", order.operation)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            (folder / MANIFEST).unlink(missing_ok=True)
            problems = list(self._fetch(order, folder))
            found, count = self._write_json(order, folder, problems)
            problems += as_sql(raw_files(folder), folder / "transactions.sql")
            exported = Exported(str(folder), found, count, order.gtids - found, tuple(problems))
            self._seal(order, exported, folder)
        except OSError as error:
            raise unwritable(folder, error) from error
        return exported

    def kept(self, cluster: str, server: str, gtids: GtidSet) -> str:
        """The newest folder that holds all of these of that server; empty where there is none."""
        for file in sorted(self._root.glob(f"*/{MANIFEST}"), key=lambda one: one.parent.name, reverse=True):
            try:
                told = json.loads(file.read_text(encoding="utf-8"))
                same = (told["cluster"], told["server"]) == (cluster, server)
                if same and gtids <= GtidSet.parse(told["gtids"]):
                    return str(file.parent)
            except (OSError, ValueError, LookupError, TypeError):
                continue  # what cannot be read is no proof that anything is kept
        return ""

    def changes(self, cluster: str, server: str, gtids: GtidSet) -> tuple[Change, ...]:
        """What these have changed, in their order. StepFailed where not all of it is told row by row, or it is too much
        for one transaction.
        """
        folder = self.kept(cluster, server, gtids)
        if not folder:
            raise StepFailed(f"not all of these are kept on this host: {gtids.shorten()}")
        told = json.loads((Path(folder) / "transactions.json").read_text(encoding="utf-8"))["transactions"]
        wanted = [one for one in told if GtidSet.parse(one["gtid"]) <= gtids]
        unsaid = next((one for one in wanted if one["problem"] or not_rows(one)), None)
        if unsaid is not None:
            why = unsaid["problem"] or "it is more than rows, or a table of it has no primary key"
            raise StepFailed(f"{unsaid['gtid']} cannot be replayed", why, "leave it out, and mend it by hand")
        found = tuple(change_from(row) for one in wanted for row in one["rows"])
        if len(found) > MOST_REPLAYED:
            raise StepFailed("too many rows for one transaction", f"{len(found)}, allowed are {MOST_REPLAYED}")
        return found

    def show(self, order: ExportOrder, most: int) -> tuple[Mapping[str, object], ...]:
        """The first of these transactions as JSON data; nothing is kept. Raises AgentError."""
        shown: list[Mapping[str, object]] = []
        with tempfile.TemporaryDirectory(prefix="failoverd-") as name:
            self._fetch(order, Path(name))
            tables = self._tables(order)
            try:
                for one in self._transactions(Path(name), tables, []):
                    if len(shown) == most:
                        break
                    shown += told_of(order, [one], tables)
            finally:
                tables.close()
        return tuple(shown)

    def _fetch(self, order: ExportOrder, folder: Path) -> tuple[str, ...]:
        for left in raw_files(folder):
            left.unlink()
        writer = _RawWriter(folder, order.most_bytes)
        try:
            return self._source.copy_out(order.cluster, order.server, order.gtids, writer.take)
        except StepFailed:
            writer.close()
            shutil.rmtree(folder)
            raise
        finally:
            writer.close()

    def _tables(self, order: ExportOrder) -> Tables:
        try:
            return self._open_tables(order.cluster, order.primary, _TABLES_LIMIT)
        except ServerError as error:
            return NoTables(f"{order.primary} could not be asked about its tables: {error}")

    def _transactions(self, folder: Path, tables: Tables, problems: list[str]) -> Iterator[Transaction]:
        for path in raw_files(folder):
            try:
                yield from transactions_of(path, tables.shape)
            except (Cut, ValueError) as error:
                problems.append(f"{path.name} could not be read to its end: {error}")

    def _write_json(self, order: ExportOrder, folder: Path, problems: list[str]) -> tuple[GtidSet, int]:
        """One line for each transaction within one document."""
        tables, found, count = self._tables(order), GtidSetBuilder(), 0
        path = folder / "transactions.json"
        try:
            with path.open("w", encoding="utf-8") as file:
                file.write('{"transactions": [')
                for portion in portions(self._transactions(folder, tables, problems)):
                    for told in told_of(order, portion, tables):
                        file.write(("," if count else "") + "\n" + json.dumps(told, ensure_ascii=False))
                        count += 1
                        add(found, str(told["gtid"]))
                file.write("\n]}\n")
        finally:
            tables.close()
        problems += [tables.problem] if tables.problem else []
        return found.build(), count

    def _seal(self, order: ExportOrder, exported: Exported, folder: Path) -> None:
        """Everything to the disk, then the manifest that says so."""
        files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
        for path in files:
            path.chmod(0o640)
            sync_file(path)
        manifest = {
            "cluster": order.cluster,
            "server": order.server,
            "operation": order.operation,
            "exported": time_text(self._clock.wall().timestamp()),
            "gtids": str(exported.gtids),
            "transactions": exported.transactions,
            "lacking": str(exported.lacking),
            "problems": list(exported.problems),
            "files": [{"name": path.name, "bytes": path.stat().st_size, "sha256": hash_of(path)} for path in files],
        }
        write_durably(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        for one in (folder, self._root, self._root.parent):
            sync_folder(one)


class _RawWriter:
    """Writes the pieces of log files one file after the other."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._bytes = 0
        self._file: Any = None
        self._count = 0

    def take(self, begins: bool, piece: bytes) -> None:
        """The next piece. StepFailed where it is more than wanted."""
        self._bytes += len(piece)
        if self._most and self._bytes > self._most:
            raise StepFailed(f"the raw log has more than {self._most} bytes", "", "failoverd errant CLUSTER --export")
        if begins:
            self.close()
            self._count += 1
            self._file = (self._folder / f"raw.{self._count:06}").open("wb")
        self._file.write(piece)

    def close(self) -> None:
        """End the file at hand."""
        if self._file is not None:
            self._file.close()


def told_of(order: ExportOrder, some: Sequence[Transaction], tables: Tables) -> Iterator[dict[str, object]]:
    """Each transaction as JSON data, with who was told of it and what stands against it."""
    clashes: list[Clash] = []
    for changes in portions(change for one in some for change in one.changes):
        clashes += tables.compare(changes)
    left = iter(clashes)
    for one in some:
        judged = next((row for row in order.judged if GtidSet.parse(one.gtid) <= row.gtids), _UNJUDGED)
        yield transaction_json(one, judged, tuple(itertools.islice(left, len(one.changes))))


def portions(some: Iterable[_Some]) -> Iterator[list[_Some]]:
    """So many at a time as are asked about together: neither many, nor much."""
    portion: list[_Some] = []
    size = 0
    for one in some:
        portion.append(one)
        size += weight(one)
        if len(portion) == MOST_TOGETHER or size >= _MUCH:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def weight(one: Transaction | Change) -> int:
    """About how many characters its values have."""
    changes = one.changes if isinstance(one, Transaction) else (one,)
    rows = (row for change in changes for row in (change.before, change.after))
    return sum(len(value) if isinstance(value, str | bytes) else 8 for row in rows for _, value in row)


def not_rows(one: Mapping[str, Any]) -> bool:
    """Whether a transaction did more than its rows tell, or a row has no key: made twice, it would be there twice."""
    return not one["rows"] or any(row["key"] is None for row in one["rows"])


def add(builder: GtidSetBuilder, gtid: str) -> None:
    """Add one transaction by its name."""
    uuid, *tag, number = gtid.split(":")
    builder.add(uuid, tag[0] if tag else "", int(number))


def raw_files(folder: Path) -> list[Path]:
    """The raw logs of an export, in order."""
    return sorted(folder.glob("raw.*"))


def as_sql(files: list[Path], to: Path) -> list[str]:
    """The text of mysqlbinlog beside the raw logs; in words why there is none."""
    program = shutil.which(PROGRAM)
    to.unlink(missing_ok=True)
    if program is None:
        return [f"{PROGRAM} is not installed on this host: there is no {to.name}, the raw log has everything"]
    words = [program, "--no-defaults", "--verbose", "--base64-output=decode-rows", *map(str, files)]
    try:
        with to.open("wb") as file:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, timeout=_SQL_LIMIT, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"{PROGRAM} could not be run: {error}"]
    return [f"{PROGRAM} failed: {done.stderr.decode(errors='replace').strip()[:500]}"] if done.returncode else []


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_durably(path: Path, text: str) -> None:
    """A small file, on the disk on return."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
