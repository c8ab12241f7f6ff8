"""A process that has checked contracts forks, and its child checks contracts too: the workers of a test suite, an Airflow task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.odcs import load_contract

SHOP = Path(__file__).with_name("shop.odcs.yaml")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_contract_is_read_after_a_fork_as_before() -> None:
    digest = load_contract(SHOP).digest
    for _ in range(3):  # the inherited connection is never ended, nor waited for
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            again = [load_contract(SHOP).digest for _ in range(2)]
            os._exit(0 if again == [digest, digest] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert load_contract(SHOP).digest == digest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_neither_is_a_connection_of_another_thread_waited_for() -> None:
    ready, done = threading.Event(), threading.Event()

    def works() -> None:
        load_contract(SHOP)
        ready.set()
        done.wait()

    thread = threading.Thread(target=works)
    thread.start()
    assert ready.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        load_contract(SHOP)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    done.set()
    thread.join()
    assert ended == 0


def test_a_command_says_nothing_of_it_when_it_ends() -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from contracts.odcs import load_contract; load_contract(__import__('pathlib').Path({str(SHOP)!r}))",
        ],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")
