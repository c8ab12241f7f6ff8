"""Says in one line how many tests that need Debian programs, or many minutes, were left out, also when xdist spreads the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.pictures import leave_out_pictures

_COUNT = "sluice_system_tests_left_out"
_left_out = pytest.StashKey[int]()

# Where a report's pictures are looked at. They cost a third of a second for each release, and the others make hundreds.
_DRAWN = ("test_report_page", "test_disclosure")


# Whole runs, and thousands of documents: what they reach is counted where smaller tests reach it, and counting takes a third of
# the time.
_UNCOUNTED = (
    *("crash", "dags", "frame", "state", "agreements/test_demo.py", "agreements/test_strangers.py"),
    *("cli/test_agree.py", "cli/test_demo.py", "cli/test_party.py", "cli/test_commands.py"),
    *("pipeline/test_airflow.py", "pipeline/test_races.py", "agreements/test_effects.py"),
    *("contracts/test_standard.py", "contracts/test_diff.py", "contracts/test_decision.py"),
)
_TESTS = Path(__file__).parent

# Files whose tests take minutes, first: begun last, they would run on one core while the other waits.
_LONGEST = (
    "test_airflow",
    "test_kill",
    "test_races",
    "test_state",
    "test_airflow_again",
    "test_demo",
    "test_grocery",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(autouse=True, scope="module")
def pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty frames in place of pictures, but for the modules that look at them."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__.rpartition(".")[2] not in _DRAWN:
            leave_out_pictures(patch.setattr)
        yield


@pytest.fixture(autouse=True, scope="module")
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """No counting of lines in the modules of whole runs."""
    path = request.path.relative_to(_TESTS).as_posix()
    counting = coverage.Coverage.current()
    if counting is None or not any(path.startswith(each) or path.endswith(each) for each in _UNCOUNTED):
        yield
        return
    counting.stop()
    try:
        yield
    finally:
        counting.start()


def pytest_deselected(items: list[pytest.Item]) -> None:
    count = sum(item.get_closest_marker("system") is not None for item in items)
    if count:
        config = items[0].config
        config.stash[_left_out] = config.stash.get(_left_out, 0) + count


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_COUNT] = session.config.stash.get(_left_out, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    # Each xdist worker collects all tests, so each one left out the same.
    told = getattr(node, "workeroutput", {}).get(_COUNT, 0)
    node.config.stash[_left_out] = max(told, node.config.stash.get(_left_out, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count = config.stash.get(_left_out, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests that need Debian programs, or many minutes, left out; run them: make test-system"
        )
