"""Rows of facts of one contract, release after release: what a reader who follows a pseudonym knows, counted anew in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Contract, Table
from contracts.protection import Transform
from core.digest import file_digest
from core.errors import IntegrityError, PrivacyError
from core.keys import FileKey
from core.proof import TableFile
from privacy.facts.rowrisk import RowRisk
from privacy.facts.rows import build_rows
from privacy.history.memory import History, RowsBefore
from tests.privacy.test_rows_beside import (
    DAY,
    FARE,
    KEYS,
    MONTHLY,
    PLAN,
    STOP,
    Trip,
    contract,
    day,
    singled_out,
    table,
    trips,
)
from tests.staged import table_file

PAIRS = replace(PLAN, points=2)
Release = Callable[..., tuple[RowRisk, RowsBefore]]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    numbers = count()

    def run(
        rows: list[Trip], of: Table, *before: RowsBefore, agreed: Contract | None = None
    ) -> tuple[RowRisk, RowsBefore]:
        number = next(numbers)
        source, target = tmp_path / f"{number}.in.parquet", tmp_path / f"{number}.parquet"
        data = trips(rows)
        pq.write_table(data.select([c.name for c in of.columns]), source)
        risk = build_rows(
            table_file("trips", source, rows=data.num_rows),
            agreed or contract(of),
            of,
            KEYS,
            target=target,
            source_digest=f"{number:064}",
            history=History(names=bytes(16), files=FileKey(bytes(32)), before=before),
        )
        published = TableFile(
            name=of.name,
            path=target,
            rows=pq.read_metadata(target).num_rows,
            size_bytes=target.stat().st_size,
            sha256=file_digest(target),
        )
        assert of.rows is not None
        lasting = of.rows.period is None
        return risk, RowsBefore(release=f"trips_{number:010}", table=of.name, lasting=lasting, file=published)

    return run


# In each month a rider is one of four who do the same; nobody else does what he does in both.
JANUARY: list[Trip] = [(rider, day(1), f"stop {rider // 4}", 1) for rider in range(16)]
FEBRUARY: list[Trip] = [(rider, day(2), f"stop {rider % 4}", 1) for rider in range(16)]


def test_two_harmless_windows_single_everybody_out_together(release: Release) -> None:
    """The attack: the pseudonym lasts, so that who knows one trip of each month has two of one trace."""
    of = table(DAY, STOP, plan=PAIRS)
    _, january = release(JANUARY, of)
    alone, _ = release(FEBRUARY, of)
    assert (alone.reached.share, alone.earlier) == (0.0, None)
    found = release(FEBRUARY, of, january)[0].earlier
    assert found is not None
    assert (found.live, found.points, found.reached.share) == (1, 2, 1.0)


def test_more_than_the_contract_bears_is_refused(release: Release) -> None:
    of = table(DAY, STOP, plan=replace(PAIRS, max_unicity=0.5))
    _, january = release(JANUARY, of)
    with pytest.raises(
        PrivacyError, match=r"read after 1 earlier releases .* 2 known rows .* 100\.0%"
    ) as caught:
        release(FEBRUARY, of, january)
    assert "pseudonym: changing" in caught.value.remedy


def test_pseudonyms_that_change_with_the_window_join_nothing(release: Release) -> None:
    of = table(DAY, STOP, plan=replace(MONTHLY, points=2))
    _, january = release(JANUARY, of)
    assert release(FEBRUARY, of, january)[0].earlier is None


def test_weeks_of_a_month_under_one_pseudonym_are_read_together(release: Release) -> None:
    of = table(DAY, STOP, plan=replace(MONTHLY, points=2))
    first = [(rider, day(3, 2), stop, fare) for rider, _, stop, fare in JANUARY]
    second = [(rider, day(3, 9), stop, fare) for rider, _, stop, fare in FEBRUARY]
    _, before = release(first, of)
    found = release(second, of, before)[0].earlier
    assert found is not None
    assert found.reached.share == 1.0


def test_a_correction_is_one_more_known_row(release: Release) -> None:
    """The same window again: who has both versions knows what was changed as well."""
    of = table(DAY, STOP, plan=PAIRS)
    _, first = release(JANUARY, of)
    unchanged = release(JANUARY, of, first)[0].earlier
    assert unchanged is not None
    assert unchanged.reached.share == 0.0
    corrected = [(0, day(1), "stop 3", 1), *JANUARY[1:]]
    found = release(corrected, of, first)[0].earlier
    assert found is not None
    assert found.reached.share == pytest.approx(1 / 16)


def test_columns_that_are_dropped_since_are_known_still(release: Release) -> None:
    fares = [(rider, day(1), "stop", rider) for rider in range(16)]
    _, january = release(fares, table(FARE))
    found = release(JANUARY, table(DAY, STOP), january)[0].earlier
    assert found is not None
    assert found.reached.share == 0.5  # of each trace one point of two, the fare, is nobody else's


def test_a_column_of_another_type_since_is_compared_as_text(release: Release) -> None:
    of = table(DAY, FARE)
    _, january = release([(rider, day(1), "", rider // 2) for rider in range(4)], of)
    told = pq.read_table(january.file.path)
    texts = told.set_column(told.schema.get_field_index(FARE), FARE, told[FARE].cast(pa.string()))
    pq.write_table(texts, january.file.path)
    january = replace(january, file=replace(january.file, sha256=file_digest(january.file.path)))
    found = release([(rider, day(1), "", rider // 2) for rider in range(4)], of, january)[0].earlier
    assert found is not None
    assert found.reached.share == 0.0


@pytest.mark.parametrize("lasting", [True, False])
def test_who_was_there_before_is_a_candidate_only_where_pseudonyms_last(
    release: Release, lasting: bool
) -> None:
    """Pseudonyms that changed then aren't those of other persons for sure."""
    of = table(STOP)
    twins = [(rider, day(1), f"stop {rider % 8}", 1) for rider in range(16)]
    _, january = release(twins, of)
    once = [(rider, day(2), f"stop {rider % 8}", 1) for rider in range(8)]
    found = release(once, of, replace(january, lasting=lasting))[0].earlier
    assert found is not None
    assert found.reached.share == (0.0 if lasting else 1.0)


