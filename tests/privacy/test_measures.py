from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PrivacyError
from privacy.measures import classes as measures
from privacy.measures.classes import class_sizes, k_anonymity, l_diversity

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.integers(0, 2),
        st.integers(0, 6),
        st.sampled_from(["x", "y", None]),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_it_counts_as_plain_python_counts(rows: list[tuple[str | None, int, int, str | None]]) -> None:
    table = pa.table(
        {
            "q 1": pa.array([r[0] for r in rows], pa.string()),
            'q"2': pa.array([r[1] for r in rows], pa.int64()),
            "unit": pa.array([r[2] for r in rows], pa.int64()),
            "s": pa.array([r[3] for r in rows], pa.string()),
        }
    )
    units, secrets = defaultdict(set), defaultdict(lambda: defaultdict(set))
    for q1, q2, unit, secret in rows:
        units[q1, q2].add(unit)
        if secret is not None:
            secrets[q1, q2][secret].add(unit)

    def diversity(key: tuple[str | None, int]) -> int:
        sharing = [len(people) for people in secrets[key].values()]
        return min(len(sharing), len(units[key]) - max(sharing, default=0) + 1)

    sizes = class_sizes(table, ["q 1", 'q"2'], unit="unit")
    assert sizes.classes == len(units)
    assert (
        sizes.smallest
        == min(map(len, units.values()), default=0)
        == k_anonymity(table, ["q 1", 'q"2'], unit="unit")
    )
    assert sizes.singletons == sum(len(people) == 1 for people in units.values())
    assert l_diversity(table, ["q 1", 'q"2'], sensitive="s", unit="unit") == min(
        map(diversity, units), default=0
    )


def test_what_everybody_has_is_known_of_everybody() -> None:
    """Five persons, all with flu, one with gout besides: two values, and nothing is hidden."""
    table = pa.table({"person": [1, 2, 3, 4, 5, 5], "illness": ["flu", "flu", "flu", "flu", "flu", "gout"]})
    assert l_diversity(table, [], sensitive="illness", unit="person") == 1


def test_several_rows_of_one_person_are_one_person() -> None:
    table = pa.table({"age": [30] * 5, "household": [1, 1, 1, 1, 2]})
    assert k_anonymity(table, ["age"], unit="household") == 2
    assert class_sizes(table, ["age"], unit="household").mean == 2.0


def test_without_quasi_identifiers_all_are_one_class() -> None:
    table = pa.table({"household": [1, 2, 3], "income": ["a", "a", None]})
    assert k_anonymity(table, [], unit="household") == 3
    assert l_diversity(table, [], sensitive="income", unit="household") == 1


def test_a_missing_column_is_named_with_those_that_exist() -> None:
    with pytest.raises(PrivacyError, match=r"No column `agee` to measure\. There are: age, household\."):
        k_anonymity(pa.table({"age": [1], "household": [1]}), ["agee"], unit="household")


def test_what_is_measured_never_spills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where an engine spills when nobody tells it otherwise
    with measures.in_memory() as con:
        con.execute("SET memory_limit = '40MB'")
        with pytest.raises(duckdb.OutOfMemoryException):
            con.execute("CREATE TEMP TABLE many AS SELECT i, hash(i) AS h FROM range(10000000) r(i)")
    assert list(tmp_path.iterdir()) == []
