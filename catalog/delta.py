"""A staged file becomes the newest version of its Delta table; an older version keeps the file it had."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from catalog.staging import cannot_write, clear_unfinished
from core.errors import CatalogError, ConflictError
from core.files import sync
from core.proof import TableFile

RELEASE, SHA256, DELETED = "sluice.release", "sluice.sha256", "sluice.deleted"
# Releases stay readable by version for as long as they're published; retention is a decision of its own.
_KEEP = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}
_LONGEST_TEXT = 32  # Delta's habit for texts in statistics


def commit(file: TableFile, *, release: str, metadata: Mapping[str, str]) -> int:
    """The version of the Delta table around `file` that consists of `file` alone; committed unless it's the newest already.

    file: lies in the table's folder. metadata: what the commit says besides release and digest.
    Raises ConflictError when somebody else commits at the same time, CatalogError when the table can't be read.
    """
    folder = file.path.parent
    table = open_table(folder)
    if table is None or not _is_newest(table, file, release):
        _commit(table, file, {**metadata, RELEASE: release, SHA256: file.sha256})
        table = open_table(folder)
        if table is None or not _is_newest(table, file, release):
            raise _overtaken(folder)
    version = int(table.version())
    _make_durable(folder / "_delta_log", version)
    return version


def open_table(folder: Path, version: int | None = None) -> DeltaTable | None:
    """The Delta table in a folder, at one version or the newest; None when there is none. Raises CatalogError."""
    try:
        if not DeltaTable.is_deltatable(str(folder)):
            return None
        return DeltaTable(str(folder), version=version)
    except (DeltaError, OSError, ValueError) as error:
        raise _unreadable(folder, error) from None


def files_of(table: DeltaTable) -> list[str]:
    """The names of a version's files. Ours need no escapes, so the last part of each URI is the name."""
    return [uri.rsplit("/", 1)[-1] for uri in table.file_uris()]


def remove_unnamed(folder: Path, named: Collection[str]) -> int:
    """Removes a table's data files that are neither in `named` nor in its newest version; gives how many.

    Only under the contract's lock, or it hits what another run just staged.
    """
    clear_unfinished(folder)
    # Of Delta's own writer, killed before it gave them their names.
    for draft in (folder / "_delta_log").glob("*#[0-9]*"):
        draft.unlink(missing_ok=True)
    left = [file for file in folder.glob("part-*.parquet") if file.name not in named]
    # Every start of a run comes by here: a table is opened only where something lies about.
    if left and (table := open_table(folder)) is not None:
        newest = files_of(table)
        left = [file for file in left if file.name not in newest]
    for file in left:
        file.unlink(missing_ok=True)
    return len(left)


def remove(folder: Path, file: str, *, release: str) -> None:
    """Removes a data file for good; where the table's newest version has it, an empty version comes after. May be done again.

    Raises ConflictError when somebody else commits at the same time, CatalogError when the table can't be read.
    """
    table = open_table(folder)
    if table is not None and file in files_of(table):
        properties = CommitProperties(custom_metadata={DELETED: release}, max_commit_retries=0)
        hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
        try:
            table.create_write_transaction(
                [],
                "overwrite",
                table.schema(),
                commit_properties=properties,
                post_commithook_properties=hooks,
            )
        except CommitFailedError:
            raise _overtaken(folder) from None
        except (DeltaError, OSError, ValueError) as error:
            raise _unreadable(folder, error) from None
        emptied = open_table(folder)
        if emptied is None or file in files_of(emptied):
            raise _overtaken(folder)
        _make_durable(folder / "_delta_log", int(emptied.version()))
    try:
        (folder / file).unlink(missing_ok=True)
        sync(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(error, folder) from None


def _is_newest(table: DeltaTable, file: TableFile, release: str) -> bool:
    newest = table.history(1)[0]
    return (
        newest.get(RELEASE) == release
        and newest.get(SHA256) == file.sha256
        and files_of(table) == [file.path.name]
    )


def _commit(table: DeltaTable | None, file: TableFile, metadata: dict[str, str]) -> None:
    folder = file.path.parent
    properties = CommitProperties(custom_metadata=dict(metadata), max_commit_retries=0)
    hooks = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
    try:
        schema = Schema.from_arrow(_delta_schema(pq.read_schema(file.path)))
        added = [_add_action(file)]
        if table is not None and table.schema() == schema:
            table.create_write_transaction(
                added, "overwrite", schema, commit_properties=properties, post_commithook_properties=hooks
            )
        else:
            # Also where the columns changed: the version then starts from a schema of its own.
            create_table_with_add_actions(
                str(folder),
                schema,
                added,
                mode="error" if table is None else "overwrite",
                name=file.name,
                configuration=_KEEP,
                commit_properties=properties,
                post_commithook_properties=hooks,
            )
    except CommitFailedError:
        raise _overtaken(folder) from None
    except OSError as error:
        raise cannot_write(error, folder) from None
    except (DeltaError, pa.ArrowException, ValueError) as error:
        if table is None and DeltaTable.is_deltatable(str(folder)):
            raise _overtaken(folder) from None
        raise _unreadable(folder, error) from None


def _delta_schema(schema: pa.Schema) -> pa.Schema:
    plain = (field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in schema)
    return pa.schema([pa.field(name, kind) for name, kind in zip(schema.names, plain, strict=True)])


def _add_action(file: TableFile) -> AddAction:
    return AddAction(
        path=file.path.name,
        size=file.size_bytes,
        partition_values={},
        modification_time=file.path.stat().st_mtime_ns // 1_000_000,
        data_change=True,
        stats=json.dumps(statistics(file.path), allow_nan=False),
    )


def statistics(path: Path) -> dict[str, Any]:
    """Delta's statistics of a Parquet file: rows, NULLs of each column, least and greatest where that is exact.

    A bound that isn't exact makes readers skip rows, so there is none for long text, times, bytes, or with NaN.
    """
    file = pq.ParquetFile(path)
    nulls: dict[str, int] = {}
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    with file:
        for name in file.schema_arrow.names:
            column = file.read(columns=[name]).column(0)
            nulls[name] = column.null_count
            if not _bounded(column):
                continue
            bounds = pc.min_max(column).as_py()
            if bounds["min"] is not None:
                least[name], greatest[name] = (_json(bounds[side]) for side in ("min", "max"))
        return {
            "numRecords": file.metadata.num_rows,
            "minValues": least,
            "maxValues": greatest,
            "nullCount": nulls,
        }


def _bounded(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_floating(kind):
        return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        longest = pc.max(pc.utf8_length(column)).as_py()
        return longest is not None and longest <= _LONGEST_TEXT
    return bool(pa.types.is_integer(kind) or pa.types.is_date(kind))


def _json(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else value.isoformat()


def _make_durable(log: Path, version: int) -> None:
    # delta-rs leaves the commit in the page cache; the manifest, which is durable, must not outlive it.
    try:
        sync(log / f"{version:020}.json")
        sync(log)
        sync(log.parent)
    except OSError as error:
        raise cannot_write(error, log) from None


def _overtaken(folder: Path) -> ConflictError:
    return ConflictError(
        "Somebody else committed to this table at the same time.", where=str(folder), remedy="Run again."
    )


def _unreadable(folder: Path, error: Exception) -> CatalogError:
    return CatalogError(
        f"The Delta table can't be read or written ({type(error).__name__}).",
        where=str(folder),
        remedy="Look at its _delta_log; no release that was published before has changed.",
    )
