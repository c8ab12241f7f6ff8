"""The operator's own look at published tables: one SELECT, in a DuckDB that can reach nothing else.

DuckDB gets no file access at all: each table that the SQL names comes in as an Arrow dataset over the release's file,
and a table that isn't named up front can't be reached by any later trick. So what was read is known before it's read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from catalog.delta import files_of, open_table
from catalog.manifest import Manifest
from catalog.release import Release, ReleaseTable
from core.digest import file_digest
from core.errors import CatalogError, IntegrityError, UsageError
from core.sql import quoted

_OWN_SCHEMAS = {"main", "temp", "pg_catalog", "information_schema", "system", "memory"}
_LOCKED = (
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET allow_community_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)
# These speak of the SQL text and of names; every other message may quote a value of a row.
_SPEAKABLE = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.SyntaxException)

_BIND = "EXPLAIN "
# How DuckDB points at a place in the SQL, at the end of a message.
_PLACE = re.compile(r"\n\s*(?P<head>LINE (?P<number>\d+): )(?P<text>.*)\n(?P<pad> *)(?P<caret>\^+)\s*\Z")
_OWN_HINT = re.compile(
    r'\n+Did you mean "(?:[a-z_]+\.)?(?:pg_|duckdb_|sqlite_|pragma_|information_schema|_published_)[^\n]*'
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Rows of a query. truncated: there were more than max_rows. releases, tables: what was read, for the ledger."""

    table: pa.Table
    truncated: bool
    releases: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows the answer has."""
        return int(self.table.num_rows)


def answer(sql: str, manifests: Sequence[Manifest], *, max_rows: int) -> Answer:
    """The first `max_rows` rows of one SELECT over `<release>.<table>`, or `<slug>.<table>` for the current release.

    Raises UsageError when the SQL isn't one SELECT, names what doesn't exist or breaks, IntegrityError when a
    published file isn't what the manifest says.
    """
    if max_rows < 1:
        raise UsageError("A query gives at least one row.", remedy="Ask for 1 row or more.")
    with duckdb.connect(":memory:") as con:
        statement = _one_select(con, sql)
        read = _named(_tables_in(con, statement), manifests)
        _attach(con, read)
        for setting in _LOCKED:
            con.execute(setting)
        table, truncated = _run(con, statement, max_rows)
    found = list({(release.release, table.name): None for release, table in read.values()})
    return Answer(
        table=table,
        truncated=truncated,
        releases=tuple(dict.fromkeys(release for release, _ in found)),
        tables=tuple(f"{release}.{name}" for release, name in found),
    )


_Read = Mapping[tuple[str, str], tuple[Release, ReleaseTable]]


def _one_select(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        raise _refused(error, sql) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            "The catalog answers one SELECT at a time.",
            remedy="Write e.g. SELECT * FROM release.table LIMIT 10.",
        )
    return str(statements[0].query)


def _tables_in(con: duckdb.DuckDBPyConnection, sql: str) -> set[tuple[str, str]]:
    """(schema, table) of every table that the SQL names, from DuckDB's own parse; nothing is bound or read yet."""
    try:
        [(tree_text,)] = con.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        tree = json.loads(tree_text)
        if tree.get("error"):
            raise UsageError(
                "The catalog can't take this kind of SELECT.", remedy="Write it as a plain SELECT."
            )
        return set(_base_tables(tree))
    except duckdb.Error as error:
        raise _refused(error, sql) from None
    except RecursionError:
        raise UsageError("The SQL is nested too deeply.", remedy="Write it flatter.") from None


