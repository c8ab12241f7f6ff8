"""Whole tables or nothing: what `receive` writes, and what it refuses."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors import content
from connectors.base import receive, received_digest
from connectors.content import ContentDigest
from contracts.model import Contract, Table
from core import parquet
from core.digest import document_digest, file_digest
from core.errors import ContractError, InternalError, SourceError
from core.proof import Received, Window

DAY = dt.datetime(2026, 3, 1)


class Memory:
    """A source of tables held in memory, in batches of `size`; `fault` is raised after the first batch."""

    def __init__(self, *, size: int = 1000, fault: BaseException | None = None, **tables: pa.Table) -> None:
        self.tables, self.size, self.fault = tables, size, fault

    def open(self, contract: Contract, table: Table, window: Window) -> pa.RecordBatchReader:
        data = self.tables[table.physical_name]
        return pa.RecordBatchReader.from_batches(data.schema, self._batches(data))

    def _batches(self, data: pa.Table) -> Iterator[pa.RecordBatch]:
        for batch in data.to_batches(max_chunksize=self.size):
            yield batch
            if self.fault is not None:
                raise self.fault


@pytest.fixture
def orders() -> pa.Table:
    return pa.table({"id": pa.array(range(10), pa.int32()), "who": ["x"] * 10, "more": [0] * 10})


def test_declared_columns_come_cast_in_order_and_private(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    terms = contract(table("orders", physical="Orders", who="string", id="integer"))
    steps: list[str] = []
    got = receive(
        Memory(Orders=orders),
        terms,
        Window(),
        out=tmp_path / "a" / "out",
        progress=lambda step, done=None: steps.append(step),
    )
    file = got.tables["orders"]
    written = pq.read_table(file.path)
    assert written.schema.remove_metadata() == pa.schema([("who", pa.string()), ("id", pa.int64())])
    assert written["id"].to_pylist() == list(range(10))
    assert (file.rows, file.size_bytes, file.sha256) == (10, file.path.stat().st_size, file_digest(file.path))
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    told = ContentDigest(written.schema.remove_metadata())
    told.add(written)
    assert got.digest == received_digest({"orders": told.hex()})
    assert got.digest == document_digest([["orders", told.hex()]])
    assert (got.contract_id, got.contract_digest, got.window) == (terms.id, terms.digest, Window())
    assert "receive orders: 10 rows" in steps


def test_a_column_may_have_another_name_at_the_source(
    tmp_path: Path,
    table: Callable[..., Table],
    column: Callable[..., Any],
    contract: Callable[..., Contract],
    orders: pa.Table,
) -> None:
    terms = contract(table(number=column("number", "integer", source="id")))
    got = receive(Memory(orders=orders), terms, Window(), out=tmp_path / "out")
    assert pq.read_table(got.tables["orders"].path).column_names == ["number"]


def test_the_digest_tells_content_not_how_it_was_cut(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    orders: pa.Table,
) -> None:
    monkeypatch.setattr(content, "BLOCK_ROWS", 4)
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 4)
    terms = contract(table(id="integer", who="string"))
    files = [
        receive(Memory(orders=orders, size=n), terms, Window(), out=tmp_path / str(n)) for n in (1, 3, 10)
    ]
    assert len({got.digest for got in files}) == 1
    assert pq.ParquetFile(files[0].tables["orders"].path).metadata.num_row_groups == 3
    assert pq.read_table(files[0].tables["orders"].path)["id"].to_pylist() == list(range(10))
    other = receive(Memory(orders=orders.slice(1)), terms, Window(), out=tmp_path / "other")
    assert other.digest != files[0].digest


def test_which_values_are_missing_is_not_taken_for_values() -> None:
    """A table of truth values: which of its values are there reads like a block of values."""
    rows, few = content.BLOCK_ROWS, [True, False, False]
    fields = pa.schema([("a", pa.bool_())])

    def digest(values: list[bool | None]) -> str:
        told = ContentDigest(fields)
        for block in content.blocks([pa.table({"a": values}, fields)]):
            told.add(block)
        return told.hex()

    there = [number < len(few) for number in range(rows)]
    assert digest([*there, *few]) != digest([*few, *[None] * (rows - len(few))])


def test_an_empty_table_is_a_table(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    got = receive(
        Memory(orders=orders.slice(0, 0)), contract(table(id="integer")), Window(), out=tmp_path / "out"
    )
    assert got.tables["orders"].rows == 0
    assert pq.read_schema(got.tables["orders"].path).names == ["id"]


def test_missing_columns_are_named_with_those_that_exist(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    with pytest.raises(SourceError) as caught:
        receive(
            Memory(orders=orders),
            contract(table(ID="integer", id="integer", at="date")),
            Window(),
            out=tmp_path / "out",
        )
    assert str(caught.value) == (
        "`orders` lacks `ID`, `at`; the source has `id`, `who`, `more`. (table orders) "
        "Correct the column names in the contract, or at the source."
    )
    assert not (tmp_path / "out").exists()


def test_a_column_that_comes_twice_is_refused(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(SourceError, match="more than one column called `id`"):
        receive(Memory(orders=twice), contract(table(id="integer")), Window(), out=tmp_path / "out")


@pytest.mark.parametrize(
    "fault",
    [
        OSError(5, "Input/output error"),
        pa.ArrowInvalid("Zhang San"),
        SourceError("gone"),
        KeyboardInterrupt(),
    ],
)
def test_a_failure_leaves_nothing_of_any_table(
    tmp_path: Path,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    orders: pa.Table,
    fault: BaseException,
) -> None:
    terms = contract(
        table("first", physical="orders", id="integer"), table("second", physical="orders", id="integer")
    )
    wanted = KeyboardInterrupt if isinstance(fault, KeyboardInterrupt) else SourceError
    with pytest.raises(wanted) as caught:
        receive(Memory(orders=orders, size=3, fault=fault), terms, Window(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "Zhang" not in str(caught.value)


def test_half_of_an_earlier_attempt_is_replaced(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "table-0.parquet").write_bytes(b"half")
    (out / "left.parquet").write_bytes(b"half")
    got = receive(Memory(orders=orders), contract(table(id="integer")), Window(), out=out)
    assert [file.name for file in out.iterdir()] == ["table-0.parquet"]
    assert got.tables["orders"].rows == 10


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="can't be written down: Not a directory"):
        receive(Memory(orders=orders), contract(table(id="integer")), Window(), out=tmp_path / "file" / "out")


@pytest.mark.parametrize("name", ["../escape", "a/b", "订单 '\"", ".hidden", "a~b"])
def test_any_table_name_stays_inside_out(
    tmp_path: Path,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    orders: pa.Table,
    name: str,
) -> None:
    got = receive(
        Memory(orders=orders),
        contract(table(name, physical="orders", id="integer")),
        Window(),
        out=tmp_path / "out",
    )
    assert got.tables[name].path.parent == tmp_path / "out"
    assert os.listdir(tmp_path) == ["out"]


TIMES = pa.table(
    {
        "n": [0, 1, 2, 3],
        "at": pa.array(
            [DAY - dt.timedelta(microseconds=1), DAY, DAY + dt.timedelta(days=1), None], pa.timestamp("us")
        ),
        "day": pa.array(
            [DAY.date() - dt.timedelta(days=1), DAY.date(), DAY.date() + dt.timedelta(days=1), None]
        ),
    }
)
START = DAY.replace(tzinfo=dt.UTC)
END = START + dt.timedelta(days=1)
SHANGHAI = dt.timezone(dt.timedelta(hours=8))


@pytest.mark.parametrize("time", ["at", "day"])
@pytest.mark.parametrize(
    ("window", "wanted"),
    [
        (Window(), [0, 1, 2, 3]),
        (Window(start=START), [1, 2]),
        (Window(end=END), [0, 1]),
        (Window(start=START, end=END), [1]),
        (Window(start=START.astimezone(SHANGHAI), end=END.astimezone(SHANGHAI)), [1]),
    ],
)
def test_the_window_holds_its_start_and_not_its_end(
    tmp_path: Path,
    table: Callable[..., Table],
    contract: Callable[..., Contract],
    time: str,
    window: Window,
    wanted: list[int],
) -> None:
    terms = contract(table(n="integer", at="timestamp", day="date", time=time))
    got = receive(Memory(orders=TIMES), terms, window, out=tmp_path / "out")
    assert pq.read_table(got.tables["orders"].path)["n"].to_pylist() == wanted


def test_a_table_without_time_is_taken_whole(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    got = receive(
        Memory(orders=TIMES), contract(table(n="integer")), Window(start=START), out=tmp_path / "out"
    )
    assert got.tables["orders"].rows == 4


def test_a_window_over_something_else_than_time_is_refused(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract]
) -> None:
    for time in ("n", "nowhere"):
        with pytest.raises(ContractError):
            receive(
                Memory(orders=TIMES),
                contract(table(n="integer", time=time)),
                Window(start=START),
                out=tmp_path / "out",
            )
        assert not (tmp_path / "out").exists()


def test_nobody_else_builds_the_proof() -> None:
    with pytest.raises(InternalError):
        Received(contract_id="", contract_digest="", window=Window(), tables={}, digest="")


def test_a_table_called_like_a_glob_is_not_mixed_with_another(
    tmp_path: Path, table: Callable[..., Table], contract: Callable[..., Contract], orders: pa.Table
) -> None:
    terms = contract(table("bycatch", id="integer"), table("by*", id="integer"))
    source = Memory(bycatch=orders, **{"by*": orders.slice(0, 2)})
    got = receive(source, terms, Window(), out=tmp_path / "out")
    assert [file.path.name for file in got.tables.values()] == ["table-0.parquet", "table-1.parquet"]
    rows = duckdb.execute(f"SELECT id FROM read_parquet('{got.tables['by*'].path}')").fetchall()
    assert rows == [(0,), (1,)]
