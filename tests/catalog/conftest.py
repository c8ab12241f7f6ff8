"""A hall with a catalog, a ledger and a contract of two tables; releases are made by hand, as `anonymize` leaves them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.events import Event, EventKind
from audit.ledger import Ledger, Receipt
from catalog.catalog import Catalog
from catalog.release import Release, Staged
from contracts.model import Column, Contract, LogicalType, Role, Table, TableKind
from contracts.protection import Transform
from core.digest import file_digest
from core.keys import KeyStore
from core.proof import TableFile, set_digest
from core.store import SqliteStore
from privacy.safe import Anonymized, anonymized_from
from tests.agreement import agreement

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def contract_of(
    *tables: str, id: str = "grocery-demand", version: str = "1.0.0", digest: str = "c" * 64
) -> Contract:
    column = Column(name="n", type=LogicalType.INTEGER, role=Role.ATTRIBUTE, transform=Transform.KEEP)
    described = (
        Table(name=name, physical_name=name, kind=TableKind.REFERENCE, columns=(column,))
        for name in tables or ("households", "demand")
    )
    return agreement(*described, id=id, name=id, version=version, digest=digest)


@dataclass
class Hall:
    home: Path
    contract: Contract = field(default_factory=contract_of)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.store = SqliteStore(self.home / "state.sqlite")
        self.ledger = Ledger(self.store, KeyStore(self.home / "keys").signer(), lambda: NOW)
        self.root = self.home / "catalog"
        self.catalog = self.catalog_with()

    def catalog_with(self, **options: Any) -> Catalog:
        return Catalog(self.root, self.store, lambda: NOW, **options)

    def under(self, contract: Contract) -> Hall:
        return replace(self, contract=contract)

    def safe(self, release: str, **tables: pa.Table | list[int]) -> Anonymized:
        """A release with these tables (numbers make a table with one column n); by default both of the contract."""
        out = self.home / "runs" / release
        out.mkdir(parents=True, exist_ok=True)
        tables = tables or {table.name: [1, 2, 3] for table in self.contract.tables}
        files = {name: self.file(out, name, rows) for name, rows in tables.items()}
        report = out / "disclosure.json"
        report.write_text('{"k_reached": 5}\n')
        return anonymized_from(
            contract_id=self.contract.id,
            contract_digest=self.contract.digest,
            release=release,
            digest=set_digest(files),
            tables=files,
            report={"k_reached": 5},
            documents={"disclosure.json": report},
        )

    def file(self, out: Path, name: str, rows: pa.Table | list[int]) -> TableFile:
        path = out / f"{uuid.uuid5(uuid.NAMESPACE_URL, name)}.parquet"
        table = pa.table({"n": rows}) if isinstance(rows, list) else rows
        pq.write_table(table, path)
        return TableFile(
            name=name,
            path=path,
            rows=table.num_rows,
            size_bytes=path.stat().st_size,
            sha256=file_digest(path),
        )

    def receipt(self, staged: Staged, **other: Any) -> Receipt:
        facts: Mapping[str, Any] = {
            "release": staged.release,
            "digest": staged.digest,
            "tables": {
                file.name: {"sha256": file.sha256, "rows": file.rows} for file in staged.tables.values()
            },
        }
        event: dict[str, Any] = {
            "kind": EventKind.RELEASE_STAGED,
            "run_id": str(uuid.uuid5(uuid.NAMESPACE_URL, staged.release)),
            "subject": staged.release,
            "contract_id": staged.contract_id,
            "contract_version": staged.contract_version,
            "contract_digest": staged.contract_digest,
            "facts": facts,
        }
        return self.ledger.append(Event(**{**event, **other}))

    def publish(self, release: str, **tables: pa.Table | list[int]) -> Release:
        staged = self.catalog.stage(self.safe(release, **tables), self.contract)
        return self.catalog.reveal(staged, self.receipt(staged), self.contract)


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path / "大厅 one")


@pytest.fixture
def make_contract() -> Callable[..., Contract]:
    return contract_of


def _two_releases(hall: Hall) -> Hall:
    hall.publish("r_1", households=[1], demand=pa.table({"n": [1, 2], "name": ["Zhang", "Li"]}))
    hall.publish("r_2", households=[10, 20], demand=pa.table({"n": [3, 4, 5], "name": ["a", "b", "c"]}))
    return hall


@pytest.fixture
def published(hall: Hall) -> Hall:
    """Two releases, for a test that changes something."""
    return _two_releases(hall)


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    """Two releases, for tests that only read."""
    return _two_releases(Hall(tmp_path_factory.mktemp("hall") / "大厅 one"))
