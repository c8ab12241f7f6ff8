"""The form of what a hall keeps, without its values: two homes of one form are read by the same code.

One line for each thing that a reader leans on: names of files and rows, the fields and types of every JSON document,
columns of Parquet files, SQLite's tables, and every version number that a format carries.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_VERSIONS = {"format", "version", "schemaURL", "_schemaURL", "minReaderVersion", "minWriterVersion"}
_RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}")
# In a Delta log the library's own words change with its versions: only what we decide in it is ours to keep.
_OURS_IN_DELTA = re.compile(r"\.(protocol\.|metaData\.configuration\.|commitInfo\.sluice\.)")


def formats(home: Path) -> set[str]:
    """The form of everything in a home."""
    lines: set[str] = set()
    for path in sorted(home.rglob("*")):
        name = _generic(str(path.relative_to(home)))
        if path.is_dir():
            continue
        lines.add(name)
        if path.suffix == ".sqlite":
            lines |= {f"{name} {line}" for line in _store(path)}
        elif path.suffix == ".parquet":
            lines |= {f"{name} {line}" for line in _parquet(path)}
        elif path.parent.name == "_delta_log":
            lines |= {f"{name} {line}" for line in _delta_log(path)}
        elif path.suffix == ".json":
            lines |= {f"{name} {line}" for line in _form(json.loads(path.read_bytes()), "")}
    return lines


def _generic(text: str) -> str:
    """A name without what is random or counted in it."""
    return re.sub(r"\d+", "N", _RANDOM.sub("#", text))


def _store(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        yield from (f"{sql}" for (sql,) in connection.execute("SELECT sql FROM sqlite_master") if sql)
        for name, value in connection.execute("SELECT name, value FROM meta"):
            yield f"meta {name} {value if name == 'schema' else 'count'}"
        for key, value in connection.execute("SELECT key, CAST(value AS BLOB) FROM entry"):
            row = _generic(key)
            try:
                document = json.loads(value)
            except ValueError:
                yield f"{row} text of {len(value.splitlines())} lines"
                continue
            if key.startswith("ledger/index/") and document.get("proof") == []:
                # The ledger's first entry has an empty proof. Which entry came first isn't a matter of form.
                document["proof"] = [""]
            if "run" in document and isinstance(document["run"], dict):
                row += f" {document['run']['facets']['sluice']['kind']}"
            yield from (f"{row} {line}" for line in _form(document, ""))


def _delta_log(path: Path) -> Iterator[str]:
    for action in path.read_text(encoding="utf-8").splitlines():
        yield from (line for line in _form(json.loads(action), "") if _OURS_IN_DELTA.match(line))


def _parquet(path: Path) -> Iterator[str]:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError):
        yield f"closed, begins {path.read_bytes()[:4]!r}"
        return
    yield from (f"{field.name} {field.type}" for field in schema)


def _form(value: Any, where: str, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _form(inner, f"{where}.{_generic(key)}", key)
        if not value:
            yield f"{where} {{}}"
    elif isinstance(value, list):
        for inner in value:
            yield from _form(inner, f"{where}[]", name)
        if not value:
            yield f"{where} []"
    elif name in _VERSIONS and not isinstance(value, bool):
        yield f"{where} = {value}"
    else:
        yield f"{where} {_kind(value)}"


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "truth value"
    return "number" if isinstance(value, int | float) else "text"
