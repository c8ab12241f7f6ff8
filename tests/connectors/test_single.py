"""One file staged for a look: as it is under the contract's names, or typed as the contract says; refusals quote no value."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.single import AsItIs, as_it_is, as_table
from contracts.model import Column, LogicalType, Role, Source, Table, TableKind
from contracts.protection import Transform
from core.errors import SourceError, UsageError
from core.keys import FileKey
from core.parquet import read
from tests.agreement import agreement


def column(name: str, kind: LogicalType, role: Role, *, source: str | None = None) -> Column:
    return Column(name=name, type=kind, role=role, transform=Transform.KEEP, physical_name=source)


TABLE = Table(
    name="members",
    physical_name="members",
    kind=TableKind.SUBJECTS,
    columns=(
        column("member", LogicalType.STRING, Role.IDENTIFIER, source="MEMBER_NO"),
        column("age", LogicalType.INTEGER, Role.QUASI_IDENTIFIER),
        column("debt", LogicalType.INTEGER, Role.SENSITIVE),
    ),
)
CONTRACT = agreement(TABLE)


def staged(folder: Path, text: str | bytes, *, contract: object = CONTRACT, name: str = "m.csv") -> AsItIs:
    file, out = folder / name, folder / "out"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    out.mkdir(exist_ok=True)
    return as_it_is(file, CONTRACT if contract is CONTRACT else contract, TABLE, out=out, key=FileKey.fresh())  # type: ignore[arg-type]


def test_values_stay_as_they_stand_under_the_contracts_names(tmp_path: Path) -> None:
    found = staged(tmp_path, 'MEMBER_NO,age,debt,note\nmember-000007,20-29,10,"a, b"\n,"",9,\n')
    assert read(found.table).to_pylist() == [
        {"member": "member-000007", "age": "20-29", "debt": 10, "note": "a, b"},
        {"member": None, "age": "", "debt": 9, "note": None},
    ]
    assert (found.beside, found.nested) == (("note",), ())
    assert b"000007" not in found.table.path.read_bytes()
    assert found.table.path.read_bytes()[-4:] == b"PARE"  # Parquet with an encrypted footer


def test_a_sensitive_column_that_somebody_coarsened_stays_text(tmp_path: Path) -> None:
    assert read(staged(tmp_path, "age,debt\n30,10\n31,5-9\n").table)["debt"].to_pylist() == ["10", "5-9"]


def test_the_contracts_own_name_goes_before_the_sources(tmp_path: Path) -> None:
    found = staged(tmp_path, "MEMBER_NO,member,age\nraw,pseudonym,1\n")
    assert read(found.table)["member"].to_pylist() == ["pseudonym"]
    assert found.beside == ("MEMBER_NO",)


@pytest.mark.parametrize(("text", "delimiter"), [("age;debt\n1;2\n", None), ("age|debt\n1|2\n", "|")])
def test_what_parts_the_fields_is_said_by_the_contract_or_seen(
    tmp_path: Path, text: str, delimiter: str | None
) -> None:
    options = {"delimiter": delimiter} if delimiter else None
    contract = agreement(TABLE, source=Source(connector="files", format="csv", options=options))
    assert read(staged(tmp_path, text, contract=contract).table).to_pylist() == [{"age": "1", "debt": 2}]


def test_raw_rows_come_as_a_run_would_receive_them(tmp_path: Path) -> None:
    file = tmp_path / "raw.parquet"
    pq.write_table(pa.table({"MEMBER_NO": ["a"], "age": ["41"], "debt": [3.0], "other": [1]}), file)
    found = as_table(file, CONTRACT, TABLE, out=tmp_path / "rows", key=FileKey.fresh())
    assert read(found).to_pylist() == [{"member": "a", "age": 41, "debt": 3}]


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("age,age\nSECRET,1\n", SourceError, "stand twice"),
        ("age,debt\nSECRET\n", SourceError, "Row 1"),
        ("", SourceError, "empty"),
        (b"age\n\xff\xfeSECRET\n", SourceError, "UTF-8"),
    ],
)
def test_a_broken_file_is_told_without_its_values(
    tmp_path: Path, text: str | bytes, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what) as told:
        staged(tmp_path, text)
    assert "SECRET" not in str(told.value)


def test_another_kind_of_file_and_none_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CSV or Parquet"):
        staged(tmp_path, "{}\n", name="m.jsonl")
    with pytest.raises(UsageError, match="no such file"):
        as_table(tmp_path / "none.csv", CONTRACT, TABLE, out=tmp_path / "rows", key=FileKey.fresh())
