"""Which source table each table reads, and that no source is published in two ways that tell of each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from contracts.fileserver import PLACEHOLDER, fits_path
from contracts.model import Source, TableKind, may_share_source
from contracts.problems import shown
from contracts.tables import TableNode


def check_sources(tables: Sequence[TableNode], source: Source | None) -> None:
    """Says which names can't stand in the path, and which tables may not read the same source.

    What only the files themselves tell (globs that overlap, links) the connector finds.
    """
    seen: list[tuple[str, TableNode]] = []
    for table in tables:
        if not _in_path(table, source):
            continue
        key = _key(table, source)
        kind = table.kind or TableKind.SUBJECTS
        for other_key, other in seen:
            rows = table.rows or other.rows
            if key == other_key and not may_share_source(kind, other.kind or TableKind.SUBJECTS, rows=rows):
                _say(table, other)
                break
        seen.append((key, table))


def _in_path(table: TableNode, source: Source | None) -> bool:
    """Whether the table's name at the source can stand for {table}; says so when not."""
    if source is None or source.connector != "files" or fits_path(_name(table), source.path or ""):
        return True
    if table.node.has("physicalName") or not _told(table.name):
        table.node.say(
            f"{table.node.label}: its name at the source can't stand for {PLACEHOLDER} in the server's path.",
            "Write physicalName as a file's or folder's plain name, and the folders before it into the path.",
            key="physicalName" if table.node.has("physicalName") else "name",
        )
    return False


def _told(name: str) -> bool:
    """Whether `contracts.tables` refuses the table's own name already."""
    return "/" in name or "\\" in name or name.startswith(".")


def _name(table: TableNode) -> str:
    physical = table.node.get("physicalName")
    return physical if isinstance(physical, str) and physical else table.name


def _key(table: TableNode, source: Source | None) -> str:
    """What the table reads, upper and lower case as one: the path where it is known, else the name at the source."""
    name = _name(table)
    if source is not None and source.connector == "files" and source.path:
        path = source.path.replace(PLACEHOLDER, name)
        # A folder or glob without the placeholder is refused for that, see `contracts.fileserver`.
        if PLACEHOLDER in source.path or (Path(path).suffix and not set(path) & set("*?[")):
            name = os.path.normpath(path)
    return name.casefold()


def _say(table: TableNode, other: TableNode) -> None:
    if TableKind.REFERENCE in (table.kind, other.kind):
        why = "a reference table is published as it is, and persons stand in this one"
        remedy = "Take the reference table out, or read it from a source without persons."
    elif TableKind.SUBJECTS in (table.kind, other.kind) and (table.rows or other.rows):
        why = "a row of facts would undo what is generalised in the same row of the subject table"
        remedy = "Publish the facts as cells, or read them from a source of their own."
    elif table.rows or other.rows:
        why = "rows, and cells or other rows of the same facts, subtract from each other"
        remedy = "Publish one plan of cells or rows per source table."
    else:
        why = "cells made twice from the same facts subtract from each other"
        remedy = "Publish one cell plan per source table."
    table.node.say(
        f"{table.node.label} reads the same source as {shown(other.name)}: {why}.",
        remedy,
        key="physicalName" if table.node.has("physicalName") else "name",
    )
