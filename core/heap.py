"""Memory that one large array gives back and the next one takes.

    with keep_freed():
        ...  # dozens of arrays of a hundred megabytes each, one after another

The C library asks the system for each large block, and gives it back when the block is freed; the system empties a block
before it hands it out, a page at a time. For ten million rows that is a tenth of the whole cost. Here the library keeps what
is freed until the end of the block. That is a setting of the process, and helps its main thread: other threads have heaps of
their own, which are too small for such arrays. Where there is no glibc, or one that refuses, nothing changes.
Source: mallopt(3), malloc_trim(3).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# glibc's numbers for its settings. Afterwards they are what it comes to by itself once a program has freed large blocks.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_USUAL = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
_NEVER = {_MMAP_THRESHOLD: (1 << 31) - 1, _TRIM_THRESHOLD: -1}

_lock = Lock()
_inside = 0  # blocks that are open, of all threads


@contextmanager
def keep_freed() -> Iterator[None]:
    """Inside, memory that is freed stays with the process; when the last such block ends, all that is free goes back."""
    global _inside
    library = ctypes.CDLL(None)
    tune, trim = getattr(library, "mallopt", None), getattr(library, "malloc_trim", None)
    if tune is None or trim is None:
        yield
        return
    with _lock:
        # The first is what an older glibc refuses; then the other alone would make it worse.
        kept = _inside > 0 or all(tune(setting, value) for setting, value in _NEVER.items())
        _inside += kept
    try:
        yield
    finally:
        with _lock:
            _inside -= kept
            if kept and not _inside:
                for setting, value in _USUAL.items():
                    tune(setting, value)
                trim(0)
