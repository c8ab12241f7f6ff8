"""A small store of named bytes with compare-and-swap; all state that must not be lost or forked stands on it.

Ledger, catalog manifests and budgets need one thing from a database: several rows change together or not at all, and
only if nobody else changed them in between. `Store` is that thing and no more, so that another engine can take its
place; `tests/core/test_store.py` is the behaviour that each engine has to show.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import ConflictError, InternalError, StateError
from core.files import create_whole

SCHEMA_VERSION = 1

# The cast: a row that somebody edited by hand may hold text; whoever checks its digest wants its bytes all the same.
_SELECT = "SELECT key, CAST(value AS BLOB), version FROM entry"


@dataclass(frozen=True)
class Entry:
    """One stored value. version: over 0, and never used twice for one key, even when it was deleted in between."""

    key: str
    value: bytes
    version: int


@dataclass(frozen=True)
class Write:
    """One change. expected: the version that was read, 0 when the key must not exist. value None deletes."""

    key: str
    value: bytes | None
    expected: int


class Store(Protocol):
    """Named bytes with versions. Safe to share between threads and, after a fork, between processes."""

    def get(self, key: str) -> Entry | None:
        """The entry under `key`, or None."""
        ...

    def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
        """Entries whose key begins with `prefix` and isn't before `start`, by code point order of the key.

        One consistent snapshot, taken at the first entry, whatever others write meanwhile.
        """
        ...

    def commit(self, writes: Sequence[Write]) -> None:
        """Does all writes or none; durable once it returns.

        Raises ConflictError, naming the key, when an expected version isn't the stored one.
        """
        ...

    def held(self) -> AbstractContextManager[None]:
        """Within the block `get` may keep open, for this thread, what it opens: for many of them after each other."""
        ...


class SqliteStore:
    """A `Store` in one SQLite file of mode 0600, for the processes of one machine.

    Opens a connection for each call, but for those of `get` in a block of `held`: nothing is carried over a fork or between
    threads, and what is committed lies in the file itself when nobody reads. A version is the number of
    the commit that wrote the entry, counted over the whole store, which is why none ever comes back.

    create: make the file when it's missing; False raises StateError then (an auditor who names a wrong path must not
    be shown an empty store). busy_timeout_s: how long a call waits for another writer.
    Raises StateError for a file that isn't a store, or was written by a newer Sluice.
    """

    def __init__(self, path: Path, *, create: bool = True, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._open: dict[tuple[int, int], sqlite3.Connection] = {}  # by process and thread
        if create and not path.exists():
            self._create()
        if not path.is_file():
            raise StateError(
                "There is no store here.", where=str(path), remedy="Set SLUICE_HOME to the hall's home."
            )
        with self._connection() as connection:
            self._check(connection)

    def get(self, key: str) -> Entry | None:
        with self._connection(self._open.get(_here())) as connection:
            row = connection.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        return Entry(*row) if row else None

    @contextmanager
    def held(self) -> Iterator[None]:
        here = _here()
        with ExitStack() as stack:
            if here not in self._open:
                # A commit and a scan open their own: what is read here is never of before an unfinished scan.
                self._open[here] = stack.enter_context(self._connection())
                stack.callback(self._open.pop, here)
            yield

    def scan(self, prefix: str, *, start: str = "") -> Iterator[Entry]:
        with self._connection() as connection:
            for row in connection.execute(f"{_SELECT} WHERE key >= ? ORDER BY key", (max(prefix, start),)):
                entry = Entry(*row)
                if not entry.key.startswith(prefix):
                    return  # keys are sorted: past the prefix nothing follows
                yield entry

    def commit(self, writes: Sequence[Write]) -> None:
        if len({write.key for write in writes}) != len(writes):
            raise InternalError("One commit writes a key twice.")
        if not writes:
            return
        with self._connection() as connection, _transaction(connection):
            connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'commits'")
            (number,) = connection.execute("SELECT value FROM meta WHERE name = 'commits'").fetchone()
            for write in writes:
                row = connection.execute("SELECT version FROM entry WHERE key = ?", (write.key,)).fetchone()
                if (row[0] if row else 0) != write.expected:
                    raise ConflictError(
                        "Somebody else wrote first.", where=write.key, remedy="Read again and retry."
                    )
                if write.value is None:
                    connection.execute("DELETE FROM entry WHERE key = ?", (write.key,))
                else:
                    connection.execute(
                        "INSERT INTO entry (key, value, version) VALUES (?, ?, ?) "
                        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version",
                        (write.key, write.value, number),
                    )

    def _create(self) -> None:
        # Whole or not at all: were the file made empty and then filled, a second process could come in between, and
        # switching to WAL while another has the file open fails at once instead of waiting.
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (
                create_whole(self._path) as draft,
                closing(sqlite3.connect(draft, isolation_level=None)) as connection,
            ):
                with _transaction(connection):
                    connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
                    connection.execute(
                        "CREATE TABLE entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL)"
                    )
                    connection.execute(
                        "INSERT INTO meta VALUES ('schema', ?), ('commits', 0)", (SCHEMA_VERSION,)
                    )
                # Last, so that all of it lies in this one file: what a WAL holds comes there when the connection is
                # closed, and a full disk stops that without a word. Stays with the file, whose mode -wal and -shm take.
                connection.execute("PRAGMA journal_mode = WAL")
        except (OSError, sqlite3.Error) as error:
            raise StateError(
                f"The store can't be made: {getattr(error, 'strerror', '') or _name(error)}.",
                where=str(self._path),
                remedy="Check the folder's owner and free space, or set SLUICE_HOME elsewhere.",
            ) from None

    def _check(self, connection: sqlite3.Connection) -> None:
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not {"meta", "entry"} <= names:
            raise StateError(
                "This SQLite file isn't a store of Sluice.",
                where=str(self._path),
                remedy="Set SLUICE_HOME to a folder of its own.",
            )
        (found,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        if found > SCHEMA_VERSION:
            raise StateError(
                f"The store has schema {found}; this Sluice knows up to {SCHEMA_VERSION}.",
                where=str(self._path),
                remedy="Run the newer Sluice that wrote it.",
                found=found,
                known=SCHEMA_VERSION,
            )

    @contextmanager
    def _connection(self, opened: sqlite3.Connection | None = None) -> Iterator[sqlite3.Connection]:
        # check_same_thread off: a scan that was left unfinished may be closed by the garbage collector of any thread.
        try:
            if opened is not None:
                yield opened
                return
            connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
            )
            with closing(connection):
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            # The name of the error says enough; its text is the library's and isn't passed on.
            name = _name(error)
            raise StateError(
                f"The store can't be read or written: {name}.", where=str(self._path), remedy=_remedy(name)
            ) from None


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that takes the write lock at once, so that what it reads can't change before it writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)


def _remedy(name: str) -> str:
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "Another process has held it for long; wait for it or end it, then run again."
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return "The file is damaged; put back a copy and run `sluice audit verify`."
    return "Check free space and the file's owner, then run again."
