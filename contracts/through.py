"""A contract as one door sees it: columns that may not pass are dropped."""

from __future__ import annotations

from dataclasses import replace

from contracts.declared import DOORS
from contracts.model import Column, Contract, Role, Table
from contracts.protection import Transform
from core.errors import ContractError


def through(contract: Contract, door: str) -> Contract:
    """The contract with every column dropped that sluiceDoors keeps from `door`. Its digest stays the signed document's.

    Raises ContractError for a door that isn't one, where the release's cells are made of a column that may not pass, and
    where its rows would lose the pseudonym of their unit or all that they tell: that is another plan, which nobody agreed to.
    """
    if door not in DOORS:
        raise ContractError(f"There is no door `{door}`.", remedy=f"Use {', '.join(DOORS)}.")
    unit = contract.privacy.unit if contract.privacy is not None else None
    return replace(contract, tables=tuple(_table(table, door, unit) for table in contract.tables))


def _table(table: Table, door: str, unit: str | None) -> Table:
    kept_back = {
        column.name for column in table.columns if column.doors is not None and door not in column.doors
    }
    if table.cells is not None and door == "release":
        used = [level.column for dimension in table.cells.dimensions for level in dimension.levels]
        used += [measure.column for measure in table.cells.measures if measure.column is not None]
        for name in used:
            if name in kept_back:
                raise ContractError(
                    f"`{table.name}.{name}` may not pass the door {door}, and its cells are made of it.",
                    where=f"table {table.name}",
                    remedy="Add the door to its sluiceDoors, or take the column out of sluiceCells.",
                )
    if table.rows is not None and door == "release":
        told = any(
            column.role is Role.ATTRIBUTE and column.transform is not Transform.REDACT and column.passes(door)
            for column in table.columns
        )
        lost = (
            f"`{table.name}.{unit}`"
            if unit in kept_back
            else ""
            if told
            else f"No attribute of `{table.name}`"
        )
        if lost:
            raise ContractError(
                f"{lost} may {'not ' if told else ''}pass the door {door}, and its rows need it.",
                where=f"table {table.name}",
                remedy="Add the door to its sluiceDoors, or take sluiceRows out.",
            )
    return replace(table, columns=tuple(_column(column, kept_back) for column in table.columns))


def _column(column: Column, kept_back: set[str]) -> Column:
    return replace(column, transform=Transform.DROP, treatment=None) if column.name in kept_back else column
