"""The contract's tables: kinds, columns, cells, and that every name in them means something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.cellplan import read_cells
from contracts.columns import good_name, read_column
from contracts.model import Column, LogicalType, PrivacyTerms, Role, Table, TableKind
from contracts.own import own
from contracts.problems import choose, shown
from contracts.reading import Node


@dataclass(frozen=True)
class TableNode:
    """A table under way: its place, what is known of it, and the places of its columns."""

    node: Node
    name: str
    kind: TableKind | None
    columns: tuple[Column, ...]
    places: tuple[Node, ...]

    @property
    def about_persons(self) -> bool:
        """Whether rows are known to belong to persons. Without a usable kind, which is told, nobody knows yet."""
        return self.kind is not None and self.kind.about_persons


def read_tables(document: Node) -> tuple[TableNode, ...]:
    """The tables with their columns; what they say wrongly by themselves is said."""
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
    segmented = TableKind.FACTS in kinds.values()
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
        columns, places = _columns(node, name, kinds[i], segmented)
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
    finished = []
    for table in tables:
        cells = own(table.node, "sluiceCells")
        plan = None
        if table.kind is TableKind.FACTS:
            if cells is None:
                table.node.say(
                    f"{table.node.label} holds facts of persons and no plan to make cells of them.",
                    "Add the customProperty sluiceCells with dimensions and measures.",
                    key="customProperties",
                )
            else:
                by_name = {column.name: column for column in table.columns}
                plan = read_cells(
                    cells.named(f"{table.node.label}: sluiceCells"), by_name, subjects=subjects, terms=terms
                )
        elif cells is not None:
            cells.say(
                f"{table.node.label}: only facts are published as cells.",
                "Take sluiceCells out, or set sluiceKind: facts.",
            )
        physical = table.node.get("physicalName")
        if isinstance(physical, str) and not good_name(table.node, physical, of="table", key="physicalName"):
            physical = None
        finished.append(
            Table(
                name=table.name,
                physical_name=physical or table.name,
                kind=table.kind or TableKind.SUBJECTS,
                columns=table.columns,
                time_column=_time_column(table),
                cells=plan,
                description=table.node.get("description") or "",
            )
        )
    return tuple(finished)


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
    node: Node, table: str, kind: TableKind | None, segmented: bool
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
        column = read_column(place, table=node.label, kind=kind, segmented=segmented)
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
