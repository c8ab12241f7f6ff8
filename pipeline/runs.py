"""The folders of runs: what is staged between steps lies there under the run's own key, and both go when the run ends.

    runs/<uuid>/          mode 0700
      lock                held by the process that works on the run
      owner.json          who comes back for it: a scheduler, or nobody but the process that began it
      <step>.json         handoffs; received/, validated/, anonymized/ the tables

A run whose process was killed stays behind. `sweep` finds it: nobody holds its lock, and nobody comes back for it.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.digest import canonical
from core.errors import ConflictError, StateError
from core.files import write_whole
from core.ids import is_uuid
from core.keys import FileKey, KeyStore
from core.lock import exclusive
from pipeline.handoff import RunGoneError

# A scheduler's run that nobody touched for so long is over; should it come back, it begins again.
IDLE_S = 24 * 3600.0
_LOCK, _OWNER = "lock", "owner.json"
_ATTEMPTS = 10

# Who comes back for a run: a scheduler's names for it, e.g. {"dag_id": ..., "run_id": ...}.
Owner = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is under way. id: its UUID."""

    id: str
    folder: Path
    key: FileKey


def run_uuid(run_id: str) -> str:
    """The run's UUID: the id itself where it is one, else one derived from it."""
    try:
        return str(uuid.UUID(run_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sluice:run:{run_id}"))


class Runs:
    """The runs under `root`, their keys in `keys`. Safe for several processes at once."""

    def __init__(self, root: Path, keys: KeyStore) -> None:
        self._root, self._keys = root, keys

    def folder(self, run_id: str) -> Path:
        """Where the run's files are, or would be."""
        return self._root / run_uuid(run_id)

    def begin(self, run_id: str, *, owner: Owner | None = None) -> Run:
        """Makes the run's folder and key, or takes those that an earlier try made. Raises StateError.

        owner: the scheduler that comes back for it with other processes; None when this process is all it has.
        """
        folder = self.folder(run_id)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(folder / _OWNER, canonical(dict(owner or {})))
        except OSError as error:
            raise _cannot_write(error, folder) from None
        return Run(id=folder.name, folder=folder, key=self._keys.make_run_key(folder.name))

    def open(self, run_id: str) -> Run:
        """The run as an earlier step left it. Raises RunGoneError when it has ended."""
        folder = self.folder(run_id)
        key = self._keys.run_key(folder.name)
        if key is None or not folder.is_dir():
            raise RunGoneError(
                "What the run's earlier steps staged is gone, as it is when a run ends.",
                where=str(folder),
                remedy="Clear the run from its first task, or start a new one.",
            )
        return Run(id=folder.name, folder=folder, key=key)

    def end(self, run_id: str) -> None:
        """Destroys the run's key, then its files; safe to call twice. What can't be removed can't be read any more."""
        folder = self.folder(run_id)
        try:
            self._keys.destroy_run_key(folder.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def held(self, run_id: str, *, wait_s: float = 30.0) -> Iterator[None]:
        """One process at a time works on a run; for as long as it does, `sweep` leaves the run alone.

        Raises ConflictError when another process holds it for longer than wait_s, StateError.
        """
        folder = self.folder(run_id)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock(folder, wait_s))
            except OSError as error:
                raise _cannot_write(error, folder) from None
            try:
                yield
            finally:
                if [path.name for path in _entries(folder)] == [_LOCK]:  # it came to nothing
                    shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, over: Callable[[Owner, float], bool]) -> int:
        """Ends the runs that a crash left behind; gives how many.

        over: whether a scheduler's run, idle for so many seconds, is over.
        """
        ended = 0
        for folder in [path for path in _entries(self._root) if _is_folder(path) and is_uuid(path.name)]:
            try:
                with self._lock(folder, 0.0):
                    owner = _owner(folder)
                    if not owner or over(owner, _idle_s(folder)):
                        self.end(folder.name)
                        ended += 1
            except (ConflictError, OSError):
                continue  # somebody works on it, or has just ended it
        for run_id in self._keys.runs_with_key():
            # No folder, no run: only a crash in between leaves a key alone.
            if not _is_folder(self._root / run_id):
                self._keys.destroy_run_key(run_id)
        return ended

    @contextmanager
    def _lock(self, folder: Path, wait_s: float) -> Iterator[None]:
        with ExitStack() as stack:
            for attempt in range(_ATTEMPTS):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    stack.enter_context(
                        exclusive(
                            folder / _LOCK, wait_s=wait_s, what="Another process works on this run right now."
                        )
                    )
                    break
                except FileNotFoundError:  # ended by another process since the line before
                    if attempt == _ATTEMPTS - 1:
                        raise
            yield


def scheduler_is_gone(_owner: Owner, idle_s: float) -> bool:
    """The answer of who can't ask the scheduler: a run that was idle for a day is over."""
    return idle_s >= IDLE_S


def _owner(folder: Path) -> Owner:
    try:
        owner = json.loads((folder / _OWNER).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _idle_s(folder: Path) -> float:
    newest = max((path.stat().st_mtime for path in (folder, *_entries(folder))), default=0.0)
    return time.time() - newest


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _cannot_write(error: OSError, folder: Path) -> StateError:
    return StateError(
        f"The run's folder can't be used ({error.strerror or type(error).__name__}).",
        where=str(folder),
        remedy="Check that SLUICE_HOME is writable and its disk has room.",
    )
