from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.hierarchy import Hierarchy
from privacy.hierarchies.labels import day_namer, text_namer
from privacy.subjects.naming import labels_of
from tests.privacy.named import named as run_named

NATURAL = HierarchySpec(kind="natural")
HOMES = HierarchySpec(
    kind="tree",
    leaves=("Homeowner", "Probable Homeowner", "Renter", "Probable Renter", "Barge"),
    nodes=(("Owns", 0, 1), ("Rents", 2, 3), ("House", 0, 3)),
)
DAYS = pa.array(
    [dt.date(1950, 1, 1), dt.date(1961, 3, 5), dt.date(1961, 3, 9), dt.date(1962, 2, 3), dt.date(1990, 1, 1), dt.date(1990, 2, 7), None]
)  # fmt: skip
AGES = HierarchySpec(kind="ordered", leaves=("19-24", "25-34", "35-44"))


def label(hierarchy: Hierarchy, first: int, last: int) -> str:
    return run_named(hierarchy, first, last).label


def test_numbers_are_ranges_and_their_places_follow_their_values() -> None:
    hierarchy = Hierarchy.of(NATURAL, pa.array([30, 10, 20, 110]), column="t.age")
    assert hierarchy.encode(pa.chunked_array([[10, 110, 30]])).tolist() == [0, 3, 2]
    assert [label(hierarchy, 0, 0), label(hierarchy, 0, 2), label(hierarchy, 0, 3)] == ["10", "10..30", "*"]
    assert hierarchy.positions.tolist() == pytest.approx([0.0, 0.1, 0.2, 1.0])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (pa.array([17, 23, 29, 93, 99]), "20..100"),
        (pa.array([0, 3, 4, 5, 9]), "3..5"),
        (pa.array([0.0, 51234.56, 52000.0, 53999.1, 9e4]), "51000..54000"),
        (pa.array([-9.0, -0.123, 0.0, 0.456, 7.0]), "-0.2..0.6"),
        (pa.array([1, 10**15 + 1, 2 * 10**15, 9 * 10**15, 10**16]), "0..10000000000000000"),
        (pa.array(["0999", "1001", "1044", "1087", "2000"]), "10*"),
        (pa.array(["a@x", "b@x", "bc@x", "z@x", "zz@x"]), "*"),
        (pa.array([dt.date(1950, 1, 1), dt.date(1961, 3, 5), dt.date(1961, 3, 9), dt.date(1961, 3, 30), dt.date(1990, 1, 1)]), "1961-03"),
        (pa.array([dt.date(1950, 1, 1), dt.date(1961, 3, 5), dt.date(1961, 9, 9), dt.date(1962, 2, 3), dt.date(1990, 1, 1)]), "1961-03..1962-02"),
        (pa.array([dt.datetime(1950, 1, 1), dt.datetime(1961, 3, 5, 7), dt.datetime(1970, 9, 9), dt.datetime(1975, 2, 3), dt.datetime(1990, 1, 1)]), "1961..1975"),
        (pa.array([dt.datetime(1950, 1, 1), *(dt.datetime(1961, 3, 5, h) for h in (7, 8, 9)), dt.datetime(1990, 1, 1)]), "1961-03-05"),
        (pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 1), dt.date(9999, 12, 5), dt.date(9999, 12, 30), dt.date(9999, 12, 31)]), "9999-12"),
    ],
)  # fmt: skip
def test_a_run_is_never_called_by_the_values_at_its_ends(values: pa.Array, shown: str) -> None:
    """The ends of a class are single persons' own values."""
    hierarchy = Hierarchy.of(NATURAL, values, column="t.q")
    named = run_named(hierarchy, 1, 3)
    assert named.label == shown
    assert 0.0 <= named.covers <= 1.0
    assert hierarchy.loss([1], [3]).tolist() == [named.covers]


@given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=3, max_size=30, unique=True), st.data())
def test_a_range_holds_its_run_and_shows_no_end_with_all_its_digits(
    values: list[Decimal], data: st.DataObject
) -> None:
    ordered = sorted(values)
    hierarchy = Hierarchy.of(NATURAL, pa.array(ordered, pa.decimal128(18, 2)), column="t.q")
    first = data.draw(st.integers(0, len(ordered) - 2))
    last = data.draw(st.integers(first + 1, len(ordered) - 1))
    shown = label(hierarchy, first, last)
    if shown != "*":
        low, high = (Decimal(end) for end in shown.split(".."))
        width = ordered[last] - ordered[first]
        assert low <= ordered[first]
        assert ordered[last] <= high
        assert high - low <= 2 * width


def test_whole_numbers_of_any_size_have_places() -> None:
    hierarchy = Hierarchy.of(NATURAL, pa.array([-1.7e308, 0.0, 1.7e308]), column="t.q")
    assert hierarchy.positions.tolist() == [0.0, 0.5, 1.0]
    assert label(hierarchy, 0, 2) == "*"


def test_dates_have_places_too() -> None:
    days = pa.array([dt.date(2026, 1, 1), dt.date(2026, 1, 3), dt.date(2026, 1, 5)])
    hierarchy = Hierarchy.of(NATURAL, days, column="t.born")
    assert hierarchy.positions.tolist() == [0.0, 0.5, 1.0]
    assert label(hierarchy, 0, 1) == "2026-01"


def test_missing_is_a_leaf_of_its_own_with_a_label() -> None:
    hierarchy = Hierarchy.of(AGES, pa.array(["25-34", None]), column="t.age")
    assert hierarchy.encode(pa.array([None, "19-24"])).tolist() == [3, 0]
    assert label(hierarchy, 3, 3) == "(missing)"
    assert label(hierarchy, 2, 3) == "35-44 | (missing)"
    assert label(hierarchy, 0, 3) == "*"