def _base_tables(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield str(node.get("schema_name", "")), str(node.get("table_name", ""))
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _base_tables(child)


def _named(names: set[tuple[str, str]], manifests: Sequence[Manifest]) -> _Read:
    """What the SQL's names stand for. Names without a schema are the SQL's own (WITH), or DuckDB refuses them."""
    by_schema: dict[str, Release] = {}
    for manifest in manifests:
        by_schema.update({release.release: release for release in manifest.releases})
    for manifest in manifests:
        # Under the contract's own name the newest that is shown; when none is, the newest, to be told why.
        newest = manifest.current or next(reversed(manifest.releases), None)
        if newest is not None and manifest.slug not in _OWN_SCHEMAS:
            by_schema.setdefault(manifest.slug, newest)
    read: dict[tuple[str, str], tuple[Release, ReleaseTable]] = {}
    for schema, name in sorted(names):
        if not schema or schema.lower() in _OWN_SCHEMAS:
            continue
        release = by_schema.get(schema.lower())
        if release is None:
            raise UsageError(
                f"There is no published release `{schema}`.",
                remedy=f"There are: {_listed(_shown(by_schema))}. See `sluice catalog list`.",
            )
        if release.withheld is not None:
            raise CatalogError(
                f"Release {release.release} isn't shown: its contract is {release.withheld.why} "
                f"since {release.withheld.since:%Y-%m-%d %H:%M} UTC.",
                where=f"contract {release.contract_id}",
                remedy="`sluice contract show` tells who may change that.",
                contract=release.contract_id,
                why=release.withheld.why,
            )
        table = next((t for t in release.tables if t.name == name), None) or next(
            (t for t in release.tables if t.name.lower() == name.lower()), None
        )
        if table is None:
            raise UsageError(
                f"Release `{release.release}` has no table `{name}`.",
                remedy=f"It has: {_listed([t.name for t in release.tables])}.",
            )
        read[schema.lower(), table.name] = (release, table)
    return read


def _shown(by_schema: Mapping[str, Release]) -> list[str]:
    return [name for name, release in by_schema.items() if release.withheld is None]


def _attach(con: duckdb.DuckDBPyConnection, read: _Read) -> None:
    sources: dict[Path, str] = {}
    for (schema, name), (release, table) in read.items():
        path = _proved(release, table)
        if path not in sources:
            sources[path] = f"_published_{len(sources)}"
            con.register(sources[path], ds.dataset(str(path), format="parquet"))
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        con.execute(f"CREATE VIEW {quoted(schema)}.{quoted(name)} AS FROM {sources[path]}")


def _proved(release: Release, table: ReleaseTable) -> Path:
    """The file of a published table: the one that its Delta version and the manifest agree on, bytes unchanged."""
    folder = Path(table.uri)
    delta = open_table(folder, table.version)
    path = folder / table.file
    try:
        same = delta is not None and files_of(delta) == [table.file] and file_digest(path) == table.sha256
    except OSError:
        same = False
    if not same:
        raise IntegrityError(
            f"Table `{table.name}` of release {release.release} isn't what was published; it isn't read.",
            where=str(folder),
            remedy="Restore the catalog's folder from a backup.",
        )
    return path


def _run(con: duckdb.DuckDBPyConnection, sql: str, max_rows: int) -> tuple[pa.Table, bool]:
    try:
        con.execute(
            f"{_BIND}{sql}"
        ).fetchall()  # binds without running: only here may DuckDB's words be passed on
    except duckdb.Error as error:
        raise _refused(error, sql) from None
    try:
        relation = con.sql(sql)
        if relation is None:
            raise UsageError("The SQL gives no rows.", remedy="Write a SELECT.")
        reader = relation.to_arrow_reader()
        parts, rows = [], 0
        for batch in reader:
            parts.append(batch)
            rows += batch.num_rows
            if rows > max_rows:
                break
        table = pa.Table.from_batches(parts, schema=reader.schema)
        return table.slice(0, max_rows).combine_chunks(), rows > max_rows
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        kind = type(error).__name__
    raise UsageError(
        f"The query broke while it ran ({kind}).",
        remedy="A value didn't fit a conversion or a calculation; try TRY_CAST, or a smaller query.",
    )


def _refused(error: duckdb.Error, sql: str) -> UsageError:
    if isinstance(error, _SPEAKABLE):
        return UsageError(
            _told(str(error), sql), remedy="Tables are named release.table; see `sluice catalog list`."
        )
    if isinstance(error, duckdb.PermissionException):
        return UsageError("A query reads published tables only, no files.", remedy="Write release.table.")
    return UsageError(
        f"The SQL can't be run ({type(error).__name__}).", remedy="Check its conversions and settings."
    )


def _told(message: str, sql: str) -> str:
    """DuckDB's message as far as it speaks of the user's own SQL: no hint to tables of DuckDB, no line that we wrote."""
    place = _PLACE.search(message)
    text = _OWN_HINT.sub("", message[: place.start()] if place else message).strip()
    if place is None:
        return text
    number, shown, column = int(place["number"]), place["text"], len(place["pad"]) - len(place["head"])
    lines = sql.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    if shown.startswith(_BIND) and shown not in line:
        shown, column = shown.removeprefix(_BIND), column - len(_BIND)
    # DuckDB shortens a long line on both sides.
    piece = shown.removeprefix("...").removesuffix("...").strip()
    if not piece or piece not in line or column < 0:
        return text
    return f"{text}\n\n{place['head']}{shown}\n{' ' * (len(place['head']) + column)}{place['caret']}"


def _listed(names: Mapping[str, object] | Sequence[str], most: int = 20) -> str:
    shown = ", ".join(sorted(names)[:most])
    return (shown if len(names) <= most else f"{shown}, …") or "none yet"
