"""The standard's types, options and quality rules as checks. What can't be compiled is a problem, never dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from contracts.checks import Check, CheckKind, Scope
from contracts.hierarchy import leaf_values
from contracts.model import Column, LogicalType, Role, Table, TableKind
from contracts.options import compile_options, fits
from contracts.problems import shown
from contracts.protection import PrivacyTerms, Transform
from contracts.reading import Node
from contracts.rules import compile_rule
from contracts.sqlrule import SqlGate
from contracts.tables import TableNode

Compiled = tuple[tuple[Check, ...], tuple[str, ...]]  # checks, and rules in prose

IN_HIERARCHY = "{name} in its hierarchy"  # the check that a hierarchy with listed values makes
_SQL_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMP",
}


def compile_checks(
    nodes: Sequence[TableNode], tables: Sequence[Table], terms: PrivacyTerms | None
) -> tuple[Compiled, ...]:
    """Each table's checks, names unique in it, and its rules in prose; what is wrong goes to the nodes' problems."""
    shapes = {
        table.name: [(column.name, _SQL_TYPES[column.type]) for column in table.columns] for table in tables
    }
    taken = {name.casefold() for name in shapes}
    for table in tables:  # where rules run, a table also answers to its name at the source, if that is free
        if table.physical_name.casefold() not in taken:
            taken.add(table.physical_name.casefold())
            shapes[table.physical_name] = shapes[table.name]
    with closing(SqlGate(shapes)) as gate:
        return tuple(
            _compile_table(node, table, terms, gate) for node, table in zip(nodes, tables, strict=True)
        )


def check_reachable(
    nodes: Sequence[TableNode], checked: Sequence[Compiled], terms: PrivacyTerms | None
) -> None:
    """Says which sensitive columns can't have as many values as every class must show, by what the contract lets stand there."""
    for table, (checks, _) in zip(nodes, checked, strict=True):
        for column, place in table.placed:
            hidden = column.transform in (Transform.DROP, Transform.REDACT)
            if (
                terms is None
                or table.kind is not TableKind.SUBJECTS
                or column.role is not Role.SENSITIVE
                or hidden
            ):
                continue
            most = _most_values(column, checks)
            for key, asked in (("l", terms.l), ("entropyL", terms.entropy_l)):
                if most is not None and asked is not None and asked > most:
                    place.say(
                        f"{place.label} can have {most} values at most, and sluicePrivacy asks for `{key}` {asked:g} in every class.",
                        f"Lower `{key}` to {most}, or let more values stand in the column.",
                    )


def _most_values(column: Column, checks: Sequence[Check]) -> int | None:
    """How many values besides NULL may stand in the column, as far as its type and its lists of values say; None: any."""
    counts = [2] if column.type is LogicalType.BOOLEAN else []
    for check in checks:
        if check.column != column.name or check.scope is not Scope.ROW or check.severity != "error":
            continue
        listed = check.params.get("values")
        if check.kind is CheckKind.METRIC:
            arguments = check.params["arguments"]
            listed = None if "pattern" in arguments else arguments.get("validValues")
        if isinstance(listed, list):
            counts.append(len({str(value) for value in listed if value is not None}))
    return min(counts, default=None)


def _compile_table(node: TableNode, table: Table, terms: PrivacyTerms | None, gate: SqlGate) -> Compiled:
    checks: list[Check] = []
    notes: list[str] = []
    keys = _primary_key(node)
    for column, place in zip(table.columns, node.places, strict=True):
        checks += _column_checks(place, table, column, keys, terms, gate)
    if len(keys) > 1:
        name = f"primary key ({', '.join(keys)})"
        checks.append(
            Check(
                table=table.name, name=name, kind=CheckKind.UNIQUE, scope=Scope.ROW, params={"columns": keys}
            )
        )
    for column, place in zip(table.columns, node.places, strict=True):
        for rule in place.each("quality"):
            _take(compile_rule(rule.named(place.label), table, column, gate), checks, notes)
    for rule in node.node.each("quality"):
        _take(compile_rule(rule.named(node.node.label), table, None, gate), checks, notes)
    _check_references(node, gate)
    return tuple(_named_apart(checks)), tuple(notes)


