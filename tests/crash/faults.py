"""The points at which a run can be killed: found while it runs, so that a new durable write is one from its first day.

A point lies before each act that changes what a disk holds below a folder. Python tells of most by its audit events
(open to write, mkdir, rename, link, remove, rmdir, truncate, chmod); fsync, SQLite's statements, Parquet's writer and
Delta's commits, which it doesn't tell of, are wrapped and have a point behind them as well. What kill -9 leaves after one
act is what it leaves before the next, so these points are all there are outside native code.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.crash.forks import ROOT

# What is done, the lines of ours that lead to it, and which time it is.
Point = tuple[str, tuple[str, ...], int]

_PART = 3

_PATHS = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0, "os.chmod": 0}
_REMOVALS = {"os.remove": 1, "os.rmdir": 1}  # where the folder's descriptor stands, if it's told
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_WRITTEN = ("COMMIT", "CREATE", "PRAGMA journal_mode")  # outside a transaction each statement is one


class Faults:
    """Counts the points of this process below `folder`; does `act` at one of them, by default kills the process.

    at: the point; None: at none. points: those that came, in order; disks: what the disk held at each. Never taken off again: for a child that ends.
    """

    def __init__(
        self,
        folder: Path,
        at: Point | None = None,
        act: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL),
    ) -> None:
        self.points: list[Point] = []
        self.disks: list[int] = []
        self._folder = str(folder)
        self._at, self._act = at, act
        self._times: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._inside = False

    def arm(self) -> None:
        """From here on points count."""
        sys.addaudithook(self._told)
        os.fsync = self._before("fsync", os.fsync)
        connect = sqlite3.connect
        sqlite3.connect = lambda *a, **k: connect(*a, **{"factory": self._connection(), **k})
        for name in ("__init__", "write_table", "close"):
            setattr(pq.ParquetWriter, name, self._around(f"parquet {name}", getattr(pq.ParquetWriter, name)))
        from catalog import delta  # noqa: PLC0415 (the tests of the rooms below need none of it)

        name = "create_table_with_add_actions"
        setattr(delta, name, self._around("delta create", getattr(delta, name)))
        name = "create_write_transaction"
        setattr(delta.DeltaTable, name, self._around("delta write", getattr(delta.DeltaTable, name)))

    def point(self, what: str) -> None:
        """One point."""
        if self._inside:
            return  # what the act at a point does itself
        place = (what, _lines())
        self._times[place] += 1
        point = (*place, self._times[place])
        if self._at is None:
            self.points.append(point)
            self.disks.append(_disk(self._folder))
        elif point == self._at:
            self._inside = True
            self._act()
            self._inside = False

    def _told(self, event: str, about: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(about[2], int) and about[2] & _WRITES and self._is_ours(about[0]):
                self.point("open")
        elif event in _PATHS:
            if self._is_ours(about[_PATHS[event]]):
                self.point(event)
        elif event in _REMOVALS and (about[_REMOVALS[event]] != -1 or self._is_ours(about[0])):
            self.point(event)

    def _is_ours(self, path: object) -> bool:
        return isinstance(path, str | Path) and str(path).startswith(self._folder)

    def _before(self, what: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*args: Any, **kwargs: Any) -> Any:
            self.point(what)
            return act(*args, **kwargs)

        return acted

    def _around(self, what: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*args: Any, **kwargs: Any) -> Any:
            self.point(what)
            given = act(*args, **kwargs)
            self.point(f"{what}, done")
            return given

        return acted

    def _connection(self) -> type[sqlite3.Connection]:
        point = self.point

        class Connection(sqlite3.Connection):
            _wrote = False

            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if not sql.startswith(_WRITTEN):
                    return super().execute(sql, *args)
                self._wrote = True
                point(f"sqlite {sql.split()[0]}")
                given = super().execute(sql, *args)
                point(f"sqlite {sql.split()[0]}, done")
                return given

            def close(self) -> None:  # moves the log's pages into the database
                if self._wrote:
                    point("sqlite close")
                super().close()

        return Connection


class FullDisk(Faults):
    """A disk that is full from one point on, until there's room again: whatever needs room fails as the system says it.

    What only takes away, and a transaction that is given up, still works.
    """

    FREEING = ("os.remove", "os.rmdir", "os.chmod", "sqlite close")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._full = False

    def fill(self, at: Point | None) -> None:
        """From here on it's full from that point on; None: there's room, and the points are listed anew."""
        self._at, self._full = at, False
        self._times.clear()
        self.points, self.disks = [], []

    def point(self, what: str) -> None:
        """One point."""
        if what in self.FREEING or what.endswith("done"):
            return
        place = (what, _lines())
        self._times[place] += 1
        point = (*place, self._times[place])
        self.points.append(point)
        self._full = self._full or point == self._at
        if self._full and what.startswith("sqlite"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        if self._full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def distinct(points: list[Point], disks: list[int]) -> list[Point]:
    """One point for each state of the disk that a kill can leave, and of those that the same lines lead to the first."""
    seen: set[object] = set()
    kept = []
    for point, disk, before in zip(points, disks, [None, *disks[:-1]], strict=True):
        if disk != before and point[:2] not in seen:
            kept.append(point)
            seen.add(point[:2])
    return kept


def part(points: Sequence[Point]) -> list[Point]:
    """Every third of these points, from a random one on, for the newcomer's suite; the system suite takes them all."""
    start = random.randrange(_PART)
    print(f"every third point from {start} on")
    return list(points[start::_PART])


def _disk(folder: str) -> int:
    found: list[object] = []
    for path, _, files in os.walk(folder):
        for name in files:
            stat = os.stat(os.path.join(path, name))
            found.append((path, name, stat.st_size, stat.st_mtime_ns, stat.st_mode, stat.st_nlink))
        found.append((path, os.stat(path).st_mode))
    return hash(tuple(sorted(map(str, found))))


def _lines() -> tuple[str, ...]:
    """The lines of ours that lead here, from the inside out: two acts of one line are told apart by who asked for them."""
    lines = []
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(str(ROOT)) and "/tests/" not in name and "/.venv/" not in name:
            lines.append(f"{name.removeprefix(f'{ROOT}/')}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(lines)
