"""Contracts by hand, for connectors: what the file of a contract says is tested in its own room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from contracts.model import Column, Contract, LogicalType, Role, Source, Table, TableKind
from contracts.protection import Transform
from tests.agreement import agreement


@pytest.fixture
def table() -> Callable[..., Table]:
    def build(
        name: str = "orders", *, physical: str | None = None, time: str | None = None, **columns: str | Column
    ) -> Table:
        return Table(
            name=name,
            physical_name=physical or name,
            kind=TableKind.REFERENCE,
            time_column=time,
            columns=tuple(
                each if isinstance(each, Column) else column_of(key, each) for key, each in columns.items()
            ),
        )

    return build


def column_of(name: str, kind: str, *, physical: str | None = None, source: str | None = None) -> Column:
    return Column(
        name=name,
        type=LogicalType(kind),
        physical_type=physical,
        physical_name=source,
        role=Role.ATTRIBUTE,
        transform=Transform.KEEP,
    )


@pytest.fixture
def column() -> Callable[..., Column]:
    return column_of


@pytest.fixture
def contract(tmp_path: Path) -> Callable[..., Contract]:
    def build(
        *tables: Table,
        path: str | None = None,
        format: str | None = None,
        connector: str = "files",
        base: Path | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Contract:
        return agreement(
            *tables,
            id="orders-of-a-shop",
            source=Source(
                connector=connector, path=path, format=format, base=base or tmp_path, options=options or {}
            ),
        )

    return build
