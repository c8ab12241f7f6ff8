"""The folder of a hall's state, made safe before anything is put there. Light: `sluice demo` begins with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import UsageError

UNFIT = frozenset("%[]?#|^\\")  # delta-rs makes a URL of the path: it would take these for escapes, or break
# What a hall puts into its folder (docs/settings.md); the database has companions whose names begin with its own.
_FOLDERS = frozenset(
    {
        "agreements",
        "airflow",
        "catalog",
        "demo-firms",
        "keys",
        "memory",
        "quarantine",
        "registry",
        "registry-root.json",
        "runs",
    }
)
_DATABASE = "state.sqlite"


def prepare_home(home: Path) -> None:
    """Make `home` (absolute), mode 0700 whatever the umask, or take one that is there.

    One that is there and looser gets 0700 too when it is this user's and holds a hall's state only, or nothing. The
    mode of any other is left alone: it might be /tmp, or somebody's whole home folder.
    Raises UsageError when it can't be made or looked into, or when Delta tables can't lie in it.
    """
    unfit = sorted(UNFIT.intersection(str(home)))
    if unfit:
        raise UsageError(
            f"SLUICE_HOME can't be used (its path holds {' '.join(unfit)}, which Delta tables can't).",
            where=str(home),
            remedy="Set SLUICE_HOME to a path without it.",
        )
    with usable(home):
        _make(home)
        _tighten(home)


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Turns what the system refuses (OSError) into UsageError: SLUICE_HOME can't be used, and why."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"SLUICE_HOME can't be used ({error.strerror}).",
            where=str(home),
            remedy="Set SLUICE_HOME to a folder that you may write to.",
        ) from None


def _make(folder: Path) -> None:
    """The folder and the parents that are missing, each 0700: who may rename a parent could put another home in place."""
    try:
        folder.mkdir(mode=0o700)
    except FileNotFoundError:
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    folder.chmod(0o700)  # an umask can also take away what its owner needs


def _tighten(home: Path) -> None:
    found = home.stat()
    if found.st_uid != os.geteuid() or not found.st_mode & 0o077 or found.st_mode & stat.S_ISVTX:
        return
    if all(name in _FOLDERS or name.startswith(_DATABASE) for name in os.listdir(home)):
        home.chmod(0o700)
