"""Columns that go out as tokens: of subjects, of rows of facts, and of tables without persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, RowPlan, Transform, Treatment
from core.errors import IntegrityError, PrivacyError
from core.keys import ContractKeys
from core.proof import Window
from pipeline.validation.validate import validated_from
from privacy.anonymize import anonymize
from privacy.subjects.tokens import SecondHolder, token_key
from privacy.transforms.tokens import detokenize
from tests.agreement import agreement
from tests.staged import table_file

ROWS = 60
OURS, THEIRS = ContractKeys("a-contract", bytes(range(32))), ContractKeys("a-contract", bytes(range(32, 64)))
TOKEN = Treatment(holder="notary")


def column(name: str, role: Role, transform: Transform, logical: LogicalType = LogicalType.STRING) -> Column:
    return Column(
        name=name,
        type=logical,
        role=role,
        transform=transform,
        treatment=TOKEN if transform is Transform.TOKEN else None,
        hierarchy=HierarchySpec(kind="natural") if transform is Transform.GENERALIZE else None,
    )


def table(name: str, kind: TableKind, *columns: Column, rows: RowPlan | None = None) -> Table:
    return Table(name=name, physical_name=name, kind=kind, columns=columns, rows=rows)


PEOPLE = table(
    "people",
    TableKind.SUBJECTS,
    column("person", Role.IDENTIFIER, Transform.TOKEN),
    column("age", Role.QUASI_IDENTIFIER, Transform.GENERALIZE, LogicalType.INTEGER),
)
VISITS = table(
    "visits",
    TableKind.FACTS,
    column("person", Role.IDENTIFIER, Transform.PSEUDONYM),
    column("ticket", Role.IDENTIFIER, Transform.TOKEN, LogicalType.INTEGER),
    column("shop", Role.ATTRIBUTE, Transform.KEEP),
    rows=RowPlan(period=None, period_column=None, max_rows=None, points=1, max_unicity=1.0),
)
SHOPS = table(
    "shops",
    TableKind.REFERENCE,
    column("shop", Role.ATTRIBUTE, Transform.KEEP),
    column("owner", Role.IDENTIFIER, Transform.TOKEN),
    column("till", Role.IDENTIFIER, Transform.REDACT),
)
NAMES = [f"person-{number:03d}" for number in range(ROWS)]
SOURCE = {
    "people": pa.table({"person": NAMES, "age": np.arange(ROWS) % 7 + 20}),
    "visits": pa.table(
        {
            "person": NAMES * 2,
            "ticket": pa.array([*range(1000, 1000 + 2 * ROWS - 1), None]),
            "shop": ["a", "b"] * ROWS,
        }
    ),
    "shops": pa.table({"shop": ["a", "b"], "owner": ["Ann Owner", None], "till": ["till-7", None]}),
}


def safe(
    folder: Path, *plans: Table, second: SecondHolder | None = lambda _: THEIRS
) -> tuple[Contract, dict[str, pa.Table]]:
    agreed = agreement(*plans, privacy=PrivacyTerms(unit="person", k=2, l=1, max_suppressed=0.5))
    files = {}
    for plan in plans:
        path = folder / f"{plan.name}.parquet"
        pq.write_table(SOURCE[plan.name], path)
        files[plan.name] = table_file(plan.name, path, rows=SOURCE[plan.name].num_rows)
    validated = validated_from(
        contract_id=agreed.id,
        contract_digest=agreed.digest,
        window=Window(),
        source_digest="1" * 64,
        tables=files,
    )
    made = anonymize(validated, agreed, OURS, out=folder / "out", second=second)
    return agreed, {name: pq.read_table(each.path, partitioning=None) for name, each in made.tables.items()}


def opened(agreed: Contract, name: str, tokens: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    key = token_key(agreed, name, OURS, THEIRS)
    return detokenize(tokens.combine_chunks(), key, column_context=(agreed.id, name), kind=kind)


def test_no_value_goes_out_and_both_holders_get_each_back(tmp_path: Path) -> None:
    agreed, out = safe(tmp_path, PEOPLE, VISITS, SHOPS)
    for name, raw in (
        ("people", b"person-0"),
        ("visits", b"person-0"),
        ("shops", b"Owner"),
        ("shops", b"till-7"),
    ):
        assert raw not in b"".join(str(row).encode() for row in out[name].to_pylist())
    people = opened(agreed, "people.person", out["people"]["person"], pa.string())
    assert sorted(people.to_pylist()) == NAMES
    tickets = opened(agreed, "visits.ticket", out["visits"]["ticket"], pa.int64())
    assert sorted(tickets.to_pylist(), key=str) == sorted(SOURCE["visits"]["ticket"].to_pylist(), key=str)
    owners = opened(agreed, "shops.owner", out["shops"]["owner"], pa.string())
    assert dict(zip(out["shops"]["shop"].to_pylist(), owners.to_pylist(), strict=True)) == {"a": "Ann Owner", "b": None}  # fmt: skip
    assert out["shops"]["till"].to_pylist() == ["(redacted)"] * 2
    with pytest.raises(PrivacyError, match="doesn't open"):
        opened(agreed, "people.other", out["people"]["person"], pa.string())


@pytest.mark.parametrize("plan", [PEOPLE, VISITS, SHOPS], ids=lambda plan: plan.name)
def test_without_its_second_holder_nothing_goes_out(tmp_path: Path, plan: Table) -> None:
    with pytest.raises(
        PrivacyError, match="goes out as tokens, and the key of its second holder isn't here"
    ) as refused:
        safe(tmp_path, plan, second=None)
    assert "docs/tokens.md" in str(refused.value.remedy)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [ContractKeys("another-contract", bytes(range(32, 64))), ContractKeys("a-contract", bytes(range(32)))],
    ids=["of another contract", "the hall's own"],
)
def test_one_party_alone_makes_no_tokens(tmp_path: Path, wrong: ContractKeys) -> None:
    with pytest.raises(
        IntegrityError, match=r"The second key for `people\.person` isn't one of another holder"
    ):
        safe(tmp_path, PEOPLE, second=lambda _: wrong)


def test_each_table_recipient_and_holder_has_tokens_of_its_own() -> None:
    agreed = agreement(PEOPLE)
    keys = {
        token_key(agreed, "people.person", OURS, THEIRS),
        token_key(agreed, "visits.person", OURS, THEIRS),
        token_key(agreement(PEOPLE, recipient="another"), "people.person", OURS, THEIRS),
        token_key(agreed, "people.person", OURS, ContractKeys("a-contract", bytes(32))),
        token_key(agreed, "people.person", ContractKeys("a-contract", bytes(32)), THEIRS),
    }
    assert len(keys) == 5
