from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchy import Hierarchy

NATURAL = HierarchySpec(kind="natural")
HOMES = HierarchySpec(
    kind="tree",
    leaves=("Homeowner", "Probable Homeowner", "Renter", "Probable Renter", "Barge"),
    nodes=(("Owns", 0, 1), ("Rents", 2, 3), ("House", 0, 3)),
)
AGES = HierarchySpec(kind="ordered", leaves=("19-24", "25-34", "35-44"))


def test_numbers_are_ranges_and_their_places_follow_their_values() -> None:
    hierarchy = Hierarchy.of(NATURAL, pa.array([30, 10, 20, 110]), column="t.age")
    assert hierarchy.encode(pa.chunked_array([[10, 110, 30]])).tolist() == [0, 3, 2]
    assert [hierarchy.label(0, 0), hierarchy.label(0, 2), hierarchy.label(0, 3)] == ["10", "10..30", "*"]
    assert hierarchy.positions.tolist() == [0.0, 0.1, 0.2, 1.0]


def test_dates_have_places_too() -> None:
    days = pa.array([dt.date(2026, 1, 1), dt.date(2026, 1, 3), dt.date(2026, 1, 5)])
    hierarchy = Hierarchy.of(NATURAL, days, column="t.born")
    assert hierarchy.positions.tolist() == [0.0, 0.5, 1.0]
    assert hierarchy.label(0, 1) == "2026-01-01..2026-01-03"


def test_missing_is_a_leaf_of_its_own_with_a_label() -> None:
    hierarchy = Hierarchy.of(AGES, pa.array(["25-34", None]), column="t.age")
    assert hierarchy.encode(pa.array([None, "19-24"])).tolist() == [3, 0]
    assert hierarchy.label(3, 3) == "(missing)"
    assert hierarchy.label(2, 3) == "35-44 | (missing)"
    assert hierarchy.label(0, 3) == "*"


def test_a_tree_names_runs_by_its_largest_nodes() -> None:
    hierarchy = Hierarchy.of(HOMES, pa.array(["Renter", None]), column="t.home")
    assert hierarchy.label(0, 1) == "Owns"
    assert hierarchy.label(0, 3) == "House"
    assert hierarchy.label(1, 3) == "Probable Homeowner | Rents"
    assert hierarchy.label(2, 4) == "Rents | Barge"
    assert hierarchy.label(2, 5) == "Rents | Barge | (missing)"


def test_values_beyond_the_hierarchy_are_counted_and_never_named() -> None:
    with pytest.raises(PrivacyError) as refused:
        Hierarchy.of(AGES, pa.array(["19-24", "a secret", "another"]), column="people.age")
    assert str(refused.value).startswith("The hierarchy of `people.age` lacks 2 of the values that came.")
    assert "secret" not in str(refused.value)


def test_leaves_of_another_type_are_refused() -> None:
    with pytest.raises(PrivacyError, match="not of the column's type"):
        Hierarchy.of(AGES, pa.array([1, 2]), column="people.age")


def test_a_value_that_is_no_leaf_cannot_be_coded() -> None:
    with pytest.raises(PrivacyError, match="no place in its hierarchy"):
        Hierarchy.of(NATURAL, pa.array([1, 2]), column="t.n").encode(pa.array([3]))


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50)), min_size=1, max_size=30))
def test_codes_keep_the_order_and_losses_stay_between_nothing_and_all(values: list[int | None]) -> None:
    column = pa.array(values, pa.int64())
    hierarchy = Hierarchy.of(NATURAL, column, column="t.n")
    codes = hierarchy.encode(column)
    known = [(value, code) for value, code in zip(values, codes.tolist(), strict=True) if value is not None]
    assert [code for _, code in sorted(known)] == sorted(code for _, code in known)
    low, high = codes.min(keepdims=True), codes.max(keepdims=True)
    assert 0.0 <= float(hierarchy.loss(low, high)[0]) <= 1.0
    assert float(hierarchy.loss(low, low)[0]) == 0.0


def test_an_empty_column_has_a_hierarchy() -> None:
    hierarchy = Hierarchy.of(NATURAL, pa.array([], pa.int64()), column="t.n")
    assert len(hierarchy) == 0
    assert hierarchy.labels([], []).to_pylist() == []
    assert len(Hierarchy.of(NATURAL, pa.array([None], pa.int64()), column="t.n")) == 1