def test_a_tree_names_runs_by_its_largest_nodes() -> None:
    hierarchy = Hierarchy.of(HOMES, pa.array(["Renter", None]), column="t.home")
    assert label(hierarchy, 0, 1) == "Owns"
    assert label(hierarchy, 0, 3) == "House"
    assert label(hierarchy, 1, 3) == "Probable Homeowner | Rents"
    assert label(hierarchy, 2, 4) == "Rents | Barge"
    assert label(hierarchy, 2, 5) == "Rents | Barge | (missing)"


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
    low, high = [int(codes.min())], [int(codes.max())]
    assert 0.0 <= float(hierarchy.loss(low, high)[0]) <= 1.0
    assert float(hierarchy.loss(low, low)[0]) == 0.0


def test_an_empty_column_has_a_hierarchy() -> None:
    hierarchy = Hierarchy.of(NATURAL, pa.array([], pa.int64()), column="t.n")
    assert len(hierarchy) == 0
    assert hierarchy.labels([], []).to_pylist() == []
    assert len(Hierarchy.of(NATURAL, pa.array([None], pa.int64()), column="t.n")) == 1


@given(st.sets(st.text(min_size=1, max_size=5), min_size=2, max_size=30), st.data())
def test_a_run_of_texts_covers_all_that_begin_as_its_name_does(values: set[str], data: st.DataObject) -> None:
    ordered = sorted(values)
    first, last = sorted(data.draw(st.sets(st.integers(0, len(ordered) - 1), min_size=2, max_size=2)))
    named = text_namer(ordered)(ordered[first], ordered[last])
    begins = sum(value.startswith(named.label[:-1]) for value in values)
    assert named.covers == (begins - 1) / (len(values) - 1)
    assert Hierarchy.of(NATURAL, pa.array(list(values)), column="t.q").leaves.to_pylist() == ordered


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (HierarchySpec(kind="dates", parts=("day", "month", "year")), DAYS),
        (HierarchySpec(kind="dates", parts=("month", "year")), DAYS),
        (HierarchySpec(kind="intervals", widths=(Decimal("2.5"), Decimal(5))), pa.array([0.5, 3.0, 7.75, 30.0, None])),
        (HierarchySpec(kind="intervals", widths=(Decimal(1), Decimal(5))), pa.array([1, 2, 3, 40, None])),
        (NATURAL, DAYS),
        (NATURAL, pa.array([17, 23, 29, 93, None])),
        (NATURAL, pa.array(["0999", "1001", "1044", "20", None])),
    ],
)  # fmt: skip
def test_many_runs_are_called_what_each_is_called(spec: HierarchySpec, values: pa.Array) -> None:
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    runs = [(a, b) for b in range(len(hierarchy)) for a in range(b + 1)]
    first, last = map(list, zip(*runs, strict=True))
    named = [run_named(hierarchy, a, b) for a, b in runs]
    assert hierarchy.labels(first, last).to_pylist() == [each.label for each in named]
    assert hierarchy.loss(first, last).tolist() == pytest.approx([each.covers for each in named])


def test_runs_of_days_are_called_what_the_namer_says() -> None:
    days = DAYS.drop_null()
    hierarchy, namer = Hierarchy.of(NATURAL, days, column="t.q"), day_namer(days[0].as_py(), days[-1].as_py())
    for a, b in ((0, 1), (0, 2), (1, 3), (2, 4), (1, 4)):
        named = namer(days[a].as_py(), days[b].as_py())
        assert hierarchy.labels([a], [b]).to_pylist() == [named.label]
        assert hierarchy.loss([a], [b]).tolist() == pytest.approx([named.covers])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        HierarchySpec(kind="natural"),
        HierarchySpec(kind="intervals", widths=(Decimal(5), Decimal(10), Decimal(20))),
    ],
    ids=["natural", "intervals"],
)
def test_over_what_is_shown_names_and_losses_are_the_same_whoever_else_there_is(
    spec: HierarchySpec, missing: bool
) -> None:
    """The attack: the oldest, alone and left out, stretches the scale that losses are told over, and is named as the end of
    whatever class those with nothing said are in."""
    shown = pa.array([*range(20, 60, 3), *([None] if missing else [])], pa.int64())
    told = []
    for others in ([95], [104], [3, 104], [19_000, 20_001]):
        hierarchy = Hierarchy.of(spec, pa.concat_arrays([shown, pa.array(others, pa.int64())]), column="age")
        codes = hierarchy.lookup(shown)
        low = np.array([codes[0], codes[4], codes[8], codes[-2], codes[-1], codes[0]], np.int32)
        high = np.array([codes[3], codes[-2], codes[-1], codes[-1], codes[-1], codes[-1]], np.int32)
        scale = hierarchy.shown(codes)
        labels = labels_of(hierarchy, low, high, scale)
        names = labels.names.take(pa.array(labels.of_class)).to_pylist()
        told.append((names, np.round(scale.loss(labels.loss, (low, high)), 8).tolist()))
    assert [each for each in told if each != told[0]] == []
    assert (told[0][0][-1], told[0][1][-1]) == ("*", 1.0)
    assert not any("104" in name or "120" in name for names, _ in told for name in names)


def test_a_scale_that_the_contract_declares_is_told_whole() -> None:
    declared = Hierarchy.of(
        HierarchySpec(kind="ordered", leaves=("a", "b", "c", "d")), pa.array(["a", "b"]), column="grade"
    )
    assert declared.shown(declared.lookup(pa.array(["a", "b"]))).ends.tolist() == declared.ends.tolist()
