"""El Emam's risks against counts person by person, and what comes before against DuckDB's counts of the raw rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Column, LogicalType, Role
from contracts.protection import HierarchySpec, Transform
from core.errors import PrivacyError
from privacy.measures.classes import class_sizes
from privacy.measures.risk import risk, sizes_before
from privacy.subjects.cube import build_cube
from tests.staged import table_file

CLASSES = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 30)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(CLASSES, st.sampled_from([0.05, 0.1, 0.2, 1 / 3, 0.5]))
def test_it_counts_as_counting_persons_does(classes: list[tuple[int, int]], threshold: float) -> None:
    sizes = np.array([n for n, _ in classes])
    population = np.array([n + others for n, others in classes])
    own = [1 / n for n, _ in classes for _ in range(n)]
    among = [1 / (n + others) for n, others in classes for _ in range(n)]
    found = risk(sizes, threshold=threshold, population=population)
    assert found.prosecutor_largest == pytest.approx(max(own))
    assert found.prosecutor_mean == pytest.approx(np.mean(own))
    assert found.prosecutor_over == pytest.approx(np.mean([each > threshold for each in own]))
    assert found.journalist_largest == pytest.approx(max(among))
    assert found.journalist_mean == pytest.approx(max(np.mean(among), len(classes) / sum(population)))
    assert found.journalist_over == pytest.approx(np.mean([each > threshold for each in among]))
    assert found.marketer == pytest.approx(np.mean(among))
    assert found.population


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_without_a_population_the_table_is_the_population(sizes: list[int]) -> None:
    alone = risk(np.array(sizes), threshold=0.2)
    assert not alone.population
    assert alone.journalist_largest == alone.prosecutor_largest
    assert alone.journalist_mean == pytest.approx(alone.prosecutor_mean)
    assert alone.journalist_over == alone.prosecutor_over
    assert alone.marketer == pytest.approx(alone.prosecutor_mean)


@pytest.mark.parametrize("k", range(2, 50))
def test_a_class_of_exactly_k_is_not_over_one_in_k(k: int) -> None:
    assert risk(np.array([k, k + 1]), threshold=1 / k).prosecutor_over == 0.0
    assert risk(np.array([k - 1, k]), threshold=1 / k).prosecutor_over == pytest.approx((k - 1) / (2 * k - 1))


def test_nobody_has_no_risk() -> None:
    found = risk(np.empty(0, np.int64), threshold=0.2)
    assert (found.prosecutor_largest, found.journalist_mean, found.marketer) == (0.0, 0.0, 0.0)


def test_a_population_smaller_than_the_table_is_refused() -> None:
    for population in (np.array([3, 4]), np.array([9])):
        with pytest.raises(PrivacyError, match="fewer persons in a class than the table"):
            risk(np.array([3, 5]), threshold=0.2, population=population)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 3), st.sampled_from(["x", "y", None])),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
)
def test_before_is_what_the_raw_rows_show(
    tmp_path: Path, rows: list[tuple[int, int, str | None]], repeat: bool
) -> None:
    people = [person if repeat else number for number, (person, _, _) in enumerate(rows)]
    table = pa.table(
        {
            "person": pa.array(people, pa.int64()),
            "age": pa.array([age for _, age, _ in rows], pa.int64()),
            "town": pa.array([town for *_, town in rows], pa.string()),
        }
    )
    path = tmp_path / "people.parquet"
    pq.write_table(table, path)
    columns = [
        Column(
            name=name,
            type=kind,
            role=Role.QUASI_IDENTIFIER,
            transform=Transform.GENERALIZE,
            hierarchy=HierarchySpec(kind="natural"),
        )
        for name, kind in (("age", LogicalType.INTEGER), ("town", LogicalType.STRING))
    ]
    cube = build_cube(
        table_file("people", path, rows=len(rows)),
        name="people",
        unit="person",
        quasi_identifiers=columns,
        sensitive=[],
    )
    found, want = sizes_before(cube), class_sizes(table, ["age", "town"], unit="person")
    assert (len(found), found.min(), (found == 1).sum()) == (want.classes, want.smallest, want.singletons)
