"""Received tables made from Arrow, and contracts of one or more tables, for the tests of the route's steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.base import file_name, received_digest, received_from
from contracts.carried import Kind
from contracts.checks import Check, CheckKind, Scope
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from core.keys import FileKey
from core.parquet import read, writer
from core.proof import Received, Validated, Window
from pipeline.quarantine.aside import Draft
from pipeline.validation.validate import validate
from tests.agreement import agreement
from tests.open_doors import open_doors
from tests.pipeline.hall import hall, no_value_in_any_log, pair
from tests.staged import table_file

_LOGICAL = {
    "int64": LogicalType.INTEGER,
    "int32": LogicalType.INTEGER,
    "double": LogicalType.NUMBER,
    "string": LogicalType.STRING,
    "bool": LogicalType.BOOLEAN,
    "date32[day]": LogicalType.DATE,
}


def check(kind: CheckKind, column: str | None = None, *, scope: Scope = Scope.ROW, **about: Any) -> Check:
    """A check of table "t"; what isn't a field of Check is one of its params."""
    fields = {key: about.pop(key) for key in ("table", "name", "severity") if key in about}
    return Check(
        **({"table": "t", "name": "rule"} | fields), kind=kind, scope=scope, column=column, params=about
    )


def expectation(kind: str, *, scope: Scope = Scope.ROW, **about: Any) -> Check:
    """A check that is a Great Expectations rule."""
    fields = {key: about.pop(key) for key in ("table", "name", "severity") if key in about}
    params = {"type": kind, "kwargs": about}
    return Check(
        **({"table": "t", "name": "rule"} | fields), kind=CheckKind.EXPECTATION, scope=scope, params=params
    )


@pytest.fixture(autouse=True)
def signed_or_not(request: pytest.FixtureRequest) -> None:
    """The steps are tested behind open doors; what opens them is tested in `agreements`, and signed for where it's marked so."""
    if "agreements" not in request.path.parts and request.node.get_closest_marker("signed") is None:
        request.getfixturevalue("open_doors")


@dataclass
class Outcome:
    """What validation left behind."""

    validated: Validated
    out: Path
    quarantine: Draft

    def kept(self, table: str = "t") -> pa.Table:
        return read(self.validated.tables[table])

    def aside(self, table: str = "t") -> pa.Table | None:
        found = self.quarantine.tables.get(table)
        return read(found.file) if found else None


class Bench:
    """Validates Arrow tables against checks in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "validated"
        self.quarantine = Draft(folder / "quarantine", FileKey.fresh(), name="a-draft")
        self.key = FileKey.fresh()

    def contract(
        self, tables: Mapping[str, pa.Table], checks: Sequence[Check], *, limit: float = 1.0
    ) -> Contract:
        described = (_table(name, data.schema, checks) for name, data in tables.items())
        return agreement(*described, max_quarantined=limit)

    def received(
        self, tables: Mapping[str, pa.Table], contract: Contract, *, chunk: int | None = None
    ) -> Received:
        folder = self.folder / "received"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = {}
        for number, (name, data) in enumerate(tables.items()):
            path = folder / file_name(number)
            with writer(path, data.schema, self.key) as file:  # as the route has it: encrypted
                for part in data.to_batches(max_chunksize=chunk):
                    file.write(part)
                    file.flush()
            files[name] = table_file(name, path, rows=data.num_rows, key=self.key)
        return received_from(
            contract_id=contract.id,
            contract_digest=contract.digest,
            window=Window(),
            tables=files,
            digest=received_digest({name: file.sha256 for name, file in files.items()}),
        )

    def run(
        self,
        tables: Mapping[str, pa.Table] | pa.Table,
        *checks: Check,
        limit: float = 1.0,
        change: Callable[[Contract], Contract] = lambda contract: contract,
        **writing: Any,
    ) -> Outcome:
        """Validate; a bare table is called "t"."""
        tables = {"t": tables} if isinstance(tables, pa.Table) else tables
        contract = change(self.contract(tables, checks, limit=limit))
        received = self.received(tables, contract, **writing)
        validated = validate(received, contract, out=self.out, quarantine=self.quarantine)
        return Outcome(validated, self.out, self.quarantine)

    def broken_rows(self, data: pa.Table, rule: Check) -> list[int]:
        """The numbers of the rows that one row rule sets aside; rows that stay are checked to be all the others."""
        numbered = data.append_column("sluice test row", pa.array(range(data.num_rows), pa.int64()))
        outcome = self.run(numbered, rule)
        aside = outcome.aside()
        gone = [] if aside is None else aside["sluice test row"].to_pylist()
        left = [number for number in range(data.num_rows) if number not in set(gone)]
        assert outcome.kept()["sluice test row"].to_pylist() == left
        assert str(outcome.kept().to_pylist()) == str(
            numbered.take(pa.array(left, pa.int64())).to_pylist()
        )  # NaN is not itself
        return gone


def _table(name: str, schema: pa.Schema, checks: Sequence[Check]) -> Table:
    return Table(
        name=name,
        physical_name=name,
        kind=TableKind.REFERENCE,
        columns=tuple(
            Column(
                name=field.name,
                type=_LOGICAL.get(str(field.type), LogicalType.TIMESTAMP),
                role=Role.ATTRIBUTE,
                transform=Transform.KEEP,
                carries=tuple(Kind),  # the rules are what is tested here; the scan has its own tests
            )
            for field in schema
        ),
        checks=tuple(check for check in checks if check.table == name),
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


__all__ = [
    "Bench",
    "Outcome",
    "check",
    "expectation",
    "hall",
    "no_value_in_any_log",
    "open_doors",
    "pair",
    "replace",
]