def _take(compiled: Check | str | None, checks: list[Check], notes: list[str]) -> None:
    if isinstance(compiled, Check):
        checks.append(compiled)
    elif compiled is not None:
        notes.append(compiled)


def _column_checks(
    place: Node, table: Table, column: Column, keys: Sequence[str], terms: PrivacyTerms | None, gate: SqlGate
) -> Iterator[Check]:
    def check(name: str, kind: CheckKind, scope: Scope = Scope.ROW, **params: Any) -> Check:
        return Check(table=table.name, name=name, kind=kind, scope=scope, column=column.name, params=params)

    name = column.name
    yield check(
        f"{name} is {column.type.value}",
        CheckKind.TYPE,
        Scope.TABLE,
        type=column.type.value,
        physical=column.physical_type,
    )
    # A row without its privacy unit belongs to nobody who could be counted.
    unit = terms is not None and name == terms.unit and table.kind is not TableKind.REFERENCE
    if column.required or name in keys or unit:
        yield check(f"{name} is required", CheckKind.REQUIRED)
    if place.get("unique") is True or list(keys) == [name]:
        yield check(f"{name} is unique", CheckKind.UNIQUE, columns=[name])
    yield from compile_options(place, table.name, column, gate)
    if place.has("enum"):
        values = [entry.get("value") for entry in place.each("enum")]
        for i, value in enumerate(values):
            if not fits(value, column.type):
                place.problems.add(
                    (*place.where, "enum", i), f"{place.label}: a value of enum isn't of type {column.type.value}.",
                    "Put it in quotes." if column.type is LogicalType.STRING else "Write it in the column's type.",
                )  # fmt: skip
        yield check(f"{name} is one of its values", CheckKind.VALUES, values=values)
    if column.hierarchy is not None and column.hierarchy.leaves:
        yield check(
            IN_HIERARCHY.format(name=name),
            CheckKind.VALUES,
            values=leaf_values(column.hierarchy, column.type),
        )


def _primary_key(node: TableNode) -> list[str]:
    """The columns of the primary key by position, then as they stand."""
    found: list[tuple[int, int, str]] = []
    taken: set[int] = set()
    for i, (column, place) in enumerate(zip(node.columns, node.places, strict=True)):
        position = place.get("primaryKeyPosition")
        position = position if isinstance(position, int) and position > 0 else None
        if place.get("primaryKey") is not True:
            continue
        if position is not None and position in taken:
            place.say(
                f"{place.label}: two columns share primaryKeyPosition {position}.",
                "Number them 1, 2, ...",
                key="primaryKeyPosition",
            )
        if position is not None:
            taken.add(position)
        found.append((position if position is not None else len(node.columns) + 1, i, column.name))
    return [name for _, _, name in sorted(found)]


def _check_references(node: TableNode, gate: SqlGate) -> None:
    """References in short form (`table.column`) name what this contract has; they are told, not enforced."""
    places = [(node.node, node.node.label), *((place, place.label) for place in node.places)]
    for place, label in places:
        for relation in place.each("relationships"):
            for key in ("from", "to"):
                named = relation.get(key)
                for reference in named if isinstance(named, list) else [named]:
                    if isinstance(reference, str) and "/" not in reference and not gate.knows(reference):
                        relation.say(
                            f"{label}: the relationship names `{shown(reference)}`, which isn't in the contract.",
                            "Write table.column as the contract names them.",
                            key=key,
                        )


def _named_apart(checks: Sequence[Check]) -> Iterator[Check]:
    """The checks with names that stand once in their table: the second of a name gets ` (2)`."""
    seen: set[str] = set()
    for check in checks:
        name, number = check.name, 1
        while name in seen:
            number += 1
            name = f"{check.name} ({number})"
        seen.add(name)
        yield check if name == check.name else replace(check, name=name)
