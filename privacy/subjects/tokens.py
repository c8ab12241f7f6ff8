"""Columns of tokens, from the keys of both holders: what makes them for a table, and a subject table's columns of them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from contracts.model import Column, Contract, Table
from contracts.protection import Transform
from core.errors import IntegrityError, PrivacyError
from core.keys import ContractKeys
from core.parquet import batches
from core.proof import TableFile
from privacy.subjects.attach import Column as Given
from privacy.subjects.attach import by_row
from privacy.subjects.encode import Encoder
from privacy.transforms.tokens import Tokens, tokenize, two_holder_key

SecondHolder = Callable[
    [str], ContractKeys
]  # a holder's keys of the contract by its name; raises where they aren't lent


def token_key(contract: Contract, column: str, ours: ContractKeys, theirs: ContractKeys) -> bytes:
    """The key of a column's tokens. column: with its table, "orders.buyer_id". ours: the hall's of the contract.

    Raises IntegrityError when the holder's keys are of another contract, or the hall's own.
    """
    if theirs.contract_id != contract.id or theirs.fingerprint == ours.fingerprint:
        raise IntegrityError(
            f"The second key for `{column}` isn't one of another holder for contract {contract.id}.",
            where=column,
            remedy="Ask the holder for the file that `sluice tokens key` made for this contract.",
        )
    return two_holder_key(
        ours.derive("token", contract.recipient, column),
        theirs.derive("token of the second holder", contract.recipient, column),
        contract=contract.id,
        column=column,
    )


def token_makers(contract: Contract, table: Table, keys: ContractKeys, second: SecondHolder | None) -> Tokens:
    """By column that goes out as tokens, what makes them of its values. second: None where no holder has lent its key.

    Raises PrivacyError then, and what `second` raises.
    """
    return {
        column.name: _maker(contract, f"{table.name}.{column.name}", column, keys, second)
        for column in table.columns
        if column.transform is Transform.TOKEN
    }


def _maker(
    contract: Contract, name: str, column: Column, keys: ContractKeys, second: SecondHolder | None
) -> Callable[[pa.Array], pa.Array]:
    if second is None or column.treatment is None or column.treatment.holder is None:
        raise PrivacyError(
            f"`{name}` goes out as tokens, and the key of its second holder isn't here.",
            where=f"contract {contract.id}",
            remedy="Have the holder lend its key for this run (docs/tokens.md).",
            column=name,
        )
    key = token_key(contract, name, keys, second(column.treatment.holder))
    # A closure, since a partial would show the key to whoever prints it.
    return lambda values: tokenize(values, key, column_context=(contract.id, name))


def tokens(file: TableFile, makers: Tokens) -> dict[str, tuple[pa.DataType, Given]]:
    """Columns of tokens for the rows of a file, read in one pass; each distinct value is encrypted once."""
    encoders = {name: Encoder() for name in makers}
    for batch in batches(file, list(makers)) if makers else ():
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
    columns = {}
    for name, encoder in encoders.items():
        values, codes = encoder.finish()
        columns[name] = by_row(codes, makers[name](values))
    return columns
