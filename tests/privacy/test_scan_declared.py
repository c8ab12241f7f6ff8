"""Tables in files against what their contract declares: a refusal names columns and kinds, and no value is anywhere in it."""

from __future__ import annotations

import logging
import pickle
import random
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.carried import Kind
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import CellPlan, Dimension, Level, Measure, Transform
from core.errors import PrivacyError, SourceError
from core.keys import FileKey
from core.parquet import leave_out, writer
from core.proof import TableFile
from privacy.scan import declared as module
from privacy.scan.chunks import chunks, columns
from privacy.scan.declared import refuse_undeclared
from tests.agreement import agreement
from tests.privacy.made_up import mobile, resident
from tests.staged import table_file

RNG = random.Random(7)
PHONES = [mobile(RNG) for _ in range(40)]
PERSON = resident(RNG)
DATA = pa.table(
    {
        "id": pa.array(range(40)),
        "note": [*["as usual"] * 39, f"his id is {PERSON}, thanks"],
        "contact": pa.array([int(phone) for phone in PHONES]),
    }
)


def column(
    name: str, *carries: Kind, transform: Transform = Transform.KEEP, role: Role = Role.ATTRIBUTE
) -> Column:
    return Column(name=name, type=LogicalType.STRING, role=role, transform=transform, carries=carries)


def contract(*columns: Column, name: str = "t", cells: CellPlan | None = None) -> Contract:
    kind = TableKind.FACTS if cells else TableKind.REFERENCE
    return agreement(Table(name=name, physical_name=name, kind=kind, columns=columns, cells=cells))


Stored = Callable[..., dict[str, TableFile]]


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    def store(data: pa.Table = DATA, *, name: str = "t", key: FileKey | None = None) -> dict[str, TableFile]:
        path = tmp_path / f"{name}.parquet"
        with writer(path, data.schema, key) as file:
            for part in data.to_batches(max_chunksize=16):
                file.write(part)
                file.flush()
        return {name: table_file(name, path, rows=data.num_rows, key=key)}

    return store


def refused(files: dict[str, TableFile], agreed: Contract, when: module.When = "before") -> PrivacyError:
    with pytest.raises(PrivacyError) as refusal:
        refuse_undeclared(files, agreed, when=when)
    return refusal.value


ALL = (column("id"), column("note"), column("contact"))


@pytest.mark.parametrize("key", [None, FileKey.fresh()], ids=["plain", "encrypted"])
def test_a_refusal_tells_columns_kinds_and_shares(stored: Stored, key: FileKey | None) -> None:
    error = refused(stored(key=key), contract(*ALL))
    assert str(error) == (
        "Personal data that the contract doesn't declare, in the data as it came: "
        "`t.note` looks as if it holds resident ids (50 % of its distinct values); "
        "`t.contact` looks as if it holds mobile numbers (100 % of its distinct values). (contract a-contract 1.0.0) "
        "Drop or pseudonymise such a column in the contract, or declare by sluiceCarries what it may hold: residentId, mobile."
    )
    assert error.facts == {"columns": [("t", "note", "residentId"), ("t", "contact", "mobile")]}
    assert error.exit_code != 0


