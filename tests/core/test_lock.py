"""One at a time, also when the lock's file goes with what it guarded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.errors import ConflictError
from core.lock import exclusive


def test_who_comes_second_waits_and_then_is_told(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", wait_s=0, what="Busy."),
        pytest.raises(ConflictError, match=r"Busy\."),
        exclusive(tmp_path / "lock", wait_s=0.05, what="Busy."),
    ):
        pytest.fail("two at a time")
    with exclusive(tmp_path / "lock", wait_s=0, what="Busy."):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_was_removed_by_its_holder_guards_nothing_any_more(tmp_path: Path) -> None:
    """The attack: who waited on the old file and who makes a new one would both go in."""
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with exclusive(tmp_path / "lock", wait_s=30, what="Busy."):
                with guard:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with guard:
                    inside -= 1
                (tmp_path / "lock").unlink()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from core.lock import exclusive\n"
        "with exclusive(Path(sys.argv[1]), wait_s=0, what='Busy.'):\n    print('in', flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "lock")], cwd=root, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        with pytest.raises(ConflictError), exclusive(tmp_path / "lock", wait_s=0, what="Busy."):
            pytest.fail("two at a time")
        os.kill(holder.pid, signal.SIGKILL)
    with exclusive(tmp_path / "lock", wait_s=5, what="Busy."):
        pass
