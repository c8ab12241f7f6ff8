"""What a contract could say of a dataset: kinds of tables, roles, transforms, sensitivities and grades, each with a reason.

Cautious on purpose: what might identify a person is an identifier and dropped, what might be sensitive is dropped, and a
table that can't be judged stays out, until somebody says otherwise. Each such case is said in `decide`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.columns import MAX_NAME_BYTES
from contracts.declared import Grade, Sensitivity
from contracts.drafts.meanings import Meaning, is_calendar, is_id, meaning_of, names_persons, names_things
from contracts.drafts.seen import Look, SeenColumn, SeenTable
from contracts.model import LogicalType, Role, TableKind
from contracts.problems import shown
from contracts.protection import Transform

_MANY, _LONG = 500, 80  # values of a dimension; characters of a text that is a label and no prose
_MOST_DIMENSIONS = 3
_NUMBERS = (LogicalType.INTEGER, LogicalType.NUMBER)
_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)
_UNITS = (LogicalType.STRING, LogicalType.INTEGER)
_TAKEN = (
    "_rules",
    "sluice_unit",
    "segment_of_row",
    "segment",
    "units",
)  # what the route calls columns of its own
_LOOKS = {
    Look.DOCUMENT: Sensitivity.IDENTITY,
    Look.CARD: Sensitivity.FINANCIAL,
}


@dataclass(frozen=True, kw_only=True)
class ProposedColumn:
    """transform: None where the role's own is meant. why: a few words, for a comment."""

    name: str
    type: LogicalType
    physical_type: str | None
    role: Role
    why: str
    transform: Transform | None = None
    sensitivity: Sensitivity = Sensitivity.PERSONAL
    grade: Grade = Grade.GENERAL


@dataclass(frozen=True, kw_only=True)
class ProposedTable:
    """dimensions, sums: columns of the cells, for facts. left_out: columns that aren't in the contract, with the reason."""

    name: str
    physical_name: str
    kind: TableKind
    why: str
    columns: tuple[ProposedColumn, ...]
    time: str | None = None
    dimensions: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """unit: the column that tells whose a row is; None when no table is about persons. decide: what a person must look at."""

    unit: str | None
    tables: tuple[ProposedTable, ...]
    decide: tuple[str, ...]


def propose(
    tables: Sequence[SeenTable],
    *,
    unit: str | None = None,
    kinds: Mapping[str, TableKind | None] | None = None,
) -> Proposed:
    """A proposal for each table. unit, kinds: what somebody has said already; kind None leaves the table out.

    A table that can't be in the contract isn't, and `decide` says why; with none left, `tables` is empty.
    """
    said = dict(kinds or {})
    unit = unit or _unit(tables)
    proposed: list[ProposedTable] = []
    decide: list[str] = []
    subjects: str | None = None
    types: set[LogicalType] = set()  # of the unit, in the tables so far
    for table in sorted(tables, key=lambda each: not _is_one_each(each, unit)):
        if table.name in said and said[table.name] is None:
            continue
        kind, why = _kind(table, unit, said.get(table.name))
        if not _fits(table.name):
            kind, why = None, "has a name that can't be carried; rename it at the source"
        if kind is TableKind.SUBJECTS and subjects is not None:
            kind, why = None, f"describes persons, as `{subjects}` does, and a contract has one such table: join them at the source, or share it by a contract of its own"  # fmt: skip
        if kind is None:
            decide.append(f"Table `{shown(table.name)}` is left out: it {why}.")
            continue
        made = _table(table, kind, why, unit)
        lacking = _lacks(made, unit, types)
        if lacking:
            decide.append(f"Table `{shown(table.name)}` is left out: it {lacking}.")
            continue
        types |= {each.type for each in made.columns if each.name == unit}
        subjects = table.name if kind is TableKind.SUBJECTS else subjects
        proposed.append(made)
        decide += _to_decide(made)
    order = {table.name: place for place, table in enumerate(tables)}
    proposed.sort(key=lambda each: order[each.name])
    persons = any(each.kind is not TableKind.REFERENCE for each in proposed)
    return Proposed(unit=unit if persons else None, tables=tuple(proposed), decide=tuple(decide))


def _unit(tables: Sequence[SeenTable]) -> str | None:
    """The column that names persons in most tables; else an id of nobody knows what, which may be a person's."""
    for fits in (names_persons, lambda name: is_id(name) and not names_things(name)):
        found = Counter(
            column.name
            for table in tables
            for column in table.columns
            if column.type in _UNITS and fits(column.name)
        )
        if found:
            return found.most_common(1)[0][0]
    return None