def test_no_value_is_in_the_error_a_trace_or_a_log(
    stored: Stored, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with pytest.raises(PrivacyError) as refusal:
        refuse_undeclared(
            stored(), contract(*ALL), when="before", progress=lambda step, done=None, /: said.append(step)
        )
    error = refusal.value
    everything = "\n".join(
        [str(error), repr(error), repr(error.facts), repr(vars(error)), "".join(traceback.format_exception(error)),
         caplog.text, *capfd.readouterr(), *said]
    )  # fmt: skip
    assert error.__cause__ is None
    for value in (PERSON, PERSON[6:14], *PHONES):
        assert value not in everything
        assert value.encode() not in pickle.dumps(error)
    assert said == ["scan t for undeclared personal data"]


def test_what_is_declared_may_stand_there_and_nothing_else(stored: Stored) -> None:
    files = stored()
    every = (column("id"), column("note", Kind.RESIDENT_ID), column("contact", Kind.MOBILE, Kind.EMAIL))
    refuse_undeclared(files, contract(*every), when="before")
    refuse_undeclared(files, contract(*every), when="after")
    wrong = (column("id", Kind.MOBILE), column("note", Kind.RESIDENT_ID), column("contact", Kind.LANDLINE))
    assert refused(files, contract(*wrong)).facts == {"columns": [("t", "contact", "mobile")]}


@pytest.mark.parametrize(
    "transform", [Transform.DROP, Transform.PSEUDONYM, Transform.TOKEN, Transform.REDACT]
)
def test_what_never_goes_out_may_hold_what_it_likes_before_and_not_after(
    stored: Stored, transform: Transform
) -> None:
    files = stored()
    agreed = contract(
        column("id"), column("note", transform=transform), column("contact", transform=transform)
    )
    refuse_undeclared(files, agreed, when="before")
    assert "to be released" in str(refused(files, agreed, "after"))


@pytest.mark.parametrize(
    "transform", [set_ for set_ in Transform if set_ not in {Transform.DROP, Transform.PSEUDONYM, Transform.TOKEN, Transform.REDACT}]
)  # fmt: skip
def test_any_other_transform_is_no_excuse(stored: Stored, transform: Transform) -> None:
    agreed = contract(column("id"), column("note", Kind.RESIDENT_ID), column("contact", transform=transform))
    assert refused(stored(), agreed).facts == {"columns": [("t", "contact", "mobile")]}


def test_excluded_columns_may_hold_what_they_like(stored: Stored) -> None:
    excluded = [column(name, role=Role.EXCLUDED, transform=Transform.DROP) for name in ("note", "contact")]
    refuse_undeclared(stored(), contract(column("id"), *excluded), when="before")


def test_a_column_that_was_written_and_stands_in_no_contract_is_looked_at(stored: Stored) -> None:
    assert refused(stored(), contract(column("id")), "after").facts["columns"] == [
        ("t", "note", "residentId"),
        ("t", "contact", "mobile"),
    ]


def test_cells_hold_what_their_columns_carry(stored: Stored) -> None:
    plan = CellPlan(
        segments_of=None,
        segment_min_units=5,
        dimensions=(Dimension(name="place", levels=(Level(label="mail", column="mail"),)),),
        measures=(Measure(name="first", aggregate="sum", column="phone"),),
        count_name="persons",
    )
    written = pa.table(
        {
            "place": [f"user{number}@example.org" for number in range(9)],
            "first": [int(phone) for phone in PHONES[:9]],
            "persons": [5] * 9,
        }
    )
    files = stored(written)
    agreed = contract(column("mail", Kind.EMAIL), column("phone", Kind.MOBILE), cells=plan)
    refuse_undeclared(files, agreed, when="after")
    assert refused(files, contract(column("mail"), column("phone"), cells=plan), "after").facts == {
        "columns": [("t", "place", "email"), ("t", "first", "mobile")]
    }


def test_rows_that_were_set_aside_arent_looked_at(stored: Stored, tmp_path: Path) -> None:
    files = stored(key=FileKey.fresh())
    agreed = contract(column("id"), column("note"), column("contact", Kind.MOBILE))
    assert refused(files, agreed).facts == {"columns": [("t", "note", "residentId")]}
    files = {"t": leave_out(files["t"], np.array([0, 17, 39]), tmp_path / "without.parquet")}
    refuse_undeclared(files, agreed, when="before")
    values = [value for chunk in chunks(files["t"], "id") for value in chunk.to_pylist()]
    assert values == [number for number in range(40) if number not in (0, 17, 39)]


def test_at_most_twenty_are_told_and_the_others_counted(stored: Stored) -> None:
    names = [f"c{number}" for number in range(23)]
    data = pa.table(dict.fromkeys(names, PHONES))
    error = refused(stored(data), contract(*map(column, names)))
    assert str(error).count("looks as if") == 20
    assert "and 3 more." in str(error)
    assert len(error.facts["columns"]) == 23  # type: ignore[arg-type]


def test_small_numbers_and_other_types_need_no_reading(stored: Stored) -> None:
    data = pa.table(
        {
            "small": [1, None, -5],
            "price": [1.5, float("nan"), 3.0],
            "flag": [True, False, None],
            "day": pa.array([1, 2, 3], pa.date32()),
            "raw": [b"a", b"b", b"c"],
            "text": ["a", "b", "c"],
            "long": [1, 2, 10**10],
            "low": [1, 2, -(10**10)],
            "endless": [1.0, 2.0, float("inf")],
        }
    )
    assert set(columns(stored(data)["t"])) == {"text", "long", "low", "endless"}


def test_a_name_with_a_dot_is_one_column(stored: Stored) -> None:
    data = pa.table({"a": [1] * 40, "a.b": PHONES, "x.y": [int(phone) for phone in PHONES]})
    assert refused(stored(data), contract(column("a"), column("a.b"), column("x.y"))).facts["columns"] == [
        ("t", "a.b", "mobile"),
        ("t", "x.y", "mobile"),
    ]


def test_files_of_other_writers_are_read(stored: Stored, tmp_path: Path) -> None:
    """As the release is written: several pages a chunk, dictionaries or none, statistics or none."""
    path = tmp_path / "t.parquet"
    for options in (
        {"use_dictionary": False},
        {"write_statistics": False},
        {"data_page_size": 64, "compression": "zstd"},
    ):
        pq.write_table(DATA, path, row_group_size=11, **options)
        file = table_file("t", path, rows=40)
        assert len(refused({"t": file}, contract(*ALL), "after").facts["columns"]) == 2  # type: ignore[arg-type]


def test_an_empty_table_and_an_empty_column_hold_nothing(stored: Stored) -> None:
    refuse_undeclared(stored(DATA.slice(0, 0)), contract(*ALL), when="before")
    nothing = pa.table(
        {"note": pa.array([None] * 3, pa.string()), "contact": pa.array([None] * 3, pa.int64())}
    )
    refuse_undeclared(stored(nothing), contract(*ALL[1:]), when="before")


def test_a_file_that_cant_be_read_is_told_without_what_it_holds(stored: Stored) -> None:
    files = stored(key=FileKey.fresh())
    files["t"].path.write_bytes(PERSON.encode() * 10)
    with pytest.raises(SourceError, match=r"Table t can't be read") as broken:
        refuse_undeclared(files, contract(*ALL), when="before")
    assert PERSON not in "".join(traceback.format_exception(broken.value))
    with pytest.raises(SourceError, match=r"Table t can't be read"):
        list(chunks(files["t"], "note"))


def test_text_that_is_no_text_is_refused_without_it(stored: Stored) -> None:
    raw = pa.array([b"\xff\xfe 13800138000 \xff", b"a"])
    broken = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    with pytest.raises(SourceError, match=r"`t\.note` holds text that isn't UTF-8") as refusal:
        refuse_undeclared(stored(pa.table({"note": broken})), contract(column("note")), when="before")
    error = refusal.value
    assert "138001" not in "".join(traceback.format_exception(error)) + repr(error.facts)


def test_a_file_under_another_key_cant_be_read(stored: Stored) -> None:
    file = replace(stored(key=FileKey.fresh())["t"], key=FileKey.fresh())
    with pytest.raises(SourceError, match=r"Table t can't be read"):
        refuse_undeclared({"t": file}, contract(*ALL), when="before")
