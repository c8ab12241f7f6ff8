"""What is published of a subject table, column by column, and which segment each person is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pyarrow as pa

from contracts.model import Column, Contract, Table
from contracts.protection import Transform
from core.keys import ContractKeys
from core.parquet import schema
from core.proof import TableFile
from privacy.facts.ladders import SEGMENT
from privacy.subjects.attach import Column as Given
from privacy.subjects.attach import by_group, by_row, constant, drawn, pseudonyms
from privacy.subjects.cube import Cube
from privacy.subjects.order import Order, shuffled
from privacy.subjects.tokens import tokens as token_columns
from privacy.subjects.whole import Whole
from privacy.transforms.coding import REDACTED
from privacy.transforms.noise import noised
from privacy.transforms.tokens import Tokens


def pseudonym_key(keys: ContractKeys, contract: Contract, column: Column) -> bytes:
    """The key of one column's pseudonyms: another one for each contract, recipient and column name."""
    return keys.derive("pseudonym", contract.recipient, column.name)


def segment_names(count: int, last: int, *, key: bytes) -> pa.Array:
    """The names of so many segments, numbered from `last` + 1 on: dealt out by the key, since their own numbers would tell
    how they lie."""
    return pa.array([f"S{last + number + 1:02d}" for number in shuffled(count, key).tolist()], pa.string())


def columns_of(
    file: TableFile,
    contract: Contract,
    plan: Table,
    keys: ContractKeys,
    cube: Cube,
    whole: Whole,
    order: Order,
    tokens: Tokens,
) -> Mapping[str, tuple[pa.DataType, Given]]:
    """The published columns, in the contract's order: their types, and what gives their values."""
    classes = whole.classes
    labels = dict(zip(cube.hierarchies, classes.labels, strict=True))
    replaced = {
        column.name: pseudonym_key(keys, contract, column)
        for column in plan.columns
        if column.transform is Transform.PSEUDONYM
    }
    made = pseudonyms(file, replaced, cube.rows) | token_columns(file, tokens)
    columns: dict[str, tuple[pa.DataType, Given]] = {}
    fields = schema(file)
    for column in plan.columns:
        if column.name in made:
            columns[column.name] = made[column.name]
        elif column.name in labels:
            columns[column.name] = by_group(order, labels[column.name].of_class, labels[column.name].names)
        elif column.name in cube.secrets:
            secret = cube.secrets[column.name]
            kind = fields.field(column.name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            told = column.treatment
            if (
                column.transform is Transform.NOISE
                and told
                and told.scale is not None
                and told.step is not None
            ):
                columns[column.name] = drawn(
                    secret.of_row, secret.values, partial(noised, scale=told.scale, step=told.step)
                )
            else:
                columns[column.name] = by_row(secret.of_row, secret.values.cast(kind))
        elif column.transform is Transform.REDACT:
            columns[column.name] = constant(REDACTED)
    for name, (kind, give) in columns.items():
        if name not in labels:  # labels are of classes, whose rows these are is nothing to them
            columns[name] = kind, whole.beside(cube.rows, name, kind, give)
    if whole.segments is not None and classes.segments is not None:
        columns[SEGMENT] = by_group(order, classes.segments, whole.segments)
    return columns


def orders_of(columns: Sequence[Column], kinds: Mapping[str, pa.DataType]) -> dict[str, tuple[str, ...]]:
    """The order that the contract declares for a sensitive column's values, by column, where they stand as text."""
    return {
        column.name: column.hierarchy.leaves
        for column in columns
        if column.hierarchy is not None
        and column.hierarchy.kind == "ordered"
        and pa.types.is_string(kinds[column.name])
    }