def test_a_pseudonymised_column_is_no_point(release: Release) -> None:
    hidden = table(DAY, STOP, fare=Transform.PSEUDONYM)
    rows = [(rider, day(1), "stop", rider) for rider in range(16)]
    _, january = release(rows, hidden)
    found = release(rows, hidden, january)[0].earlier
    assert found is not None
    assert found.reached.share == 0.0


@pytest.mark.parametrize("gone", [True, False])
def test_an_earlier_file_that_is_not_as_published_stops_the_next(release: Release, gone: bool) -> None:
    of = table(DAY, STOP)
    _, january = release(JANUARY, of)
    january.file.path.unlink() if gone else january.file.path.write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match="aren't as they were published"):
        release(FEBRUARY, of, january)


def test_another_name_for_the_table_is_no_way_around(release: Release) -> None:
    of = table(DAY, STOP, plan=PAIRS)
    _, january = release(JANUARY, of)
    found = release(FEBRUARY, of, replace(january, table="journeys"))[0].earlier
    assert found is not None
    assert found.reached.share == 1.0


def test_tables_of_other_pseudonyms_tell_nothing(release: Release, tmp_path: Path) -> None:
    of = table(DAY, STOP, plan=PAIRS)
    _, january = release(JANUARY, of)
    told = pq.read_table(january.file.path)
    for other in (told.drop_columns(["rider"]), told.set_column(0, "rider", pa.array(["who"] * len(told)))):
        pq.write_table(other, january.file.path)
        file = replace(january.file, sha256=file_digest(january.file.path))
        assert release(FEBRUARY, of, replace(january, file=file))[0].earlier is None


def test_where_nobody_is_left_nobody_is_followed(release: Release) -> None:
    of = table(DAY, STOP, plan=PAIRS)
    _, january = release(JANUARY, of)
    assert release([(rider + 100, *rest) for rider, *rest in JANUARY], of, january)[0].earlier is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    windows=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 6), st.integers(1, 3).map(day), st.sampled_from("abc"), st.integers(1, 3)
            ),
            min_size=4,
            max_size=20,
        ).filter(lambda rows: len({row[0] for row in rows}) > 1),
        min_size=2,
        max_size=3,
    ),
    points=st.integers(1, 3),
)
def test_what_all_windows_single_out_is_what_plain_counting_finds(
    release: Release, windows: list[list[Trip]], points: int
) -> None:
    of = table(DAY, STOP, FARE, plan=replace(PLAN, points=points))
    before: list[RowsBefore] = []
    for rows in windows:
        risk, published = release(rows, of, *before)
        before.append(published)
    last = {row[0] for row in windows[-1]}
    live = sum(bool(last & {row[0] for row in rows}) for rows in windows[:-1])
    assert (risk.earlier.live if risk.earlier is not None else 0) == live
    if risk.earlier is None:
        return
    every = [row for rows in windows for row in rows]
    kinds = (lambda row: row[1:], lambda row: row[1], lambda row: row[2], lambda row: row[3])
    strongest = max(singled_out(every, known, points) for known in kinds)
    assert risk.earlier.reached.share == pytest.approx(strongest)
