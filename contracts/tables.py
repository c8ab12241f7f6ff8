"""The contract's tables: kinds, columns, cells, and that every name in them means something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.cellplan import read_cells
from contracts.columns import good_name, read_column
from contracts.model import Column, LogicalType, Role, Table, TableKind
from contracts.own import own
from contracts.problems import choose, shown
from contracts.protection import CellPlan, PrivacyTerms, RowPlan
from contracts.reading import Node
from contracts.rowplan import check_apart, read_rows


@dataclass(frozen=True)
class TableNode:
    """A table under way: its place, what is known of it, and the places of its columns."""

    node: Node
    name: str
    kind: TableKind | None
    columns: tuple[Column, ...]
    places: tuple[Node, ...]

    @property
    def placed(self) -> tuple[tuple[Column, Node], ...]:
        """Each column with its place."""
        return tuple(zip(self.columns, self.places, strict=True))

    @property
    def rows(self) -> bool:
        """Whether facts of it go out as rows."""
        return self.kind is TableKind.FACTS and _has(self.node, "sluiceRows")

    @property
    def about_persons(self) -> bool:
        """Whether rows are known to belong to persons. Without a usable kind, which is told, nobody knows yet."""
        return self.kind is not None and self.kind.about_persons


def read_tables(document: Node, folder: Path | None = None) -> tuple[TableNode, ...]:
    """The tables with their columns; what they say wrongly by themselves is said.

    folder: the contract's, in which the files of trees stand; None when only its text is at hand.
    """
    nodes = list(document.each("schema"))
    if not nodes:
        document.say(
            "The contract has no tables.",
            "Add schema: with at least one table and its properties.",
            key="schema",
        )
    named = [(node, node.get("name")) for node in nodes]
    kinds = {i: _kind(node, name) for i, (node, name) in enumerate(named) if isinstance(name, str)}
    _one_subject_table([(named[i][0], kind) for i, kind in kinds.items()])
    segmented = any(
        kind is TableKind.FACTS and not _has(named[i][0], "sluiceRows") for i, kind in kinds.items()
    )
    tables: list[TableNode] = []
    seen: set[str] = set()
    for i, (node, name) in enumerate(named):
        if not isinstance(name, str) or not good_name(node, name, of="table"):
            continue
        node = node.named(shown(name))
        if "/" in name or "\\" in name or name.startswith("."):
            node.say(
                f"The table name `{shown(name)}` can't be a file's name.",
                "Leave out slashes and a leading dot.",
                key="name",
            )
        if name.casefold() in seen:
            node.say(
                f"Two tables are called `{shown(name)}`.",
                "Rename one; upper and lower case count as the same.",
                key="name",
            )
            continue
        seen.add(name.casefold())
        columns, places = _columns(node, kinds[i], segmented, folder)
        tables.append(TableNode(node, name, kinds[i], columns, places))
    return tuple(tables)


def sensitive_column(tables: Sequence[TableNode]) -> Node | None:
    """The first column of a subject table that has the role sensitive."""
    for table in tables:
        for column, place in zip(table.columns, table.places, strict=True):
            if column.role is Role.SENSITIVE and table.kind is TableKind.SUBJECTS:
                return place
    return None


def finish_tables(tables: Sequence[TableNode], terms: PrivacyTerms | None) -> tuple[Table, ...]:
    """The tables as values without checks, once the privacy terms are known; what doesn't fit them is said."""
    subjects = next((table.name for table in tables if table.kind is TableKind.SUBJECTS), None)
    if terms is not None:
        _check_unit(tables, terms)
    finished: list[Table] = []
    row_plans: list[tuple[RowPlan, Node, str]] = []
    for table in tables:
        _check_orders(table, terms)
        time_column = _time_column(table)
        cells, rows = _plans(table, subjects, terms, time_column)
        if rows is not None:
            row_plans.append((rows, own(table.node, "sluiceRows") or table.node, table.node.label))
        physical = table.node.get("physicalName")
        if isinstance(physical, str) and not good_name(table.node, physical, of="table", key="physicalName"):
            physical = None
        finished.append(
            Table(
                name=table.name,
                physical_name=physical or table.name,
                kind=table.kind or TableKind.SUBJECTS,
                columns=table.columns,
                time_column=time_column,
                cells=cells,
                rows=rows,
                description=table.node.get("description") or "",
            )
        )
    check_apart(row_plans)
    return tuple(finished)


