"""What is freed stays with the process inside the block, and goes back after it."""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from core import heap
from core.heap import keep_freed

GLIBC = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc keeps what is freed")

FAULTS = """
import resource
import numpy as np
from core.heap import keep_freed
from contextlib import nullcontext
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(8 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
with {block}():
    faults()
    print(faults())
"""


def faults(block: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(block=block)], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout)


@GLIBC
def test_a_block_that_was_freed_is_taken_again() -> None:
    assert 10 * faults("keep_freed") < faults("nullcontext")


@GLIBC
def test_afterwards_what_is_free_goes_back() -> None:
    def held() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    with keep_freed():
        blocks = [bytearray(1 << 20) for _ in range(200)]
        del blocks
        inside = held()
    assert held() < inside - (100 << 20)


class Library:
    """As the C library, one that takes settings or not."""

    def __init__(self, *, takes: bool) -> None:
        self.takes, self.calls = takes, list[tuple[str, int]]()

    def mallopt(self, setting: int, value: int) -> int:
        self.calls.append((f"set {setting}", value))
        return int(self.takes)

    def malloc_trim(self, pad: int) -> int:
        self.calls.append(("trim", pad))
        return 1


def test_a_failure_inside_passes_through_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(takes=True)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: library)
    with pytest.raises(ValueError, match="mine"), keep_freed():
        raise ValueError("mine")
    assert [what for what, _ in library.calls] == ["set -3", "set -1", "set -3", "set -1", "trim"]


def test_only_the_last_block_to_end_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(takes=True)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: library)
    one, other = keep_freed(), keep_freed()
    with one:
        other.__enter__()
    assert ("trim", 0) not in library.calls
    other.__exit__(None, None, None)
    assert library.calls[-1] == ("trim", 0)
    assert len(library.calls) == 5


def test_a_library_that_refuses_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(takes=False)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: library)
    with keep_freed():
        pass
    assert [what for what, _ in library.calls] == ["set -3"]


def test_another_library_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    with keep_freed():
        pass
