"""Received tables as views of a locked DuckDB database: nothing is copied, nothing else can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from contracts.model import Contract, Table
from core.engine import engine
from core.errors import ContractError, SourceError
from core.parquet import scan, scan_numbered, unlock
from core.proof import Received, TableFile
from core.sql import pattern, quoted, text


@dataclass(frozen=True, kw_only=True)
class View:
    """One table in DuckDB, three times: `plain`, its contracted columns; `numbered`, the same and `row`, the row's number
    in the file from 0; `aliased`, the same as numbered with the columns under the names in `aliases`.

    types: DuckDB's type of each column.
    """

    table: Table
    file: TableFile
    plain: str
    numbered: str
    aliased: str
    row: str
    types: Mapping[str, str]
    aliases: Mapping[str, str]


@contextmanager
def opened(
    received: Received, contract: Contract, *, spill: Path
) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[View]]]:
    """A database with the tables of the contract, closed at the end; spill: where it puts what doesn't fit in memory.

    Each table stands there under its contract name and, where that is free, its physical name, for SQL rules.
    Raises ContractError for names that DuckDB can't tell apart, SourceError for a file that can't be read.
    """
    _distinct([table.name for table in contract.tables], "tables", contract.id)
    for table in contract.tables:
        _distinct([column.name for column in table.columns], "columns", f"table {table.name}")
    files = [received.tables[table.name] for table in contract.tables]
    database = _locked(files, spill)
    try:
        prefix = _free(
            "sluice", [name for table in contract.tables for name in (table.name, table.physical_name)]
        )
        views = [
            _view(database, table, file, prefix=f"{prefix}_{number}")
            for number, (table, file) in enumerate(zip(contract.tables, files, strict=True))
        ]
        _alias(database, views)
        yield database, views
    finally:
        database.close()


def _locked(files: Sequence[TableFile], spill: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that can read these files and write to `spill`, whatever a SQL rule asks for."""
    database = engine(
        spill,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        allow_community_extensions=False,
        python_enable_replacements=False,
        preserve_insertion_order=True,
    )
    # DuckDB looks for a pattern first and opens what it found then: both need leave.
    paths = ", ".join(text(name) for file in files for name in (str(file.path), pattern(file.path)))
    unlock(database, files)
    for setting in (
        "TimeZone = 'UTC'",
        f"allowed_paths = [{paths}]",
        f"allowed_directories = [{text(str(spill))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        database.execute(f"SET GLOBAL {setting}")
    return database


def _view(database: duckdb.DuckDBPyConnection, table: Table, file: TableFile, *, prefix: str) -> View:
    names = [column.name for column in table.columns]
    source = scan(file)
    columns = ", ".join(quoted(name) for name in names)
    try:
        present = [name for name, *_ in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        lacking = [name for name in names if name not in present]
        if lacking:
            raise SourceError(
                f"Table {table.name} came without {', '.join(lacking)}.",
                where=f"columns that came: {', '.join(present)}",
                remedy="Receive the table again under this contract.",
            )
        row = _free("row", present)
        numbered = f"SELECT {columns}, {row} FROM {scan_numbered(file, row)}"
        database.execute(f"CREATE VIEW {prefix} AS SELECT {columns} FROM {source}")
        database.execute(f"CREATE VIEW {prefix}_numbered AS {numbered}")
        aliases = {name: f"column_{number}" for number, name in enumerate(names)}
        renamed = ", ".join(f"{quoted(name)} AS {alias}" for name, alias in aliases.items())
        database.execute(f"CREATE VIEW {prefix}_aliased AS SELECT {renamed}, {row} FROM {prefix}_numbered")
        types = {name: kind for name, kind, *_ in database.execute(f"DESCRIBE {prefix}").fetchall()}
    except duckdb.Error as error:  # its text may hold what the file holds
        raise SourceError(
            f"Table {table.name} can't be read as Parquet: {type(error).__name__}.",
            where=file.path.name,
            remedy="Receive the table again.",
        ) from None
    return View(
        table=table,
        file=file,
        plain=prefix,
        numbered=f"{prefix}_numbered",
        aliased=f"{prefix}_aliased",
        row=row,
        types=types,
        aliases=aliases,
    )


def _alias(database: duckdb.DuckDBPyConnection, views: Sequence[View]) -> None:
    taken = {view.table.name.casefold() for view in views}
    for view in views:
        names = [view.table.name]
        if (physical := view.table.physical_name) and physical.casefold() not in taken:
            taken.add(physical.casefold())
            names.append(physical)
        for name in names:
            database.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {view.plain}")


def _distinct(names: Sequence[str], kind: str, where: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise ContractError(
                f"The {kind} {other} and {name} differ by upper and lower case only, which SQL doesn't tell apart.",
                where=where,
                remedy="Rename one of them in the contract.",
            )


def _free(name: str, taken: Sequence[str]) -> str:
    while any(other.casefold().startswith(name) for other in taken):
        name += "_"
    return name
