"""A query of a file that nobody signed yet can't hold up who reads it: its dry run is ended from outside."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts import sqldry, sqlrule
from contracts.odcs import check_contract, load_contract
from contracts.problems import UNSHAREABLE
from contracts.sqlrule import SqlGate

SHOP = Path(__file__).with_name("shop.odcs.yaml")
ROWS = "{metric: rowCount, mustBeBetween: [1, 1000000]}"
JOIN = (
    "SELECT count(*) FROM (SELECT unnest(range(30000)) a) x, (SELECT unnest(range(30000)) b) y, "
    "(SELECT unnest(range(30000)) c) z WHERE a + b * c > 5"
)
DOUBLED = (
    "WITH c0 AS (SELECT 1 a, 2 b)"
    + "".join(f", c{i} AS (SELECT * FROM c{i - 1} x, c{i - 1} y)" for i in range(1, 24))
    + " SELECT count(*) FROM c23"
)
FINE = "SELECT count(*) FROM {object} WHERE n > 1"


@pytest.fixture
def gate() -> Iterator[SqlGate]:
    opened = SqlGate({"t": [("n", "INTEGER")]})
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "query",
    [
        JOIN,  # rows without end: an interrupt would do
        "SELECT len(range(100000000))",  # one value: no interrupt is heard before it's made
        "SELECT length(repeat('a', 2000000000))",
        "SELECT quantile_cont(n, len(range(100000000)) / 1e9) FROM {object}",  # made when the query is bound
        DOUBLED,  # columns without end: not even a plan comes of it
        "SELECT count(*) FROM (SELECT unnest(range(300000000)))",
    ],
)
def test_a_query_that_takes_too_much_is_refused_soon(gate: SqlGate, query: str) -> None:
    begun = time.monotonic()
    refused = gate.refuse(query, table="t")
    assert refused is not None
    assert refused[0].startswith(("takes more than 2 s, ", "takes more memory than "))
    assert "range" not in refused[0]
    assert time.monotonic() - begun < 15
    assert gate.refuse(FINE, table="t") is None  # the next one is proved as ever


def test_it_is_a_problem_of_the_file_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.odcs.yaml"
    rule = f'{{type: sql, query: "{JOIN}", mustBe: 0}}'
    path.write_text(SHOP.read_text(encoding="utf-8").replace(ROWS, rule), encoding="utf-8")
    (problem,) = check_contract(path)
    assert problem.kind == UNSHAREABLE
    assert problem.line
    assert ": its query takes more " in problem.what
    assert problem.what.endswith(", on tables without a row.")
    assert "range" in problem.remedy


def test_many_slow_rules_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlrule, "_QUERY_S", 0.2)
    monkeypatch.setattr(sqlrule, "_CONTRACT_S", 0.5)
    gate, begun = SqlGate({"t": [("n", "INTEGER")]}), time.monotonic()
    refused = [gate.refuse(JOIN, table="t") for _ in range(50)]
    assert time.monotonic() - begun < 10
    assert refused[0] is not None
    assert refused[-1] is not None
    assert refused[-1][0].startswith("wasn't tried")


def test_a_contract_that_used_up_its_time_leaves_the_next_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlrule, "_QUERY_S", 0.2)
    monkeypatch.setattr(sqlrule, "_CONTRACT_S", 0.2)
    first, second = SqlGate({"t": [("n", "INTEGER")]}), SqlGate({"u": [("n", "INTEGER")]})
    assert first.refuse(JOIN, table="t") is not None
    assert first.refuse(FINE, table="t") is not None
    assert second.refuse(FINE, table="u") is None
    refused = second.refuse("SELECT count(*) FROM t", table="u")
    assert refused is not None
    assert "isn't a table of the contract" in refused[0]


def test_tables_of_two_contracts_are_not_mixed_up() -> None:
    first, second = SqlGate({"t": [("n", "INTEGER")]}), SqlGate({"t": [("m", "VARCHAR")]})
    for _ in range(2):
        assert first.refuse("SELECT sum(n) FROM {object}", table="t") is None
        assert second.refuse("SELECT sum(length(m)) FROM {object}", table="t") is None
        refused = second.refuse("SELECT sum(n) FROM {object}", table="t")
        assert refused is not None
        assert "`n` that isn't there" in refused[0]


def test_the_time_counts_while_it_works_only(gate: SqlGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with something else must not make a good rule a bad one."""
    monkeypatch.setattr(sqlrule, "_QUERY_S", 0.5)
    assert gate.refuse(FINE, table="t") is None
    runner = sqldry._mine.runner
    os.kill(runner.process.pid, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (runner.process.pid, signal.SIGCONT)).start()
    assert gate.refuse(FINE, table="t") is None


def test_who_stops_reading_takes_no_answer_for_anothers(
    gate: SqlGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate.refuse(FINE, table="t") is None
    real = sqldry.json.loads

    def stopped(text: str | bytes) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(sqldry.json, "loads", stopped)
    with pytest.raises(KeyboardInterrupt):
        gate._dry_run("SELECT 1")
    monkeypatch.setattr(sqldry.json, "loads", real)
    assert gate.refuse("SELECT n FROM {object}", table="t") is not None
    assert gate.refuse(FINE, table="t") is None


def test_a_thread_that_ends_leaves_no_process() -> None:
    seen: list[int] = []

    def works() -> None:
        load_contract(SHOP)
        seen.append(sqldry._mine.runner.process.pid)

    thread = threading.Thread(target=works)
    thread.start()
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)
