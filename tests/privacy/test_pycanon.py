"""pycanon, which knows nothing of us, measures what the engine publishes: k, l, entropy l and t must be what we say."""

from __future__ import annotations

import json
import math
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.model import Column, LogicalType, Role, Table, TableKind
from contracts.protection import HierarchySpec, PrivacyTerms, Search, Transform
from core.errors import PrivacyError
from core.keys import ContractKeys
from privacy.measures.written import shown
from privacy.models.rules import ENTROPY, EQUAL, ORDERED, Asked
from privacy.search.judge import judged
from privacy.subjects.table import make_safe
from tests.agreement import agreement
from tests.staged import table_file

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parent.parent.parent
ORACLE = ROOT / ".venv-oracle" / "bin" / "python"
TABLES = 50
QUASI = ("age", "town", "height")
WORDS = ["北京", "上海", "Zürich", "zu", "İzmir", "a b", "'; --", "0"]


def _column(name: str, role: Role, kind: LogicalType) -> Column:
    transform = Transform.KEEP if role is Role.SENSITIVE else Transform.GENERALIZE
    if role is Role.IDENTIFIER:
        return Column(name=name, type=kind, role=role, transform=Transform.DROP)
    hierarchy = HierarchySpec(kind="natural") if role is Role.QUASI_IDENTIFIER else None
    return Column(name=name, type=kind, role=role, transform=transform, hierarchy=hierarchy)


PEOPLE = Table(
    name="people",
    physical_name="people",
    kind=TableKind.SUBJECTS,
    columns=(
        _column("person", Role.IDENTIFIER, LogicalType.INTEGER),
        _column("age", Role.QUASI_IDENTIFIER, LogicalType.INTEGER),
        _column("town", Role.QUASI_IDENTIFIER, LogicalType.STRING),
        _column("height", Role.QUASI_IDENTIFIER, LogicalType.NUMBER),
        _column("illness", Role.SENSITIVE, LogicalType.STRING),
        _column("pay", Role.SENSITIVE, LogicalType.NUMBER),
    ),
)


def drawn(rng: np.random.Generator) -> pa.Table:
    """Persons of one row each: few values or many, ties, missing ones, decimals, signs of all kinds."""
    rows = int(rng.integers(6, 80))
    kinds = int(rng.integers(1, 9))
    missing = rng.choice([0.0, 0.15])

    def some(values: list[Any]) -> list[Any]:
        return [None if rng.random() < missing else each for each in values]

    return pa.table(
        {
            "person": pa.array(range(rows)),
            "age": pa.array(some(rng.integers(0, 1 + 3 * kinds, rows).tolist()), pa.int64()),
            "town": pa.array(some([WORDS[i] for i in rng.integers(0, kinds, rows)]), pa.string()),
            "height": pa.array(
                [Decimal(int(i)) / 100 for i in rng.integers(0, 2 * kinds, rows)], pa.decimal128(9, 2)
            ),
            "illness": pa.array(some([WORDS[i] for i in rng.integers(0, 1 + kinds // 2, rows)]), pa.string()),
            "pay": pa.array(
                [Decimal(int(i)) / 10 for i in rng.integers(-3, 2 + kinds, rows)], pa.decimal128(9, 1)
            ),
        }
    )


def published(folder: Path, seed: int) -> tuple[Path, int, int | None] | None:
    """A file that the engine made of random persons under random limits, and the k and l it reports; None if it refused."""
    rng = np.random.default_rng(seed)
    table = drawn(rng)
    terms = PrivacyTerms(
        unit="person",
        k=int(rng.integers(2, 5)),
        l=int(rng.integers(1, 4)),
        entropy_l=(None, 1.5, 2.0)[rng.integers(3)],
        t=(None, 0.3, 0.6)[rng.integers(3)],
        max_suppressed=float(rng.choice([0.0, 0.1, 0.5])),
        search=list(Search)[seed % len(Search)],
    )
    source, target = folder / f"{seed}-in.parquet", folder / f"{seed}.parquet"
    pq.write_table(table, source)
    contract = agreement(PEOPLE, privacy=terms)
    try:
        made = make_safe(
            table_file("people", source, rows=table.num_rows),
            contract,
            PEOPLE,
            terms,
            ContractKeys(contract.id, bytes(32)),
            target=target,
            segment_min_units=None,
            source_digest="1" * 64,
        )
    except PrivacyError:
        return None
    return (target, made.risk.k, made.risk.l) if made.risk.rows else None


def asked_pycanon(files: list[Path]) -> list[dict[str, Any]]:
    """What pycanon says of each file, first of `illness` as the sensitive column, then of `pay`."""
    if not ORACLE.is_file():
        pytest.fail("`make oracle` makes the oracle's environment")
    argv = [str(ORACLE), str(ROOT / "tests" / "privacy" / "oracle.py")]
    for file in files:
        for sensitive in ("illness", "pay"):
            argv += [str(file), json.dumps({"quasi_identifiers": QUASI, "sensitive": [sensitive]})]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_pycanon_measures_what_we_report(tmp_path: Path) -> None:
    made = [each for seed in range(TABLES) if (each := published(tmp_path, seed)) is not None]
    assert len(made) > TABLES / 2
    said = asked_pycanon([file for file, _, _ in made])
    for (file, k, least), ill, pay in zip(made, said[::2], said[1::2], strict=True):
        assert (ill["k"], min(ill["l"], pay["l"])) == (k, least), file
        rows = pq.read_metadata(file).num_rows
        seen = shown(table_file("people", file, rows=rows), QUASI, ["illness", "pay"], unit_of_row=None)

        def holds(rule: int, column: int, limit: float, seen: Any = seen) -> bool:
            kept = judged(seen.tuples, seen.part, len(seen.persons), k=1, asked=[Asked(rule, column, limit)])
            return bool(kept.all())

        missing = pq.read_table(file, partitioning=None)["illness"].null_count
        for column, rule, found in ((0, EQUAL, ill), (1, ORDERED, pay)):
            assert holds(ENTROPY, column, found["entropy_l"]), file
            # Rounded down from a float: a whole number may come out as one less.
            assert not holds(ENTROPY, column, found["entropy_l"] + 1 + 1e-6), file
            if math.isfinite(found["t"]) and not (
                column == 0 and missing
            ):  # where some are missing we ask for more
                assert holds(rule, column, found["t"]), file
                assert found["t"] < 1e-6 or not holds(rule, column, found["t"] - 1e-6), file
