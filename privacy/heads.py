"""Whose data goes out: the distinct privacy units of a contract's tables, and how many persons each is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from contracts.compliance import MAX_MEMBERS
from contracts.model import Contract, Table
from core.errors import PrivacyError
from core.parquet import batches
from core.proof import TableFile

_COUNT = re.compile(r"\s*([0-9]{1,5})\s*(\+?)\s*")  # "5+" is five or more


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """One privacy unit as one table shows it. unit: its value as text. members: how many persons, at least so many when `open`.

    An unknown number is open from 1. sensitive: whether a sensitive column of that table goes out.
    """

    unit: str = field(repr=False)
    members: int
    open: bool
    sensitive: bool


def namespace_of(contract: Contract) -> str:
    """The namespace in which units of this contract are one person when they're spelt alike.

    The one that it declares. Without it a namespace of its own, so that its persons are added to the others'.
    """
    declared = contract.compliance.subject_namespace if contract.compliance else None
    if declared is not None:
        return f"declared\n{declared}"
    unit = contract.privacy.unit if contract.privacy else ""
    return f"contract\n{contract.id}\n{unit}"


def heads_of(contract: Contract, files: Mapping[str, TableFile], *, door: str) -> Iterator[Head]:
    """Every unit of the tables about persons, once for each table and number of members that it shows there.

    files: the contract's tables before they're made safe, by name. Raises PrivacyError for rows that say no unit.
    """
    for table in contract.tables:
        if not table.kind.about_persons:
            continue
        sensitive = table.shows_sensitive(door)
        for unit, members in _distinct(contract, table, files[table.name]):
            count, is_open = members_of(members)
            yield Head(unit=unit, members=count, open=is_open, sensitive=sensitive)


def members_of(value: object) -> tuple[int, bool]:
    """How many persons a unit holds, and whether that is only the least: anything but a plain count is one or more."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, False) if 1 <= value <= MAX_MEMBERS else (1, True)
    match = _COUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= MAX_MEMBERS:
        return 1, True
    return int(match[1]), bool(match[2])


def _distinct(contract: Contract, table: Table, file: TableFile) -> Iterator[tuple[str, object]]:
    """The distinct pairs of unit and what the table says of its members."""
    if contract.privacy is None:
        raise PrivacyError(
            f"Contract {contract.id} has rows of persons and no privacy terms.", remedy="Add sluicePrivacy."
        )
    unit, said = contract.privacy.unit, contract.compliance.members_per_unit if contract.compliance else None
    column = said if isinstance(said, str) and any(each.name == said for each in table.columns) else None
    names = list(dict.fromkeys([unit] if column is None else [unit, column]))
    pairs: pa.Table | None = None
    for batch in batches(file, names):
        part = pa.Table.from_batches([batch])
        if part.column(unit).null_count:
            raise PrivacyError(
                f"`{table.name}` has rows that don't say whose they are.",
                remedy=f"Take out rows without `{unit}`.",
            )
        part = part.group_by(names).aggregate([])
        pairs = part if pairs is None else pa.concat_tables([pairs, part])
        if pairs.num_rows > 1 << 22:
            pairs = pairs.group_by(names).aggregate([])
    if pairs is None:
        return
    pairs = pairs.group_by(names).aggregate([])
    fixed = said if isinstance(said, int) else None
    for piece in pairs.to_batches():
        units = pc.cast(piece.column(unit), pa.string()).to_pylist()
        members = piece.column(column).to_pylist() if column is not None else [fixed] * len(units)
        yield from zip(units, members, strict=True)
