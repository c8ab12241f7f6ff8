"""Ends the sessions it was told of when its parent is gone; run as a program of its own, by the standard library alone.

The parent writes one session id a line and keeps the pipe open. A parent that is killed can't end its children, and a
task of Airflow runs in a process group of its own: what holds them together is their session.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path


def end_sessions(sessions: Iterable[int], *, patience_s: float) -> None:
    """End every process of these sessions: asked first, and after `patience_s` without asking."""
    sessions = set(sessions)
    _signal(sessions, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while members(sessions) and time.monotonic() < deadline:
        time.sleep(0.05)
    while _signal(sessions, signal.SIGKILL):
        time.sleep(0.05)


def members(sessions: set[int]) -> list[int]:
    """The processes that belong to one of `sessions` and haven't ended."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if os.getsid(pid) in sessions and not _is_over(pid):
                found.append(pid)
    return found


def _signal(sessions: set[int], number: signal.Signals) -> list[int]:
    found = members(sessions)
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    return found


def _pids() -> list[int]:
    if Path("/proc/self").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=True)
    return [int(pid) for pid in listed.stdout.split()]


def _is_over(pid: int) -> bool:
    """Ended, and only waiting for its parent to ask; nothing can be sent to it any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] == "Z"


def main() -> None:
    """Read session ids until the pipe closes, then end them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_sessions([int(line) for line in sys.stdin if line.strip()], patience_s=3)


if __name__ == "__main__":
    main()
