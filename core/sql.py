"""Names and texts in SQL that Sluice writes itself. What others write is never pasted into SQL: it's parsed or refused."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import UsageError

_GLOB = re.compile(r"[*?\[]")


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def pattern(path: Path) -> str:
    """The pattern by which DuckDB's readers find this one file: signs of a glob stand in brackets.

    Where external access is off, DuckDB asks for leave for both the path and its pattern (`allowed_paths`).
    Raises UsageError for a path with a backslash besides such signs: DuckDB's patterns have no way to say it.
    """
    plain = str(path)
    if "\\" in plain and _GLOB.search(plain):
        raise UsageError(
            "A path has a backslash and one of * ? [ in it, which DuckDB can't be told apart from a pattern.",
            where=plain,
            remedy="Rename the folder, or set SLUICE_HOME to another one.",
        )
    return _GLOB.sub(lambda sign: f"[{sign[0]}]", plain)


def parquet(path: Path, *options: str) -> str:
    """The SQL that reads one Parquet file and no other, whatever the names of its folders.

    `=` in a folder's name makes no column. options: more arguments of read_parquet, such as "file_row_number = true".
    """
    return f"read_parquet({', '.join([text(pattern(path)), 'hive_partitioning = false', *options])})"
