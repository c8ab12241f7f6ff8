"""A file of persons measured as it is: what it reaches, what stands in it that mustn't, and that a release holds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.declared import Compliance
from contracts.model import Contract, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, RowPlan, Transform
from contracts.regimes.thresholds import DEFAULT
from core.errors import PrivacyError, UsageError
from privacy.assess.assess import assess, table_of
from privacy.measures.classes import k_anonymity, l_diversity
from privacy.report.page import page
from privacy.report.parts import Assessed
from privacy.report.report import DisclosureReport
from tests.privacy.test_anonymize import PEOPLE, VISITS, column, contract, people, safe, visits
from tests.staged import table_file


def looked_at(folder: Path, agreed: Contract, rows: pa.Table, *, name: str | None = None, **options: Any) -> DisclosureReport:  # fmt: skip
    path = folder / "as it is.parquet"
    pq.write_table(rows, path)
    table = table_of(agreed, name)
    known = {each.name for each in table.columns}
    beside = [each for each in rows.column_names if each not in known]
    file = table_file(table.name, path, rows=rows.num_rows)
    return assess(file, agreed, table, name="a file", beside=beside, **options)


def told(report: DisclosureReport) -> Assessed:
    assert report.assessed is not None
    return report.assessed


def broken(report: DisclosureReport) -> set[str]:
    return {limit.name for limit in told(report).limits if not limit.kept}


def test_a_raw_file_is_refused_for_what_it_is(tmp_path: Path) -> None:
    found = looked_at(tmp_path, contract(PEOPLE), people())
    assert (told(found).holds, broken(found)) == (False, {"k", "l"})
    assert told(found).held_back == ("person", "phone")
    assert [(each.column, each.kind) for each in told(found).personal] == []
    assert found.level is not None
    assert found.level.reached == 1
    assert found.subjects is not None
    assert found.subjects.unique_after > 0.5
    assert found.measures is not None
    assert {each.kind for each in found.measures.attacks} >= {
        "singling-out.sensitive",
        "linkage",
        "inference",
    }


def test_what_the_engine_released_holds_and_measures_the_same(tmp_path: Path) -> None:
    agreed = contract(PEOPLE, VISITS)
    made = safe(tmp_path, agreed, people=people(), visits=visits())
    released = pq.read_table(made.tables["people"].path, partitioning=None)
    found = looked_at(tmp_path, agreed, released)
    assert told(found).holds
    assert told(found).shown == ("segment", "age", "post code")
    assert (told(found).held_back, told(found).undeclared, told(found).missing) == ((), (), ())
    there: Any = made.report["subjects"]
    assert found.subjects is not None
    for name in ("k", "l", "classes", "units", "risk_largest", "risk_mean", "unique_after"):
        assert getattr(found.subjects, name) == there[name], name
    # One row put back as it came, and it no longer does.
    raw = released.slice(0, 1).set_column(1, "age", pa.array(["46"])).cast(released.schema)
    assert broken(looked_at(tmp_path, agreed, pa.concat_tables([released, raw]))) == {"k", "l"}


ROWS = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from([None, "a", "b"]), st.integers(0, 1), st.sampled_from([None, "x", "X ", "y"])
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_k_l_and_t_are_those_of_the_literature(tmp_path: Path, drawn: list[tuple[Any, ...]]) -> None:
    """Persons with several rows, missing values and spellings of one value; against SQL, and against arithmetic."""
    rows = pa.table(
        {
            "person": [each[0] for each in drawn],
            "post code": pa.array([each[1] for each in drawn], pa.string()),
            "age": [each[2] for each in drawn],
            "illness": pa.array([each[3] for each in drawn], pa.string()),
        }
    )
    agreed = contract(PEOPLE)
    terms = PrivacyTerms(unit="person", k=2, l=1, t=0.4)
    agreed = replace(agreed, privacy=terms)
    found = looked_at(tmp_path, agreed, rows)
    plain = rows.set_column(
        3, "illness", pa.array([v and v.strip().lower() for v in rows["illness"].to_pylist()], pa.string())
    )
    quasi = ["age", "post code"]
    assert found.subjects is not None
    assert found.subjects.k == k_anonymity(rows, quasi, unit="person")
    assert found.subjects.l == l_diversity(plain, quasi, sensitive="illness", unit="person")
    limits = {each.name: each for each in told(found).limits}
    assert limits["t"].kept == (limits["t"].reached <= 0.4)
    if len(set(rows["person"].to_pylist())) == rows.num_rows:
        assert limits["t"].reached == pytest.approx(_farthest(plain, quasi), abs=0.0011)


def _farthest(rows: pa.Table, quasi: list[str]) -> float:
    """The largest equal-distance EMD of a class from everyone, or difference in the share of known values."""
    values = list(zip(*(rows[name].to_pylist() for name in [*quasi, "illness"]), strict=True))
    classes: dict[tuple[Any, ...], list[Any]] = {}
    for *label, value in values:
        classes.setdefault(tuple(label), []).append(value)
    everyone = [each[-1] for each in values]
    return max(max(_apart(here, everyone), _unknown(here, everyone)) for here in classes.values())


def _apart(here: list[Any], everyone: list[Any]) -> float:
    one, all_ = (Counter(v for v in each if v is not None) for each in (here, everyone))
    if not one:
        return 0.0
    return sum(abs(one[v] / one.total() - all_[v] / all_.total()) for v in all_) / 2


def _unknown(here: list[Any], everyone: list[Any]) -> float:
    return abs(here.count(None) / len(here) - everyone.count(None) / len(everyone))


def test_a_declared_order_of_sensitive_values_counts_and_not_the_alphabet(tmp_path: Path) -> None:
    grades = ("low", "middle", "high")  # by the alphabet: high, low, middle
    table = replace(PEOPLE, columns=(*PEOPLE.columns[:3], replace(PEOPLE.columns[3], hierarchy=HierarchySpec(kind="ordered", leaves=grades))))  # fmt: skip
    rows = pa.table({"age": [1, 1, 2, 2], "post code": ["a"] * 4, "illness": ["low", "middle", "middle", "high"]})  # fmt: skip
    agreed = replace(contract(table), privacy=PrivacyTerms(unit="person", k=2, l=2, t=0.3))
    (t,) = [each for each in told(looked_at(tmp_path, agreed, rows)).limits if each.name == "t"]
    # Of two gaps, a quarter of everyone passes each: 0.25 on the mean. By the alphabet it would be 0.375.
    assert (t.reached, t.kept) == (0.25, True)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("wechat", ["u1"] * 8, "undeclared"),
        ("phone", ["13912345678"] * 8, "held_back"),
        ("person", list("12345678"), "held_back"),
        ("illness", [f"call 13{n}{n + 1}234{n}67{n}" for n in range(4)] * 2, "personal"),
    ],
)
def test_what_the_contract_does_not_let_out_is_found_by_its_name_or_content(
    tmp_path: Path, name: str, values: list[str], said: str
) -> None:
    rows = {"person": [f"{n:032x}" for n in range(8)], "age": ["18-40"] * 8, "post code": ["*"] * 8, "illness": ["a", "b"] * 4}  # fmt: skip
    table = replace(PEOPLE, columns=tuple(replace(each, type=LogicalType.STRING) for each in PEOPLE.columns))
    assert told(looked_at(tmp_path, contract(table), pa.table(rows))).holds
    found = told(looked_at(tmp_path, contract(table), pa.table(rows | {name: values})))
    assert not found.holds
    assert [each if isinstance(each, str) else each.column for each in getattr(found, said)] == [name]


def test_without_the_unit_rows_count_and_that_is_said(tmp_path: Path) -> None:
    rows = pa.table({"age": ["18-40"] * 8, "post code": ["*"] * 8, "illness": ["a", "b"] * 4})
    found = told(looked_at(tmp_path, contract(PEOPLE), rows))
    assert (found.counted_by, found.missing, found.holds) == (None, ("person",), True)


def test_an_empty_file_and_one_without_any_known_column_have_a_report(tmp_path: Path) -> None:
    for rows in (people().slice(0, 0), pa.table({"x": [1, 2, 3]}), pa.table({"age": pa.nulls(3)})):
        found = looked_at(tmp_path, contract(PEOPLE), rows)
        value = json.loads(json.dumps(found.as_json(), allow_nan=False))
        assert "<main" in page(value)


def test_the_level_is_held_against_what_was_asked_and_the_halls_thresholds(tmp_path: Path) -> None:
    asked = replace(contract(PEOPLE, k=8), compliance=Compliance(deidentification_level=3))
    rows = pa.table({"age": ["18-40"] * 8, "post code": ["*"] * 8, "illness": ["a", "b"] * 4})
    assert told(looked_at(tmp_path, asked, rows)).holds

    class Stricter(type(DEFAULT)):  # type: ignore[misc]
        def __getitem__(self, key: str) -> float:
            return 0.01 if key == "level3LargestRisk" else DEFAULT[key]

    assert broken(looked_at(tmp_path, asked, rows, thresholds=Stricter())) == {"deidentificationLevel"}


TRIPS = Table(
    name="trips",
    physical_name="trips",
    kind=TableKind.FACTS,
    columns=(
        column("person", Role.IDENTIFIER, Transform.PSEUDONYM),
        column("stop", Role.ATTRIBUTE, Transform.KEEP, LogicalType.STRING),
        column("hour", Role.ATTRIBUTE, Transform.KEEP),
    ),
    rows=RowPlan(period=None, period_column=None, max_rows=None, points=1, max_unicity=0.25),
)


def test_rows_of_facts_are_measured_by_how_few_single_a_person_out(tmp_path: Path) -> None:
    agreed = contract(TRIPS)
    names = [bytes([n]) * 16 for n in range(4)]
    same = pa.table({"person": pa.array(names * 2, pa.binary(16)), "stop": ["a"] * 4 + ["b"] * 4, "hour": [1] * 8})  # fmt: skip
    assert told(looked_at(tmp_path, agreed, same)).holds
    apart = same.set_column(2, "hour", pa.array([1, 2, 3, 4] * 2))
    found = looked_at(tmp_path, agreed, apart)
    assert broken(found) == {"maxUnicity"}
    assert found.unicity["trips"].shares[0] == 1.0
    assert found.level is not None
    assert found.level.reached == 2
    with pytest.raises(PrivacyError, match="lacks `person`"):
        looked_at(tmp_path, agreed, apart.drop_columns(["person"]))


def test_which_table_is_meant() -> None:
    both = contract(PEOPLE, TRIPS)
    assert table_of(both, None) is PEOPLE
    assert table_of(both, "trips") is TRIPS
    with pytest.raises(UsageError, match="`visits` is no table"):
        table_of(contract(PEOPLE, VISITS), "visits")
    with pytest.raises(UsageError, match="has no tables"):
        table_of(contract(VISITS), None)


def test_the_same_file_gives_the_same_report(tmp_path: Path) -> None:
    one, two = (looked_at(tmp_path, contract(PEOPLE), people()).as_json() for _ in range(2))
    assert one == two


def test_who_named_nobody_is_refused(tmp_path: Path) -> None:
    for names in (pa.nulls(2, pa.int64()), pa.array([None, b"x" * 16], pa.binary(16))):
        rows = pa.table({"person": names, "age": [1, 2]})
        with pytest.raises(PrivacyError, match="name no `person`"):
            looked_at(tmp_path, contract(PEOPLE), rows)
