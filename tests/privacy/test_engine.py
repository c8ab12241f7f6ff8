"""The engine's steps: codes, distinct tuples, whose rows, the order of what is written, and what the file itself tells."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.model import Column, LogicalType, Role
from contracts.protection import HierarchySpec, Transform
from core.errors import PrivacyError
from privacy.measures.risk import sizes_before
from privacy.subjects.attach import attach, by_group, by_row, compact
from privacy.subjects.cube import Cube, build_cube, in_order, sorted_values
from privacy.subjects.encode import Encoder, recoded
from privacy.subjects.grouping import distinct, mostly_distinct, packed
from privacy.subjects.order import by_labels, shuffled
from privacy.subjects.units import Units, folded
from tests.staged import table_file

KEY = bytes(range(32))


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "ü", "", "中"])), max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    encoded=st.booleans(),
)
def test_codes_lead_back_to_the_values(values: list[str | None], cuts: list[int], encoded: bool) -> None:
    encoder = Encoder()
    edges = sorted({0, len(values), *(cut for cut in cuts if cut <= len(values))})
    for start, end in pairwise(edges):
        batch = pa.array(values[start:end], pa.string())
        encoder.add(batch.dictionary_encode() if encoded else batch)
    found, codes = encoder.finish()
    assert [found[code].as_py() if code >= 0 else None for code in codes.tolist()] == values
    assert len(set(found.to_pylist())) == len(found)
    assert found.null_count == 0


def test_a_null_in_a_dictionary_is_a_null() -> None:
    encoder = Encoder()
    encoder.add(pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array([None, "x"])))
    values, codes = encoder.finish()
    assert values.to_pylist() == ["x"]
    assert codes.tolist() == [-1, 0, -1]


def test_many_values_get_wide_codes() -> None:
    encoder = Encoder()
    for start in range(0, 90_000, 30_000):
        encoder.add(pa.array(np.arange(start, start + 30_000)))
    values, codes = encoder.finish()
    assert codes.dtype == np.int32
    assert (values.to_numpy()[codes] == np.arange(90_000)).all()
    assert recoded(codes, np.arange(90_000)[::-1].copy(), missing=-1)[0] == 89_999


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(0, 200),
    cardinalities=st.lists(st.sampled_from([1, 3, 1000, 2**31 - 2]), min_size=1, max_size=5),
    seed=st.integers(0, 999),
)
def test_equal_tuples_are_one_tuple_and_no_others(rows: int, cardinalities: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = [rng.choice(rng.integers(-1, c, 3), rows).astype(np.int32) for c in cardinalities]
    number, first = distinct(packed(columns, cardinalities))
    tuples = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len(first) == len(set(tuples))
    assert [tuples[first[n]] for n in number.tolist()] == tuples


def test_tables_grow_without_losing_anyone() -> None:
    keys = np.random.default_rng(1).permutation(300_000).astype(np.int64)
    number, first = distinct([keys, keys[::-1].copy()])
    assert len(first) == 300_000
    assert (number == np.arange(300_000)).all()


def test_whether_tuples_repeat_is_seen_however_many_there_are() -> None:
    rng = np.random.default_rng(2)
    assert not mostly_distinct([rng.integers(0, 200_000, 1_000_000)])
    assert mostly_distinct([rng.integers(0, 2**60, 1_000_000)])


@pytest.mark.parametrize(
    ("names", "persons"),
    [
        (pa.array([3, -(2**62), 3, 7], pa.int64()), [0, 1, 0, 2]),
        (pa.array([5, 6, 5], pa.uint32()), [0, 1, 0]),
        (pa.array(["Ann", "ann ", "ＡＮＮ", "Bo"]), [0, 0, 0, 1]),
        (pa.array([1, 2**40, 1]).cast(pa.timestamp("us")), [0, 1, 0]),
    ],
)
def test_spellings_of_one_name_are_one_person(names: pa.Array, persons: list[int]) -> None:
    units = Units(table="people", unit="name")
    units.add(names.slice(0, 2))
    units.add(names.slice(2))
    owners = units.owners()
    assert owners.of_row is not None
    assert owners.of_row.tolist() == persons
    assert owners.count == max(persons) + 1


@pytest.mark.parametrize("names", [pa.array([9, 8, 7]), pa.array([0, 2**62, 5]), pa.array(["a", "b", "c"])])
def test_who_has_one_row_needs_no_number(names: pa.Array) -> None:
    units = Units(table="people", unit="name")
    units.add(names)
    owners = units.owners()
    assert owners.of_row is None
    assert owners.count == 3


def test_a_row_of_nobody_is_refused() -> None:
    units = Units(table="people", unit="name")
    units.add(pa.array(["a", " ", None]))
    with pytest.raises(PrivacyError, match="2 rows of `people` name no `name`"):
        units.owners()


def test_an_empty_name_is_missing_and_case_is_nothing() -> None:
    assert folded(pa.array([" X ", "", "ß", None])).to_pylist() == ["x", None, "ß", None]


def test_ranks_follow_the_said_order_then_their_own() -> None:
    values = pa.array(["low", "High", "odd", "high", ""])
    assert in_order(values, ("high", "mid", "low")).tolist() == [2, 0, 3, 0, -1]
    assert in_order(pa.array([3.5, 1.0])).tolist() == [1, 0]


def test_values_are_told_in_their_own_order() -> None:
    values, codes = sorted_values(pa.array([True, False]), np.array([0, 1, -1], np.int8))
    assert values.to_pylist() == [False, True]
    assert codes.tolist() == [1, 0, -1]


def labelled(rows: int, seed: int) -> tuple[np.ndarray, list[tuple[pa.Array, np.ndarray]]]:
    """Rows in classes of which several carry the same labels."""
    rng = np.random.default_rng(seed)
    classes = max(1, rows // 5)
    names = pa.array(["30..40", "0..10", "20..30"])
    labels = [(names, rng.integers(0, 3, classes).astype(np.int32)) for _ in range(2)]
    return rng.integers(-1, classes, rows).astype(np.int32), labels


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(1, 300), seed=st.integers(0, 999))
def test_rows_are_sorted_by_their_labels_alone(rows: int, seed: int) -> None:
    class_of_row, labels = labelled(rows, seed)
    order = by_labels(class_of_row, labels, KEY)
    assert sorted(order.rows.tolist()) == np.flatnonzero(class_of_row >= 0).tolist()
    said = [
        tuple(names[int(of_class[c])].as_py() for names, of_class in labels)
        for c in class_of_row[order.rows].tolist()
    ]
    assert said == sorted(said)
    for group in range(len(order.bounds) - 1):
        here = set(said[order.bounds[group] : order.bounds[group + 1]])
        c = int(order.classes[group])
        assert here <= {tuple(names[int(of_class[c])].as_py() for names, of_class in labels)}


def test_classes_with_the_same_labels_are_mixed_and_the_source_says_nothing() -> None:
    """Two classes with one label, written in the source one after the other: afterwards nobody can tell which was first."""
    class_of_row = np.repeat([0, 1], 5000).astype(np.int32)
    order = by_labels(class_of_row, [(pa.array(["0..10"]), np.zeros(2, np.int32))], KEY)
    first_half = class_of_row[order.rows[:5000]].mean()
    assert 0.47 < first_half < 0.53
    ranks = np.corrcoef(order.rows, np.arange(10_000))[0, 1]
    assert abs(ranks) < 0.05


def test_each_key_has_an_order_of_its_own_and_every_order_is_as_likely() -> None:
    assert shuffled(50, KEY).tolist() == shuffled(50, KEY).tolist()
    assert shuffled(50, KEY).tolist() != shuffled(50, bytes(32)).tolist()
    seen = [tuple(shuffled(3, number.to_bytes(32, "big")).tolist()) for number in range(6000)]
    counts = [seen.count(each) for each in sorted(set(seen))]
    assert len(counts) == 6
    assert min(counts) > 850


def test_a_shuffle_of_more_rows_than_numbers_at_a_time_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.subjects.order._BLOCK", 64)
    order = by_labels(
        np.repeat(np.arange(30), 10).astype(np.int32), [(pa.array(["x"]), np.zeros(30, np.int32))], KEY
    )
    assert sorted(order.rows.tolist()) == list(range(300))
    assert order.rows.tolist() != list(range(300))


def test_a_dictionary_holds_what_is_shown_and_no_more() -> None:
    """A value that only left-out rows have must not travel in a dictionary page."""
    told = compact(np.array([2, -1, 2, 0], np.int8), pa.array(["a", "secret", "c"]))
    assert told.to_pylist() == ["c", None, "c", "a"]
    assert told.dictionary.to_pylist() == ["a", "c"]


def test_nothing_of_a_row_left_out_is_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.subjects.attach.ROW_GROUP_ROWS", 4)
    names = pa.array(["0..10", "10..20", "left out"])
    class_of_row = np.array([0, 0, 0, 1, 1, 1, 2, -1, 0, 1], np.int32)
    class_of_row[6] = -1
    of_class = np.array([0, 1, 2], np.int32)
    order = by_labels(class_of_row, [(names, of_class)], KEY)
    ills = pa.array(["flu", "gout", "leprosy"])
    of_row = np.array([0, 1, 0, 0, 1, 0, 2, 2, -1, 1], np.int8)
    pay = pa.array([1.5, 2.5, 99999.0])
    target = tmp_path / "safe.parquet"
    attach(
        target,
        order,
        {"age": by_group(order, of_class, names), "ill": by_row(of_row, ills), "pay": by_row(of_row, pay)},
    )
    table = pq.read_table(target, partitioning=None)
    assert table.schema.field("age").type == pa.string()
    rows = sorted(table.to_pylist(), key=str)
    meant = [
        {
            "age": names[int(of_class[c])].as_py(),
            "ill": ills[int(i)].as_py() if i >= 0 else None,
            "pay": pay[int(i)].as_py() if i >= 0 else None,
        }
        for c, i in zip(class_of_row.tolist(), of_row.tolist(), strict=True)
        if c >= 0
    ]
    assert rows == sorted(meant, key=str)
    with pq.ParquetFile(target, read_dictionary=["age", "ill"]) as file:
        assert file.metadata.num_row_groups == 2
        for group in range(2):
            shown = file.read_row_group(group)
            for name in ("age", "ill"):
                chunk = shown[name].combine_chunks()
                assert set(chunk.dictionary.to_pylist()) <= set(chunk.to_pylist())
            statistics = file.metadata.row_group(group).column(2).statistics
            assert statistics.max in shown["pay"].to_pylist()
    raw = target.read_bytes()
    assert b"leprosy" not in raw
    assert b"left out" not in raw
    assert b"ARROW:schema" not in raw


def test_sizes_before_are_the_same_however_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from_rows = cube_of(np.random.default_rng(4).integers(0, 9, (300, 2)))
    monkeypatch.setattr("privacy.subjects.cube.mostly_distinct", lambda words: True)
    apart = cube_of(np.random.default_rng(4).integers(0, 9, (300, 2)))
    assert apart.tuple_of_row is None
    assert from_rows.tuple_of_row is not None
    assert sorted(sizes_before(from_rows).tolist()) == sorted(sizes_before(apart).tolist())
    assert sizes_before(apart).sum() == 300


def cube_of(ages: np.ndarray) -> Cube:
    """A cube of two quasi-identifiers, by way of a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "people.parquet"
        pq.write_table(pa.table({"person": range(len(ages)), "a": ages[:, 0], "b": ages[:, 1]}), path)
        columns = [
            Column(
                name=name,
                type=LogicalType.INTEGER,
                role=Role.QUASI_IDENTIFIER,
                transform=Transform.GENERALIZE,
                hierarchy=HierarchySpec(kind="natural"),
            )
            for name in ("a", "b")
        ]
        file = table_file("people", path, rows=len(ages))
        return build_cube(file, name="people", unit="person", quasi_identifiers=columns, sensitive=[])