def _is_one_each(table: SeenTable, unit: str | None) -> bool:
    return any(column.name == unit and column.one_each for column in table.columns)


def _kind(table: SeenTable, unit: str | None, said: TableKind | None) -> tuple[TableKind | None, str]:
    """The table's kind and why; None and why it stays out."""
    column = next((each for each in table.columns if each.name == unit and each.type in _UNITS), None)
    if said is TableKind.REFERENCE and column is None:
        return said, "somebody said so"
    if column is None:
        personal = next((each for each in table.columns if _might_name(each)), None)
        if personal is None and said is None:
            return TableKind.REFERENCE, "no column speaks of persons"
        lacks = f"has no column `{unit}`" if unit else "has no column that tells whose a row is"
        reason = f"may be about persons (`{personal.name}`) and " if personal else ""
        return None, f"{reason}{lacks}; say otherwise with --unit or --kind {table.name}=reference"
    if said is TableKind.REFERENCE:
        return None, f"has the privacy unit `{unit}`, so that it's no reference table"
    if said is not None:
        return said, "somebody said so"
    if column.one_each or not column.filled:
        return TableKind.SUBJECTS, f"each `{unit}` has one row"
    return TableKind.FACTS, f"a `{unit}` has several rows"


def _might_name(column: SeenColumn) -> bool:
    """Whether a column of a table without the unit speaks of persons all the same."""
    if column.look is not None or names_persons(column.name):
        return True
    if names_things(column.name):
        return False
    return meaning_of(column.name) is not None or (is_id(column.name) and column.mostly_own)


def _table(table: SeenTable, kind: TableKind, why: str, unit: str | None) -> ProposedTable:
    columns: list[ProposedColumn] = []
    left_out: list[tuple[str, str]] = []
    seen: set[str] = set()
    for column in table.columns:
        reason = _unusable(column, seen)
        if reason:
            left_out.append((column.name, reason))
            continue
        seen.add(column.name.casefold())
        columns.append(_column(column, kind, unit))
    by_name = {column.name: column for column in table.columns}
    plain = [each for each in columns if each.role is Role.ATTRIBUTE] if kind is TableKind.FACTS else []
    return ProposedTable(
        name=table.name,
        physical_name=table.physical_name,
        kind=kind,
        why=why,
        columns=tuple(columns),
        time=next((each.name for each in columns if each.type in _TIMES and kind is TableKind.FACTS), None),
        dimensions=tuple(
            each.name
            for each in plain
            if (each.type not in _NUMBERS or is_calendar(each.name)) and by_name[each.name].distinct <= _MANY
        )[:_MOST_DIMENSIONS],
        sums=tuple(each.name for each in plain if each.type in _NUMBERS and not is_calendar(each.name)),
        left_out=tuple(left_out),
    )


def _lacks(table: ProposedTable, unit: str | None, types: set[LogicalType]) -> str:
    """Why the table can't be in the contract as it would be; empty when it can."""
    if not table.columns:
        return "has no column that can be carried"
    if table.kind is TableKind.REFERENCE:
        return ""
    own = next((each for each in table.columns if each.name == unit), None)
    if own is None or types - {own.type}:
        return f"has no `{unit}` of the type that other tables have" if own else f"has no usable `{unit}`"
    if table.kind is TableKind.FACTS and not table.dimensions:
        return "has no column by which cells could be made"
    return ""


def _unusable(column: SeenColumn, seen: set[str]) -> str:
    name = column.name
    if not _fits(name):
        return "its name can't be carried: rename it at the source"
    if column.type is None:
        return "no contract carries its type: flatten it at the source"
    if name.casefold() in _TAKEN:
        return "the route has a column of that name: rename it at the source"
    if name.casefold() in seen:
        return "another column has its name, but for capitals"
    return ""


def _fits(name: str) -> bool:
    """Whether a name of a table or a column can stand in a contract."""
    return name == name.strip() != "" and name.isprintable() and len(name.encode()) <= MAX_NAME_BYTES


