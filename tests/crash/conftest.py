"""The server of forks, one for all tests of a session, and places to run in."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import acts
from tests.crash.forks import Forks, the_forks
from tests.crash.planted import Place, more_orders, open_planted, open_unsigned


@pytest.fixture(scope="session")
def forks() -> Forks:
    return the_forks()


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Place]:
    """Makes places where nothing ever ran."""
    count = itertools.count()
    return lambda: open_planted(tmp_path / f"fresh-{next(count)}")


@pytest.fixture
def unsigned(tmp_path: Path) -> Callable[[], Place]:
    """Makes places with a new hall, whose contract is signed and waits to be taken."""
    count = itertools.count()
    return lambda: open_unsigned(tmp_path / f"unsigned-{next(count)}")


@pytest.fixture
def published(tmp_path: Path, forks: Forks) -> Callable[[], Place]:
    """Makes places with one release, and new facts at the platform."""
    first = open_planted(tmp_path / "published")
    assert forks.run(acts.publish, first).given() is True
    more_orders(first)
    count = itertools.count()

    def another() -> Place:
        root = tmp_path / f"published-{next(count)}"
        shutil.copytree(first.root, root, copy_function=shutil.copy2)
        return Place(root)

    return another
