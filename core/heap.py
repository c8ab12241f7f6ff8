"""Memory that one large array gives back and the next one takes.

    with keep_freed():
        ...  # dozens of arrays of a hundred megabytes each, one after another

The C library asks the system for each large block, and gives it back when the block is freed; the system empties a block
before it hands it out, a page at a time. For ten million rows that is a tenth of the whole cost. Here the library keeps what
is freed until the end of the block. Elsewhere than under glibc nothing changes.
Source: mallopt(3), malloc_trim(3).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's numbers for its settings, and what it uses by itself once a program has freed a few large blocks.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_USUAL = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
_LARGEST = (1 << 31) - 1


@contextmanager
def keep_freed() -> Iterator[None]:
    """Inside, memory that is freed stays with the process; at the end all that is free goes back."""
    library = ctypes.CDLL(None)
    tune, trim = getattr(library, "mallopt", None), getattr(library, "malloc_trim", None)
    if tune is None or trim is None:
        yield
        return
    for setting in _USUAL:
        tune(setting, _LARGEST)
    try:
        yield
    finally:
        for setting, value in _USUAL.items():
            tune(setting, value)
        trim(0)