def _column(column: SeenColumn, kind: TableKind, unit: str | None) -> ProposedColumn:
    if column.name == unit:
        return _as(
            column,
            Role.IDENTIFIER,
            "the privacy unit: whose the row is; dropped until a recipient needs pseudonym",
        )
    if kind is TableKind.REFERENCE:
        return _as(column, Role.ATTRIBUTE, "of no person", sensitivity=Sensitivity.NONE)
    if column.look is not None:
        known = _LOOKS.get(column.look, Sensitivity.PERSONAL)
        return _as(column, Role.IDENTIFIER, f"its values look like {column.look}", sensitivity=known)
    meaning = meaning_of(column.name)
    if meaning is not None and not names_things(column.name):
        return _meant(column, meaning, kind)
    if column.longest > _LONG:
        return _as(column, Role.EXCLUDED, "long text may say anything")
    return _of_facts(column) if kind is TableKind.FACTS else _of_subjects(column)


def _meant(column: SeenColumn, meaning: Meaning, kind: TableKind) -> ProposedColumn:
    why = f"its name speaks of {meaning.what}"
    role, transform = meaning.role, None
    if kind is TableKind.FACTS and role in (Role.QUASI_IDENTIFIER, Role.SENSITIVE):
        role, why = Role.EXCLUDED, f"{why}, which belongs to a table of subjects"
    elif role is Role.SENSITIVE:
        # With `keep` it would be published as it is; that is to be wanted, and not to come by itself.
        transform, why = Transform.DROP, f"{why}; dropped until the purpose needs it"
    return _as(column, role, why, transform=transform, sensitivity=meaning.sensitivity, grade=meaning.grade)


def _of_subjects(column: SeenColumn) -> ProposedColumn:
    if names_persons(column.name) or is_id(column.name):
        return _as(column, Role.IDENTIFIER, "an id: it may point at a person")
    if column.type is LogicalType.STRING and column.mostly_own:
        return _as(column, Role.IDENTIFIER, "most rows have a value of their own: it may point at a person")
    return _as(column, Role.QUASI_IDENTIFIER, "may be known from elsewhere; nothing says it isn't")


def _of_facts(column: SeenColumn) -> ProposedColumn:
    if names_things(column.name) and is_id(column.name):
        return _as(column, Role.EXCLUDED, "an id of a thing; no cell needs it")
    if names_persons(column.name) or is_id(column.name):
        return _as(column, Role.IDENTIFIER, "an id: it may point at a person, or at one act")
    if column.type in _TIMES:
        return _as(column, Role.EXCLUDED, "a moment of an act; the runs' windows go by it")
    if column.type in _NUMBERS and not is_calendar(column.name):
        if column.type is LogicalType.INTEGER and column.mostly_own:
            return _as(
                column, Role.IDENTIFIER, "most rows have a number of their own: it may point at one act"
            )
        return _as(column, Role.ATTRIBUTE, "a number, summed over cells of at least k persons")
    if column.mostly_own or column.distinct > _MANY:
        return _as(column, Role.IDENTIFIER, "too many different values: it may point at a person")
    return _as(column, Role.ATTRIBUTE, "few values, each shared by many rows: cells can be made of it")


def _as(
    column: SeenColumn,
    role: Role,
    why: str,
    *,
    transform: Transform | None = None,
    sensitivity: Sensitivity = Sensitivity.PERSONAL,
    grade: Grade = Grade.GENERAL,
) -> ProposedColumn:
    assert column.type is not None  # `_unusable` kept it out
    return ProposedColumn(
        name=column.name,
        type=column.type,
        physical_type=column.physical_type,
        role=role,
        why=why,
        transform=transform,
        sensitivity=sensitivity,
        grade=grade,
    )


def _to_decide(table: ProposedTable) -> list[str]:
    found = [f"Column `{table.name}.{shown(name)}` is left out: {why}." for name, why in table.left_out]
    if table.kind is TableKind.REFERENCE:
        found.append(f"Table `{table.name}` is published as it is: say that no row of it is about a person.")
    heavy = [column.name for column in table.columns if column.grade is not Grade.GENERAL]
    if heavy:
        named = ", ".join(f"`{name}`" for name in heavy)
        found.append(f"Table `{table.name}`: {named} may be important data, which needs an approval. Leave it out, or name the approval.")  # fmt: skip
    sensitive = [column.name for column in table.columns if column.sensitivity.is_sensitive]
    if sensitive:
        named = ", ".join(f"`{name}`" for name in sensitive)
        found.append(f"Table `{table.name}`: {named} may be sensitive personal information. Leave it out, or say what it's needed for.")  # fmt: skip
    return found
