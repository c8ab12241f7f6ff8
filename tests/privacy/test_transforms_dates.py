from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PrivacyError
from privacy.transforms.dates import shift_days, unit_shifts

KEY, OTHER = bytes(range(32)), bytes(32)
NAMES = pa.array([f"person {i}" for i in range(300)])
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))
KINDS = [pa.date32(), pa.date64(), *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")), pa.timestamp("us", "Asia/Shanghai")]  # fmt: skip


@given(
    st.lists(st.tuples(st.none() | DAYS, st.integers(0, 299)), max_size=30),
    st.sampled_from(KINDS),
    st.integers(1, 5000),
)
def test_all_dates_of_a_unit_move_by_the_same_days(
    rows: list[tuple[dt.date | None, int]], kind: pa.DataType, days: int
) -> None:
    column = pa.array([day for day, _ in rows], pa.date32()).cast(pa.timestamp("s")).cast(kind)
    units = np.array([unit for _, unit in rows], np.int32)
    moved = shift_days(column, units, NAMES, key=KEY, days=days)
    assert moved.type == kind
    shifts = unit_shifts(NAMES, key=KEY, days=days)
    before, after = column.cast(pa.date64()).to_pylist(), moved.cast(pa.date64()).to_pylist()
    for (_, unit), was, now in zip(rows, before, after, strict=True):
        assert now == (None if was is None else was + dt.timedelta(int(shifts[unit])))


def test_a_time_of_day_stays() -> None:
    moment = dt.datetime(1960, 3, 5, 7, 8, 9, 123)
    [moved] = shift_days(pa.array([moment]), np.array([0]), NAMES, key=KEY, days=9).to_pylist()
    assert moved.time() == moment.time()


def test_a_unit_moves_alike_in_every_table_whatever_the_order_of_rows_and_names() -> None:
    """Nothing of a unit's shift may hang on who else is there."""
    here = dict(zip(NAMES.to_pylist(), unit_shifts(NAMES, key=KEY, days=99).tolist(), strict=True))
    few = pa.chunked_array([["person 7"], ["person 299", "person 0"]])
    assert unit_shifts(few, key=KEY, days=99).tolist() == [
        here["person 7"],
        here["person 299"],
        here["person 0"],
    ]
    spelt = pa.array(["  Person 7 ", "PERSON 7"], pa.large_string()).dictionary_encode()  # fmt: skip
    assert unit_shifts(spelt, key=KEY, days=99).tolist() == [here["person 7"]] * 2
    narrow, wide = pa.array([7, 8], pa.int16()), pa.array([7, 8], pa.int64())
    assert unit_shifts(narrow, key=KEY, days=99).tolist() == unit_shifts(wide, key=KEY, days=99).tolist()


def test_the_rows_order_tells_no_shift() -> None:
    """Units side by side move apart: what is known of one tells nothing of the next."""
    shifts = unit_shifts(pa.array(range(20_000)), key=KEY, days=1000).astype(float)
    for lag in (1, 2, 7):
        assert abs(np.corrcoef(shifts[:-lag], shifts[lag:])[0, 1]) < 0.03
    assert abs(np.corrcoef(shifts, np.arange(20_000))[0, 1]) < 0.03


@pytest.mark.parametrize("days", [1, 3, 182])
def test_each_number_of_days_is_as_likely_and_zero_is_one_of_them(days: int) -> None:
    units = 40_000
    shifts = unit_shifts(pa.array(range(units)), key=KEY, days=days)
    counts = np.bincount(shifts + days, minlength=2 * days + 1)
    assert len(counts) == 2 * days + 1
    expected = units / (2 * days + 1)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 2 * days + 6 * np.sqrt(4 * days)  # six standard deviations over the mean


def test_another_key_moves_otherwise() -> None:
    one, other = (unit_shifts(NAMES, key=key, days=1000) for key in (KEY, OTHER))
    assert (one != other).sum() > 290


def test_a_date_that_would_leave_the_calendar_is_refused_and_not_shown() -> None:
    ends = pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None])
    with pytest.raises(PrivacyError, match=r"^2 dates would leave the calendar") as refused:
        shift_days(
            pa.concat_arrays([ends, ends]), np.repeat([_unit(1), _unit(-1)], 3), NAMES, key=KEY, days=5
        )
    assert "9999" not in str(refused.value)
    edge = pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("ns"))
    with pytest.raises(PrivacyError, match="leave the calendar"):
        shift_days(edge, np.array([_unit(1)]), NAMES, key=KEY, days=5)


def _unit(sign: int) -> int:
    """A unit that moves that way."""
    return int(np.flatnonzero(np.sign(unit_shifts(NAMES, key=KEY, days=5)) == sign)[0])


def test_nothing_and_nobody() -> None:
    none = np.array([], np.int32)
    assert shift_days(pa.chunked_array([], pa.date32()), none, NAMES[:0], key=KEY, days=1).to_pylist() == []
    with pytest.raises(PrivacyError, match="1 rows name no unit"):
        shift_days(pa.array([dt.date(2026, 1, 1)]), np.array([0]), pa.array([" "]), key=KEY, days=1)
    with pytest.raises(PrivacyError, match="neither days nor moments"):
        shift_days(pa.array([1]), np.array([0]), NAMES, key=KEY, days=1)
    with pytest.raises(ValueError, match="one unit for each value"):
        shift_days(pa.array([dt.date(2026, 1, 1)]), none, NAMES, key=KEY, days=1)
    for days in (0, -1, 10**9):
        with pytest.raises(ValueError, match="days are at least 1"):
            unit_shifts(NAMES, key=KEY, days=days)
    with pytest.raises(ValueError, match="32 bytes"):
        unit_shifts(NAMES, key=b"", days=1)