def _has(node: Node, key: str) -> bool:
    """Whether one of our keys stands in a place's customProperties; nothing is said."""
    return any(entry.get("property") == key and entry.has("value") for entry in node.each("customProperties"))


def _plans(
    table: TableNode, subjects: str | None, terms: PrivacyTerms | None, time_column: str | None
) -> tuple[CellPlan | None, RowPlan | None]:
    """How facts go out: as cells or as rows, one of them; no other table has either."""
    label, cells, rows = table.node.label, own(table.node, "sluiceCells"), own(table.node, "sluiceRows")
    if table.kind is not TableKind.FACTS:
        for given, what in ((cells, "cells"), (rows, "rows under a pseudonym")):
            if given is not None:
                given.say(
                    f"{label}: only facts are published as {what}.",
                    f"Take {given.label} out, or set sluiceKind: facts.",
                )
        return None, None
    if cells is not None and rows is not None:
        rows.say(
            f"{label} has both sluiceCells and sluiceRows: rows beside cells of the same facts subtract from each other.",
            "Keep one of them.",
        )
        return None, None
    if rows is not None:
        named = rows.named(f"{label}: sluiceRows")
        return None, read_rows(named, table.placed, table=label, time_column=time_column, terms=terms)
    if cells is None:
        table.node.say(
            f"{label} holds facts of persons and no plan to make cells of them.",
            "Add the customProperty sluiceCells with dimensions and measures, or sluiceRows for rows under a pseudonym.",
            key="customProperties",
        )
        return None, None
    by_name = {column.name: column for column in table.columns}
    return read_cells(cells.named(f"{label}: sluiceCells"), by_name, subjects=subjects, terms=terms), None


def _check_orders(table: TableNode, terms: PrivacyTerms | None) -> None:
    """A sensitive column's order is there for t-closeness, which is asked of the classes of a subject table."""
    for column, place in table.placed:
        if column.role is not Role.SENSITIVE or column.hierarchy is None:
            continue
        if table.kind is not TableKind.SUBJECTS or terms is None or terms.t is None:
            why = "no `t`" if table.kind is TableKind.SUBJECTS else "no classes of facts"
            (own(place, "sluiceHierarchy") or place).say(
                f"{place.label}: the order of a sensitive column counts for t-closeness only, and there is {why}.",
                "Add `t` to sluicePrivacy, or take sluiceHierarchy out."
                if table.kind is TableKind.SUBJECTS
                else "Take sluiceHierarchy out.",
            )


def _kind(node: Node, name: str) -> TableKind | None:
    given = own(node, "sluiceKind")
    kinds = [kind.value for kind in TableKind]
    if given is None:
        node.say(
            f"{shown(name)} doesn't say what it is about.",
            "Add the customProperty sluiceKind: subjects (rows describe persons), facts (what persons did) or reference (no persons).",
            key="customProperties",
        )
        return None
    if given.value not in kinds:
        given.say(
            f"{shown(name)}: sluiceKind can't be `{shown(given.value)}`.", choose(str(given.value), kinds)
        )
        return None
    return TableKind(given.value)


def _one_subject_table(kinds: Sequence[tuple[Node, TableKind | None]]) -> None:
    subjects = [node for node, kind in kinds if kind is TableKind.SUBJECTS]
    for node in subjects[1:]:
        node.say(
            f"{shown(node.get('name'))} is a second subject table.",
            f"Keep one (`{shown(subjects[0].get('name'))}`): join them at the source, or share the other by a contract of its own.",
            key="customProperties",
        )


