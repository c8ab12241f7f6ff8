"""Validation on a machine with too little memory or disk: it's told what it lacks, and no rule is blamed."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from contracts.checks import Check, CheckKind, Scope
from core.engine import engine
from pipeline.validation.validate import CheckError

from .conftest import Bench, check

SECRET = "Ms Zhang, 13800138000"
DATA = pa.table({"id": [1, 2, 3], "name": ["a", SECRET, "c"]})
LARGE = check(
    CheckKind.SQL,
    name="large",
    scope=Scope.TABLE,
    # As many texts with the planted value in them as no small memory holds.
    query="SELECT count(*) FROM (SELECT DISTINCT name || i FROM {object}, range(2000000) r(i) "
    f"WHERE name = '{SECRET}')",
    bound={"op": "mustBe", "value": 2_000_000},
)
ROOM = "Give the machine more memory or disk, or run it when less else runs."
RULES = "Compare each rule with the columns and types of its table and correct the contract."


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the engine of validation little memory; settings: more that bounds it."""

    def bounded(**settings: Any) -> None:
        def make(spill: Path, **config: Any) -> duckdb.DuckDBPyConnection:
            return engine(spill, memory_limit="40MB", **settings, **config)

        monkeypatch.setattr("pipeline.validation.views.engine", make)

    return bounded


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file grows past a megabyte: what a full disk does to the engine, which is refused its next block."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, most))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def refused(bench: Bench, caplog: pytest.LogCaptureFixture, *checks: Check) -> CheckError:
    """How validation refuses; what the engine said of it is in no message and no log, and nothing of the rows stays."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CheckError) as caught:
        bench.run(DATA, *checks)
    assert caught.value.__cause__ is None
    said = str(caught.value) + caplog.text
    assert not [word for word in ("Zhang", "13800138000", "MiB", str(bench.folder)) if word in said]
    assert [path.name for path in bench.folder.iterdir()] == ["received"]
    return caught.value


def test_a_check_for_which_memory_runs_out_asks_for_memory(
    bench: Bench, small: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    small(temp_directory="")
    error = refused(bench, caplog, LARGE)
    assert error.what == (
        "1 check could not be carried out, so nothing is known about the data: t: large (OutOfMemoryException)."
    )
    assert error.remedy == ROOM


def test_a_check_for_which_the_disk_is_full_asks_for_disk(
    bench: Bench, small: Callable[..., None], full_disk: None, caplog: pytest.LogCaptureFixture
) -> None:
    small()
    error = refused(bench, caplog, LARGE)
    assert error.what == (
        "1 check could not be carried out, so nothing is known about the data: t: large (IOException)."
    )
    assert error.remedy == ROOM


def test_where_a_rule_is_to_blame_too_it_is_said(
    bench: Bench, small: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    small(temp_directory="")
    broken = check(CheckKind.PATTERN, "name", name="broken", pattern="(?<=a)b")
    error = refused(bench, caplog, LARGE, broken)
    assert error.facts["rules"] == [("t", "large"), ("t", "broken")]
    assert error.remedy == RULES


def test_what_does_not_fit_in_memory_is_checked_with_the_disk(
    bench: Bench, small: Callable[..., None]
) -> None:
    small()
    assert bench.run(DATA, LARGE).kept().equals(DATA)
