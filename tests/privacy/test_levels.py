"""Every kind of hierarchy, held against what its labels say, and its levels for the full-domain search."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.protection import HierarchySpec, TreeFile
from core.errors import PrivacyError
from privacy.hierarchies.built import roundest
from privacy.hierarchies.grid import Grid
from privacy.hierarchies.hierarchy import Hierarchy
from privacy.hierarchies.levels import MOST, Levels, levels_of
from tests.privacy.named import named as run_named

NATURAL = HierarchySpec(kind="natural")
HOMES = HierarchySpec(
    kind="tree",
    leaves=("Owner", "Probable Owner", "Renter", "Flat", "Barge"),
    nodes=(("Owns", 0, 1), ("Lives", 2, 3), ("House", 0, 3)),
)


def intervals(*widths: object, origin: object = 0) -> HierarchySpec:
    return HierarchySpec(
        kind="intervals", widths=tuple(Decimal(str(each)) for each in widths), origin=Decimal(str(origin))
    )


def dates(*parts: str) -> HierarchySpec:
    return HierarchySpec(kind="dates", parts=parts)


def prefix(*lengths: int) -> HierarchySpec:
    return HierarchySpec(kind="prefix", lengths=lengths)


def built(groups: int, fan: int = 2) -> HierarchySpec:
    return HierarchySpec(kind="built", groups=groups, fan=fan)


def of(spec: HierarchySpec, values: Any, kind: pa.DataType | None = None, **more: Any) -> Hierarchy:
    return Hierarchy.of(spec, pa.array(values, kind), column="t.q", **more)


def names(hierarchy: Hierarchy) -> list[str]:
    return [run_named(hierarchy, at, at).label for at in range(len(hierarchy))]


def by_level(hierarchy: Hierarchy) -> list[list[str]]:
    return [each.to_pylist() for each in levels_of(hierarchy).labels]


INTEGERS = st.integers(-(10**4), 10**4)
CENTS = st.decimals(-1000, 1000, places=2)
FLOATS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: number + 0.0)
DAYS = st.dates(dt.date(1850, 1, 1), dt.date(2150, 12, 31))
MOMENTS = st.datetimes(dt.datetime(1850, 1, 1), dt.datetime(2150, 12, 31))
WORDS = st.text("ab中é*", max_size=6)
UTC, THERE = pa.timestamp("us"), pa.timestamp("us", tz="Asia/Shanghai")
GRIDS = [intervals(5, 10, 50), intervals(1, 10), intervals("0.25", "0.5", 2, origin="0.1")]

CASES = [
    (INTEGERS, pa.int64(), [NATURAL, *GRIDS, built(4), built(7, 3)]),
    (CENTS, pa.decimal128(12, 2), [NATURAL, *GRIDS, intervals("0.01", "0.1"), built(4)]),
    (FLOATS, pa.float64(), [NATURAL, *GRIDS, built(4)]),
    (DAYS, pa.date32(), [NATURAL, dates("day", "month", "year"), dates("quarter", "decade"), built(4)]),
    (MOMENTS, UTC, [NATURAL, dates("day", "quarter"), dates("month", "year", "decade"), built(4)]),
    (MOMENTS, THERE, [NATURAL, dates("day", "year"), built(4)]),
    (WORDS, pa.string(), [NATURAL, prefix(3, 1), prefix(2), built(4), built(3, 3)]),
    (st.sampled_from(HOMES.leaves), pa.string(), [HOMES, HierarchySpec(kind="ordered", leaves=HOMES.leaves)]),
    (st.booleans(), pa.bool_(), [NATURAL]),
]


@st.composite
def columns(draw: st.DrawFn) -> tuple[HierarchySpec, pa.Array]:
    values, kind, specs = draw(st.sampled_from(CASES))
    return draw(st.sampled_from(specs)), pa.array(
        draw(st.lists(st.none() | values, min_size=1, max_size=40)), kind
    )


@given(columns())
def test_every_way_that_values_come_gives_the_same_codes(column: tuple[HierarchySpec, pa.Array]) -> None:
    spec, values = column
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    codes = hierarchy.encode(values).tolist()
    encoded = values.dictionary_encode()
    ways = [
        pa.chunked_array([values[:3], values[3:]]),
        encoded,
        pa.chunked_array([encoded, encoded[:0]]),
        pa.DictionaryArray.from_arrays(encoded.indices, pa.concat_arrays([encoded.dictionary] * 2)),
        pa.concat_arrays([values[:1], values])[1:],
    ]
    if pa.types.is_string(values.type):
        ways.append(values.cast(pa.large_string()))
        large = Hierarchy.of(spec, ways[-1], column="t.q")
        assert large.encode(values).tolist() == codes
        assert names(large) == names(hierarchy)
    for way in ways:
        assert hierarchy.encode(way).tolist() == codes
        assert names(Hierarchy.of(spec, way, column="t.q")) == names(hierarchy)
    distinct = values.unique()
    assert dict(zip(distinct.to_pylist(), hierarchy.lookup(distinct).tolist(), strict=True)) == dict(
        zip(values.to_pylist(), codes, strict=True)
    )


@given(columns())
def test_codes_follow_the_order_of_the_values(column: tuple[HierarchySpec, pa.Array]) -> None:
    spec, values = column
    if spec.kind in ("tree", "ordered"):
        return
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    known = sorted(
        (value, code)
        for value, code in zip(values.to_pylist(), hierarchy.encode(values), strict=True)
        if value is not None
    )
    assert [code for _, code in known] == sorted(code for _, code in known)


@given(columns(), st.data())
def test_a_name_covers_no_less_than_its_run_and_is_no_ones_own_value(
    column: tuple[HierarchySpec, pa.Array], data: st.DataObject
) -> None:
    spec, values = column
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    low, high = hierarchy.positions, hierarchy.ends
    assert (low <= high).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()
    assert not len(low) or (low[0] == 0.0 and high[-1] in (0.0, 1.0))
    first, last = sorted(data.draw(st.integers(0, len(hierarchy) - 1)) for _ in range(2))
    named = run_named(hierarchy, first, last)
    assert high[last] - low[first] - 1e-9 <= named.covers <= 1.0
    assert hierarchy.loss([first], [last]).tolist() == [named.covers]
    codes = hierarchy.encode(values)
    own = {
        str(value)
        for value, code in zip(values.to_pylist(), codes, strict=True)
        if first <= code <= last and value is not None
    }
    if len(own) > 1:
        # A mask may be spelt as a text that has a star in it; a number or a day never is.
        assert named.label not in own or named.label.endswith("*")


@given(columns())
@example((HierarchySpec(kind="built", groups=4, fan=2), pa.array([0.0, 1e-38, 2e-47, -2.0, -141.0])))
def test_levels_coarsen_step_by_step_to_one_group(column: tuple[HierarchySpec, pa.Array]) -> None:
    spec, values = column
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    levels = levels_of(hierarchy)
    n = len(hierarchy)
    assert 2 <= len(levels.groups) == len(levels.losses) == len(levels.labels) <= MOST
    assert levels.groups[0].tolist() == list(range(n))
    assert levels.labels[0].to_pylist() == names(hierarchy)
    assert levels.losses[0].tolist() == pytest.approx((hierarchy.ends - hierarchy.positions).tolist())
    assert (levels.groups[-1].tolist(), levels.labels[-1].to_pylist()) == ([0] * n, ["*"])
    assert levels.losses[-1].tolist() == [1.0] * n
    for groups, losses, labels in zip(levels.groups, levels.losses, levels.labels, strict=True):
        assert groups.dtype == np.int32
        assert groups[0] == 0
        assert set(np.diff(groups).tolist()) <= {0, 1}
        assert len(labels) == groups[-1] + 1
        assert labels.null_count == 0
        for group in range(len(labels)):
            there = np.flatnonzero(groups == group)
            extent = hierarchy.ends[there[-1]] - hierarchy.positions[there[0]]
            assert len(set(losses[there].tolist())) == 1
            assert extent - 1e-9 <= losses[there[0]] <= 1.0
    for at, (fine, coarse) in enumerate(pairwise(levels.groups)):
        assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == fine[-1] + 1, (
            "a group is torn apart"
        )
        assert coarse[-1] < fine[-1] or n == 1, "a level that equals the one before"
        assert (levels.losses[at] <= levels.losses[at + 1]).all()
    if hierarchy.nullable:
        for groups, labels in zip(levels.groups[:-1], levels.labels[:-1], strict=True):
            assert (groups == groups[-1]).sum() == 1
            assert labels[-1].as_py() == "(missing)"


RANGE = re.compile(r"(-?[\d.]+?)\.\.(-?[\d.]+)")


@given(
    st.one_of(
        st.tuples(st.lists(INTEGERS, min_size=1), st.just(pa.int64())),
        st.tuples(st.lists(CENTS, min_size=1), st.just(pa.decimal128(12, 2))),
        st.tuples(st.lists(FLOATS, min_size=1), st.just(pa.float64())),
        st.tuples(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.just(pa.int64())),
        st.tuples(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.just(pa.uint64())),
        st.tuples(
            st.lists(st.decimals(-(10**30), 10**30, places=4), min_size=1), st.just(pa.decimal128(38, 4))
        ),
        st.tuples(
            st.lists(st.integers(0, 300).map(lambda tenth: tenth / 10), min_size=1), st.just(pa.float64())
        ),
        st.tuples(
            st.lists(st.integers(0, 300).map(lambda tenth: tenth / 10), min_size=1), st.just(pa.float32())
        ),
    ),
    st.sampled_from([*GRIDS, intervals("0.1", "0.2", 1), intervals(3, 6, origin=-1), NATURAL]),
)
def test_each_number_lies_within_the_interval_that_its_group_is_called_by(
    numbers: tuple[list[Any], pa.DataType], spec: HierarchySpec
) -> None:
    """The oracle reads the label. A float is the number that its text says: 0.3 lies in 0.3..0.4."""
    values = pa.array(*numbers)
    hierarchy = Hierarchy.of(spec, values, column="t.q")
    codes, levels = hierarchy.encode(values), levels_of(hierarchy)
    whole = pa.types.is_integer(values.type) and all(each % 1 == 0 for each in (*spec.widths, spec.origin))
    texts = [
        str(np.float32(value)) if values.type == pa.float32() else str(value) for value in values.to_pylist()
    ]
    for groups, labels in list(zip(levels.groups, levels.labels, strict=True))[spec is NATURAL : -1]:
        for text, code in zip(texts, codes.tolist(), strict=True):
            shown, value = labels[int(groups[code])].as_py(), Decimal(text)
            if shape := RANGE.fullmatch(shown):
                low, high = map(Decimal, shape.groups())
                assert low <= value <= high if whole else low <= value < high
            else:
                assert Decimal(shown) == value


@given(
    st.lists(st.integers(-(10**6), 10**6), max_size=5), st.sampled_from(["5", "1", "0.25", "1E+2", "0.10"])
)
def test_many_runs_are_called_as_each_one_is(runs: list[int], width: str) -> None:
    for kind in (pa.int64(), pa.float64()):
        grid = Grid.of(kind, Decimal(width), Decimal("-1.5") if kind == pa.float64() else Decimal(3))
        called, edges = grid.described(runs)
        assert called == [grid.name(run, run) for run in runs]
        assert edges.tolist() == [list(map(float, grid.edges(run, run))) for run in runs]


def test_a_leaf_of_whole_numbers_is_closed_and_one_of_fractions_half_open() -> None:
    assert names(of(intervals(5), [20, 24, 25, None])) == ["20..24", "25..29", "(missing)"]
    assert names(of(intervals(5), [20.0, 24.9, 25.0])) == ["20..25", "25..30"]
    assert names(of(intervals(5), [Decimal("24.99")], pa.decimal128(9, 2))) == ["20..25"]
    assert names(of(intervals(1), [3, -4])) == ["-4", "3"]
    assert names(of(intervals(10, origin=5), [4, 5, 14])) == ["-5..4", "5..14"]


def test_runs_of_intervals_are_named_by_their_edges_and_single_numbers_by_round_ones() -> None:
    hierarchy = of(intervals(5), [20, 26, 41, 99])
    assert run_named(hierarchy, 0, 2).label == "20..44"
    assert run_named(hierarchy, 0, 2).covers == pytest.approx((44 - 20) / (99 - 20))
    ones = of(intervals(1), [17, 23, 29, 93, 99])
    assert run_named(ones, 1, 3).label == "20..100"
    cents = of(
        intervals("0.01"),
        [Decimal("1.00"), Decimal("3.17"), Decimal("9.41"), Decimal("99.99")],
        pa.decimal128(9, 2),
    )
    assert run_named(cents, 1, 2).label == "2..10"


def test_parts_of_the_calendar() -> None:
    days = [dt.date(2026, 3, 31), dt.date(2026, 4, 1), dt.date(2019, 12, 31), dt.date(1969, 12, 31), None]
    assert names(of(dates("month"), days)) == ["1969-12", "2019-12", "2026-03", "2026-04", "(missing)"]
    assert names(of(dates("quarter"), days)) == ["1969-Q4", "2019-Q4", "2026-Q1", "2026-Q2", "(missing)"]
    assert by_level(of(dates("day", "year", "decade"), [*days, dt.date(2021, 7, 1)]))[1:3] == [
        ["1969", "2019", "2021", "2026", "(missing)"],
        ["1960s", "2010s", "2020s", "(missing)"],
    ]
    hierarchy = of(dates("month"), days)
    assert run_named(hierarchy, 1, 3).label == "2019-12..2026-04"
    assert run_named(of(dates("day"), days), 1, 2).label == "2019..2026", "a single day may be one person's"


def test_a_moment_is_counted_by_its_day_where_it_is_told() -> None:
    late = [dt.datetime(2026, 3, 31, 20, tzinfo=dt.UTC)]
    assert names(of(dates("month"), late, pa.timestamp("us", tz="UTC"))) == ["2026-03"]
    assert names(of(dates("month"), late, THERE)) == ["2026-04"]
    for unit in ("s", "ms", "us", "ns"):
        assert names(of(dates("day"), [dt.datetime(1960, 3, 31, 23, 59)], pa.timestamp(unit))) == [
            "1960-03-31"
        ]


def test_a_mask_does_not_tell_how_long_the_hidden_rest_is() -> None:
    hierarchy = of(prefix(2, 1), ["100", "10", "1099999", "2", "20", "漢字かな"])
    assert names(hierarchy) == ["10*", "2", "20", "漢字*"]
    assert by_level(hierarchy)[1] == ["1*", "2*", "漢*"]
    assert run_named(hierarchy, 0, 1).label == "*"
    assert hierarchy.ends.tolist() == [0.4, 0.6, 0.8, 1.0]
    assert hierarchy.positions.tolist() == [0.0, 0.6, 0.8, 1.0]


def test_an_uneven_tree_waits_until_its_level_is_reached() -> None:
    assert by_level(of(HOMES, ["Renter"])) == [
        ["Owner", "Probable Owner", "Renter", "Flat", "Barge"],
        ["Owns", "Lives", "Barge"],
        ["House", "Barge"],
        ["*"],
    ]
    lopsided = HierarchySpec(
        kind="tree", leaves=("a", "b", "c", "d"), nodes=(("all but d", 0, 2), ("ab", 0, 1), ("A", 0, 0))
    )
    assert by_level(of(lopsided, ["a", None])) == [
        ["a", "b", "c", "d", "(missing)"],
        ["ab", "c", "d", "(missing)"],
        ["all but d", "d", "(missing)"],
        ["*"],
    ]


def test_an_order_goes_together_by_doubling_runs() -> None:
    spec = HierarchySpec(kind="ordered", leaves=("1", "2", "3", "4", "5"))
    assert by_level(of(spec, ["1"]))[1:-1] == [["1..2", "3..4", "5"], ["1..4", "5"]]


def test_a_tree_of_one_storey_has_no_level_between() -> None:
    spec = HierarchySpec(kind="tree", leaves=("a", "b", "c", "d"))
    assert by_level(of(spec, ["a"])) == [["a", "b", "c", "d"], ["*"]]


def test_a_column_that_is_all_null_has_no_type() -> None:
    assert Hierarchy.of(NATURAL, pa.nulls(3), column="t.q").encode(pa.nulls(2)).tolist() == [0, 0]


def test_clocks_that_go_back_over_midnight_tear_no_day_apart() -> None:
    """In St John's clocks went back over midnight in 1988: a later moment was of an earlier day."""
    zone = pa.timestamp("us", "America/St_Johns")
    start = dt.datetime(1988, 10, 30, tzinfo=dt.UTC)
    moments = pa.array([start + dt.timedelta(minutes=15 * step) for step in range(20)], zone)
    local = [moment.date() for moment in moments.to_pylist()]
    assert local != sorted(local)
    hierarchy = Hierarchy.of(NATURAL, moments, column="t.q")
    for groups in levels_of(hierarchy).groups:
        assert set(np.diff(groups).tolist()) <= {0, 1}