def _columns(
    node: Node, kind: TableKind | None, segmented: bool, folder: Path | None
) -> tuple[tuple[Column, ...], tuple[Node, ...]]:
    columns: list[Column] = []
    places: list[Node] = []
    seen: set[str] = set()
    for place in node.each("properties"):
        name = place.get("name")
        if isinstance(name, str) and name.casefold() in seen:
            place.say(
                f"{node.label} has two columns `{shown(name)}`.",
                "Rename one; upper and lower case count as the same.",
                key="name",
            )
            continue
        if isinstance(name, str):
            seen.add(name.casefold())
        column = read_column(
            place,
            table=node.label,
            kind=kind,
            segmented=segmented,
            rows=_has(node, "sluiceRows"),
            folder=folder,
        )
        if column is not None:
            columns.append(column)
            places.append(place.named(f"{node.label}.{shown(name)}"))
    if not node.get("properties"):
        node.say(f"{node.label} has no columns.", "List its columns under properties.", key="properties")
    sources: set[str] = set()
    for column, place in zip(columns, places, strict=True):
        source = column.physical_name or column.name
        if source in sources:
            place.say(
                f"{place.label} reads a source column that another column reads.",
                "Keep one of them.",
                key="physicalName",
            )
        sources.add(source)
    return tuple(columns), tuple(places)


def _check_unit(tables: Sequence[TableNode], terms: PrivacyTerms) -> None:
    """The privacy unit stands in every table about persons, as an identifier of one type, and in no other table."""
    first: LogicalType | None = None
    for table in tables:
        found = [
            (c, place)
            for c, place in zip(table.columns, table.places, strict=True)
            if c.name == terms.unit
            or (table.kind is TableKind.REFERENCE and c.name.casefold() == terms.unit.casefold())
        ]
        if not table.about_persons:
            if found and table.kind is TableKind.REFERENCE:
                found[0][1].say(
                    f"{table.node.label} is a reference table and has the privacy unit `{shown(found[0][0].name)}`.",
                    "Set sluiceKind: subjects or facts, or leave the column out.",
                    key="name",
                )
            continue
        if not found:
            table.node.say(
                f"{table.node.label} is about persons and lacks the privacy unit `{shown(terms.unit)}`.",
                choose(terms.unit, [column.name for column in table.columns])
                if table.columns
                else "Add the column.",
                key="properties",
            )
            continue
        column, place = found[0]
        if column.role is not Role.IDENTIFIER:
            place.say(
                f"{place.label} is the privacy unit.", "Set sluiceRole: identifier.", key="customProperties"
            )
        if not column.required and place.get("primaryKey") is not True:
            place.say(
                f"{place.label} is the privacy unit and may be NULL: such a row is nobody's, and no limit counts it.",
                "Set required: true; rows without it are set aside then.",
                key="required",
            )
        if column.type not in (LogicalType.STRING, LogicalType.INTEGER):
            place.say(
                f"{place.label} is the privacy unit and {column.type.value}: such values don't name persons reliably.",
                "Make it a string or an integer.",
                key="logicalType",
            )
            continue
        if first is not None and column.type is not first:
            place.say(
                f"{place.label} is {column.type.value}, elsewhere the privacy unit is {first.value}.",
                "Give it one type.",
                key="logicalType",
            )
        first = first or column.type


def _time_column(table: TableNode) -> str | None:
    given = own(table.node, "sluiceTime")
    if given is None:
        return None
    by_name = {column.name: column for column in table.columns}
    if not isinstance(given.value, str) or given.value not in by_name:
        timed = [c.name for c in table.columns if c.type in (LogicalType.DATE, LogicalType.TIMESTAMP)]
        given.say(
            f"{table.node.label}: sluiceTime names `{shown(given.value)}`, which isn't a column.",
            choose(str(given.value), timed),
        )
        return None
    if by_name[given.value].type not in (LogicalType.DATE, LogicalType.TIMESTAMP):
        given.say(
            f"{table.node.label}: sluiceTime names `{shown(given.value)}`, which is {by_name[given.value].type.value}.",
            "Name a date or timestamp column.",
        )
        return None
    return given.value
