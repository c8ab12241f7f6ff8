"""What the contract has done to columns of a subject table, and its models and searches, on written files."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, RowPlan, Search, Transform, Treatment
from core.errors import PrivacyError
from core.keys import KeyStore
from core.proof import Window
from pipeline.validation.validate import validated_from
from privacy.anonymize import anonymize
from privacy.measured import measured
from privacy.measures.classes import k_anonymity
from tests.agreement import agreement
from tests.staged import table_file

ROWS = 400


def table_of(*columns: Column) -> Table:
    unit = Column(name="person", type=LogicalType.INTEGER, role=Role.IDENTIFIER, transform=Transform.DROP)
    return Table(name="people", physical_name="people", kind=TableKind.SUBJECTS, columns=(unit, *columns))


def quasi(name: str = "age", spec: HierarchySpec | None = None) -> Column:
    return Column(
        name=name,
        type=LogicalType.INTEGER,
        role=Role.QUASI_IDENTIFIER,
        transform=Transform.GENERALIZE,
        hierarchy=spec or HierarchySpec(kind="natural"),
    )


def secret(transform: Transform = Transform.KEEP, **told: Any) -> Column:
    return Column(
        name="pay",
        type=LogicalType.NUMBER,
        role=Role.SENSITIVE,
        transform=transform,
        treatment=Treatment(**told) if told else None,
    )


def rows(seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    pay = rng.integers(1000, 9000, ROWS) / 100
    return pa.table(
        {
            "person": np.arange(ROWS),
            "age": rng.integers(18, 90, ROWS),
            "pay": pa.array(pay, mask=rng.random(ROWS) < 0.05),
        }
    )


def run(
    folder: Path, plan: Table, table: pa.Table | None = None, **terms: Any
) -> tuple[pa.Table, dict[str, Any]]:
    table = rows() if table is None else table
    asked = PrivacyTerms(**{"unit": "person", "k": 5, "l": 2, "max_suppressed": 0.1} | terms)
    agreed: Contract = agreement(plan, privacy=asked)
    folder.mkdir(exist_ok=True)
    path = folder / "in.parquet"
    pq.write_table(table.select([each.name for each in plan.columns]), path)
    validated = validated_from(
        contract_id=agreed.id,
        contract_digest=agreed.digest,
        window=Window(),
        source_digest="1" * 64,
        tables={"people": table_file("people", path, rows=table.num_rows)},
    )
    keys = KeyStore(folder / "keys").contract_keys(agreed.id)
    safe = anonymize(validated, agreed, keys, out=folder / "out")
    report: Any = safe.report
    return pq.read_table(safe.tables["people"].path, partitioning=None), report


def test_values_go_out_rounded(tmp_path: Path) -> None:
    published, _ = run(tmp_path, table_of(quasi(), secret(Transform.ROUND, step=Decimal(10))))
    assert {value % 10 for value in published["pay"].drop_null().to_pylist()} == {0.0}


def test_values_go_out_clamped_and_no_extreme_is_in_the_file(tmp_path: Path) -> None:
    published, _ = run(
        tmp_path, table_of(quasi(), secret(Transform.CLAMP, low=Decimal(20), high=Decimal(70)))
    )
    pay = published["pay"].drop_null().to_pylist()
    assert min(pay) == 20.0
    assert max(pay) == 70.0
    with pq.ParquetFile(tmp_path / "out" / "table-0.parquet") as file:
        statistics = file.metadata.row_group(0).column(1).statistics
        assert (statistics.min, statistics.max) == (20.0, 70.0)


def test_diversity_is_that_of_what_is_published(tmp_path: Path) -> None:
    """Rounded to thousands all pay is the same: two distinct raw values hide nothing."""
    with pytest.raises(PrivacyError, match="asks for k 5 and l 2"):
        run(tmp_path, table_of(quasi(), secret(Transform.ROUND, step=Decimal(1000))))


def test_noise_is_drawn_for_each_row_on_its_grid(tmp_path: Path) -> None:
    table = rows().set_column(2, "pay", pa.array([50.0, 60.0] * (ROWS // 2)))
    published, _ = run(
        tmp_path, table_of(quasi(), secret(Transform.NOISE, scale=Decimal(3), step=Decimal("0.5"))), table
    )
    pay = np.array(published["pay"].to_pylist())
    assert len(set(pay.tolist())) > 10
    assert (pay * 2 == np.rint(pay * 2)).all()
    assert abs(pay.mean() - 55) < 2


def test_a_redacted_column_doesnt_tell_what_is_missing(tmp_path: Path) -> None:
    note = Column(name="pay", type=LogicalType.STRING, role=Role.SENSITIVE, transform=Transform.REDACT)
    table = rows().set_column(2, "pay", pa.array([None, "secret"] * (ROWS // 2)))
    published, _ = run(tmp_path, table_of(quasi(), note), table)
    assert set(published["pay"].to_pylist()) == {"(redacted)"}


def test_a_token_without_its_second_holder_is_refused(tmp_path: Path) -> None:
    plan = table_of(quasi())
    unit = replace(plan.columns[0], transform=Transform.TOKEN, treatment=Treatment(holder="notary"))
    with pytest.raises(
        PrivacyError, match=r"`people.person` goes out as tokens, and the key of its second holder isn't here"
    ):
        run(tmp_path, replace(plan, columns=(unit, *plan.columns[1:])))


@pytest.mark.parametrize("search", list(Search))
def test_both_searches_keep_the_limits(tmp_path: Path, search: Search) -> None:
    published, report = run(
        tmp_path, table_of(quasi(), secret(Transform.ROUND, step=Decimal(20))), search=search
    )
    numbered = published.append_column("row", pa.array(range(published.num_rows)))
    assert k_anonymity(numbered, ["age"], unit="row") >= 5
    assert report["subjects"]["suppressed_units"] + published.num_rows == ROWS


def test_a_full_domain_release_has_one_level(tmp_path: Path) -> None:
    spec = HierarchySpec(kind="intervals", widths=(Decimal(5), Decimal(20)), origin=Decimal(0))
    published, _ = run(
        tmp_path,
        table_of(quasi(spec=spec), secret(Transform.ROUND, step=Decimal(20))),
        search=Search.FULL_DOMAIN,
    )
    widths = {
        int(high) - int(low) + 1
        for low, high in (label.split("..") for label in set(published["age"].to_pylist()))
    }
    assert len(widths) == 1
    assert widths <= {5, 20}


@pytest.mark.parametrize("limit", [{"t": 0.25}, {"entropy_l": 2.5}])
def test_models_hold_on_the_file(tmp_path: Path, limit: dict[str, float]) -> None:
    """Counted by hand over the published classes."""
    table = rows().set_column(2, "pay", pa.array(np.random.default_rng(3).choice([1.0, 2.0, 3.0, 4.0], ROWS)))
    published, _ = run(tmp_path, table_of(quasi(), secret()), table, **limit)
    everyone = np.bincount(np.array(published["pay"].to_pylist(), int), minlength=5)[1:]
    everyone = everyone / everyone.sum()
    for label in set(published["age"].to_pylist()):
        mine = [row["pay"] for row in published.to_pylist() if row["age"] == label]
        share = np.bincount(np.array(mine, int), minlength=5)[1:] / len(mine)
        if "t" in limit:
            assert np.abs(np.cumsum(share - everyone))[:-1].sum() / 3 <= 0.25 + 1e-9
        else:
            there = share[share > 0]
            assert np.exp(-(there * np.log(there)).sum()) >= 2.5 - 1e-9


def test_the_report_holds_risk_utility_and_attacks(tmp_path: Path) -> None:
    _, report = run(tmp_path, table_of(quasi(), secret(Transform.ROUND, step=Decimal(20))))
    measures = report["measures"]
    assert measures is not None
    assert measures["attacks"]
    assert report["level"] is not None


def test_facts_go_out_as_rows_under_a_pseudonym(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    count = 600
    plan = Table(
        name="trips",
        physical_name="trips",
        kind=TableKind.FACTS,
        columns=(
            Column(
                name="person", type=LogicalType.INTEGER, role=Role.IDENTIFIER, transform=Transform.PSEUDONYM
            ),
            Column(name="stop", type=LogicalType.INTEGER, role=Role.ATTRIBUTE, transform=Transform.KEEP),
        ),
        rows=RowPlan(period=None, period_column=None, max_rows=None, points=1, max_unicity=0.2),
    )
    agreed: Contract = agreement(plan, privacy=PrivacyTerms(unit="person", k=5, l=1))
    tables = pa.table({"person": rng.integers(0, 100, count), "stop": rng.integers(0, 6, count)})

    def released(table: pa.Table, folder: Path) -> Any:
        folder.mkdir()
        pq.write_table(table, folder / "in.parquet")
        validated = validated_from(
            contract_id=agreed.id,
            contract_digest=agreed.digest,
            window=Window(),
            source_digest="1" * 64,
            tables={"trips": table_file("trips", folder / "in.parquet", rows=table.num_rows)},
        )
        keys = KeyStore(tmp_path / "keys").contract_keys(agreed.id)
        return anonymize(validated, agreed, keys, out=folder / "out")

    safe = released(tables, tmp_path / "a")
    published = pq.read_table(safe.tables["trips"].path, partitioning=None)
    assert published.num_rows == count
    assert len(published["person"].unique()) == 100
    assert published.schema.field("person").type == pa.binary(16)
    assert safe.report["unicity"]["trips"]["limit"] == 0.2
    assert safe.report["k_reached"] == 100
    assert measured(safe.report, agreed).rows
    everyone_apart = tables.set_column(1, "stop", tables["person"])
    with pytest.raises(PrivacyError, match="known rows of `trips`"):
        released(everyone_apart, tmp_path / "b")
    assert not (tmp_path / "b" / "out").exists()
