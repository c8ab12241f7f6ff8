"""One at a time: a lock among the processes and threads of this machine, which a crash frees."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConflictError

_POLL_S = 0.02


@contextmanager
def exclusive(
    path: Path, *, wait_s: float, what: str, remedy: str = "Run again when it has ended."
) -> Iterator[None]:
    """Holds the lock file `path`, made with mode 0600 in a folder that is there, for the length of the block.

    The file may be removed by who holds it: who waited for it then waits for the one that took its place.
    Raises ConflictError saying `what` when somebody else holds it for longer than wait_s; OSError.
    """
    until = time.monotonic() + wait_s
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            if _locked(handle) and _stands(handle, path):
                yield
                return
        finally:
            os.close(handle)
        if time.monotonic() >= until:
            raise ConflictError(what, where=path.name, remedy=remedy)
        time.sleep(_POLL_S)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stands(handle: int, path: Path) -> bool:
    """Whether the locked file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