def test_a_declared_order_that_is_not_the_numbers_own_counts_by_rank() -> None:
    hierarchy = of(HierarchySpec(kind="ordered", leaves=("10", "9", "30")), [9, 30])
    assert hierarchy.positions.tolist() == [0.0, 0.5, 1.0]


def test_natural_values_have_round_levels() -> None:
    assert by_level(of(NATURAL, [1, 2, 6, 7, 31, 99])) == [
        ["1", "2", "6", "7", "31", "99"],
        ["0..4", "5..9", "30..34", "95..99"],
        ["0..9", "30..39", "90..99"],
        ["0..49", "50..99"],
        ["*"],
    ]
    assert by_level(of(NATURAL, [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(2026, 3, 1), dt.date(2031, 1, 1)]))[1:-1] == [
        ["2026-01", "2026-03", "2031-01"], ["2026-Q1", "2031-Q1"],
    ]  # fmt: skip
    assert by_level(of(NATURAL, ["1001", "1002", "1044", "2", "1"])) == [
        ["1", "1001", "1002", "1044", "2"],
        ["1", "100*", "104*", "2"],
        ["1", "10*", "2"],
        ["1*", "2"],
        ["*"],
    ]


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 1000, places=3))
def test_a_cut_is_the_roundest_number_strictly_between(one: Decimal, other: Decimal) -> None:
    low, high = min(one, other), max(one, other)
    if low == high:
        return
    cut = roundest(low, high)
    assert low < cut < high
    coarser = [Decimal(f) * Decimal(10) ** p for p in range(-6, 4) for f in (1, 2, 5)]
    steps = [step for step in coarser if cut % step == 0]
    for step in coarser:
        if cut and step > max(steps):
            assert -((-high) // step) - 1 <= low // step or not any(
                low < step * k < high for k in range(int(low // step) - 1, int(low // step) + 3)
            )


def test_groups_from_the_data_hold_equally_many_persons_and_show_nobody() -> None:
    hierarchy = of(built(4), list(range(0, 4000, 7)))
    codes = np.bincount(hierarchy.encode(pa.array(range(0, 4000, 7))))
    assert codes.tolist() == pytest.approx([143] * 4, abs=1)
    assert names(hierarchy) == ["<1000", "1000..2000", "2000..3000", ">=3000"]
    assert run_named(hierarchy, 1, 2).label == "1000..3000"
    assert by_level(hierarchy)[1] == ["<2000", ">=2000"]
    assert names(of(built(2), [21, 22, 23, 24])) == ["<22.5", ">=22.5"]
    assert names(of(built(4), [1, 2, None])) == ["1", "2", "(missing)"]


def test_groups_follow_the_persons_not_the_values() -> None:
    values = pa.array([0, 10, 20, 30, None])
    hierarchy = Hierarchy.of(built(2), values, column="t.q", counts=np.array([97, 1, 1, 1, 50]))
    assert names(hierarchy) == ["0", ">=5", "(missing)"]
    with pytest.raises(ValueError, match="one count"):
        Hierarchy.of(built(2), values, column="t.q", counts=np.array([1]))


@given(
    st.lists(st.one_of(INTEGERS, CENTS), min_size=2, max_size=60, unique=True), st.integers(1, 8), st.data()
)
def test_no_label_of_a_built_group_holds_a_persons_number(
    values: list[Any], groups: int, data: st.DataObject
) -> None:
    column = pa.array([Decimal(value) for value in values], pa.decimal128(12, 2))
    hierarchy = Hierarchy.of(built(groups), column, column="t.q")
    assert len(hierarchy) <= groups
    own = {Decimal(value) for value in values}
    codes = hierarchy.encode(column)
    first, last = sorted(data.draw(st.integers(0, len(hierarchy) - 1)) for _ in range(2))
    if ((codes >= first) & (codes <= last)).sum() > 1 and (
        label := run_named(hierarchy, first, last).label
    ) != "*":
        shown = [Decimal(end) for end in re.sub("[<>=]", "", label).split("..")]
        assert not own & set(shown)
        least = shown[0] if not label.startswith("<") else min(own)
        most = shown[-1] if not label.startswith(">") else max(own) + 1
        inside = {value for value in own if least <= value < most}
        assert inside == {
            Decimal(value) for value, code in zip(values, codes, strict=True) if first <= code <= last
        }


@given(st.lists(st.text("abcd", max_size=7), min_size=1, max_size=60, unique=True), st.integers(1, 8))
def test_no_label_of_a_built_group_of_texts_is_a_whole_text(values: list[str], groups: int) -> None:
    hierarchy = of(built(groups), values)
    assert len(hierarchy) <= groups
    codes = hierarchy.encode(pa.array(values))
    for at, label in enumerate(names(hierarchy)):
        inside = [value for value, code in zip(values, codes, strict=True) if code == at]
        if len(inside) == 1:
            assert label in (inside[0], "*")
            continue
        ends = [end.removesuffix("*") for end in label.split("..")]
        assert all(label_end.endswith("*") for label_end in label.split(".."))
        if len(ends) > 1:
            assert ends[0] != min(inside)
            assert ends[-1] != max(inside)
        for value in inside:
            assert ends[0] <= value
            assert value <= ends[-1] or value.startswith(ends[-1])


@given(st.lists(DAYS, min_size=2, max_size=60, unique=True), st.integers(2, 8))
def test_built_groups_of_days_are_called_by_months(values: list[dt.date], groups: int) -> None:
    hierarchy = of(built(groups), values)
    assert len(hierarchy) <= groups
    codes = hierarchy.encode(pa.array(values))
    for at, label in enumerate(names(hierarchy)):
        inside = [value for value, code in zip(values, codes, strict=True) if code == at]
        if len(inside) == 1 or label == "*":
            continue
        assert re.fullmatch(r"(<=|>=)?\d{4}-\d\d(\.\.\d{4}-\d\d)?", label)
        months = [f"{value:%Y-%m}" for value in inside]
        ends = re.sub("[<>=]", "", label).split("..")
        assert label.startswith("<") or ends[0] <= min(months)
        assert label.startswith(">") or ends[-1] >= max(months)


@pytest.mark.parametrize(
    ("spec", "values"),
    [(intervals(5), ["a"]), (dates("month"), [1]), (prefix(2), [1]), (built(2), [True]), (NATURAL, [b"a"])],
)
def test_a_kind_that_is_not_for_the_columns_type_is_refused(spec: HierarchySpec, values: list[Any]) -> None:
    with pytest.raises(PrivacyError, match=r"`t\.q`"):
        of(spec, values)


@pytest.mark.parametrize("spec", [NATURAL, intervals(5), built(2)])
def test_what_is_no_finite_number_has_no_place(spec: HierarchySpec) -> None:
    with pytest.raises(PrivacyError, match=r"2 values of `t\.q` are no finite numbers"):
        of(spec, [1.0, float("nan"), float("inf"), None])
    hierarchy = of(spec, [1.0, 2.0])
    for strange in (float("nan"), float("inf"), None):
        with pytest.raises(PrivacyError, match="no place"):
            hierarchy.encode(pa.array([strange], pa.float64()))


def test_a_tree_whose_file_is_not_here_is_refused() -> None:
    with pytest.raises(PrivacyError, match="stands in a file that isn't here"):
        of(HierarchySpec(kind="tree", file=TreeFile(path="t.csv", sha256="0" * 64)), ["a"])


@pytest.mark.parametrize("spec", [intervals(5), NATURAL, built(3)])
def test_values_that_came_later_have_no_place_unless_their_group_is_there(spec: HierarchySpec) -> None:
    with pytest.raises(PrivacyError, match="no place"):
        of(spec, [1, 2]).encode(pa.array([77]))
    assert of(intervals(5), [1, 2]).lookup(pa.array([4])).tolist() == [0]


@pytest.mark.parametrize(
    ("spec", "kind"),
    [(NATURAL, pa.int64()), (intervals(5), pa.int64()), (dates("month"), pa.date32()), (prefix(2), pa.string()), (built(3), pa.float64()),
     (built(3), pa.string()), (built(3), pa.date32()), (NATURAL, pa.string()), (NATURAL, pa.timestamp("us"))],
)  # fmt: skip
def test_nothing_and_nothing_but_null(spec: HierarchySpec, kind: pa.DataType) -> None:
    empty = of(spec, [], kind)
    assert len(empty) == 0
    assert empty.encode(pa.array([], kind)).tolist() == []
    assert [len(each) for each in levels_of(empty).groups] == [0, 0]
    missing = of(spec, [None], kind)
    assert names(missing) == ["(missing)"]
    assert missing.encode(pa.array([None, None], kind)).tolist() == [0, 0]
    assert by_level(missing) == [["(missing)"], ["*"]]


def test_a_million_distinct_numbers_are_coded_and_have_few_levels() -> None:
    values = pa.array(np.arange(1_000_000) * 3)
    levels: Levels = levels_of(Hierarchy.of(NATURAL, values, column="t.q"))
    assert len(levels.groups) <= MOST
    assert pc.count_distinct(levels.labels[1]).as_py() == len(levels.labels[1]) == 600_000
