"""Tokens that two holders make and open together: the keys that are lent for a run, and opening with the ledger told."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from audit.events import EventKind
from audit.facts import is_name
from contracts.model import Column, Contract, LogicalType, Table
from contracts.protection import Transform
from contracts.through import through
from core.errors import ConflictError, IntegrityError, PrivacyError, UsageError
from core.keys import ContractKeys
from core.store import Write
from core.tokenkeys import TokenKey, file_name, read_token_key
from pipeline.home import Home
from pipeline.told import record
from privacy.subjects.tokens import token_key
from privacy.transforms.tokens import detokenize

_KINDS: Mapping[LogicalType, pa.DataType] = {LogicalType.STRING: pa.string(), LogicalType.INTEGER: pa.int64()}


class LentKeys:
    """The keys that second holders lent for one run of a contract: read when asked for, and kept nowhere.

    What is kept is the fingerprint of each, once a run has made tokens with it: under another key the tokens would become
    others, and nobody would see why.
    """

    def __init__(self, contract: Contract, home: Home) -> None:
        self._contract, self._home = contract, home
        self._used: dict[str, str] = {}

    def __call__(self, holder: str) -> ContractKeys:
        """The holder's keys. Raises PrivacyError where they aren't lent, UsageError and IntegrityError for a wrong file."""
        folder = self._home.settings.token_keys
        path = folder / file_name(self._contract.id, holder) if folder is not None else None
        if path is None or not path.exists():
            raise PrivacyError(
                f"Contract {self._contract.id} makes tokens with the key of {holder}, and it wasn't lent for this run.",
                where=str(path or "SLUICE_TOKEN_KEYS"),
                remedy=f"Ask {holder} for its key file, lay it there for the time of the run "
                f"(SLUICE_TOKEN_KEYS=FOLDER, {file_name(self._contract.id, holder)}), and run again.",
            )
        keys = _matching(read_token_key(path), self._contract, holder, path).keys
        _check_fingerprint(self._home, self._contract, holder, keys, path)
        self._used[holder] = keys.fingerprint
        return keys

    def ask(self) -> None:
        """Asks for each key that a release takes, so that a run without one ends before data is fetched. Raises what a call does."""
        columns = [column for table in through(self._contract, "release").tables for column in table.columns]
        told = [column.treatment for column in columns if column.transform is Transform.TOKEN]
        for holder in sorted({each.holder for each in told if each is not None and each.holder is not None}):
            self(holder)

    def keep(self) -> None:
        """Remembers whose keys made tokens, for the runs that come. Raises IntegrityError when another run was first with another."""
        for holder, fingerprint in self._used.items():
            name = _name(self._contract, holder)
            # Where one is there already, of an earlier run or of one that was quicker, it's asked next.
            with suppress(ConflictError):
                self._home.store.commit([Write(name, fingerprint.encode(), 0)])
            kept = self._home.store.get(name)
            if kept is None or kept.value != fingerprint.encode():
                raise _another_key(self._contract, holder, None)


def open_tokens(
    home: Home, contract: Contract, column: str, tokens: Sequence[bytes], *, key_file: Path, purpose: str
) -> list[str | int]:
    """The values behind tokens, in their order. column: with its table. key_file: the second holder's. purpose: why, in words.

    The ledger is told how many are opened, of which column and what for, before any value is given; no value is told.
    Raises UsageError for a column without tokens and for a purpose that can't stand in the ledger, PrivacyError for a token
    that doesn't open (then none does), IntegrityError for keys that never made tokens of this contract.
    """
    table, found = _column(contract, column)
    holder = found.treatment.holder if found.treatment is not None else None
    if holder is None:
        raise UsageError(f"`{column}` names no second holder.", where=f"contract {contract.id}")
    if not is_name(purpose) or not purpose.strip():
        raise UsageError(
            "The purpose isn't a line of 1 to 128 printable characters.",
            where="--purpose",
            remedy="Say why, and name no person: it stands in the ledger.",
        )
    theirs = _matching(read_token_key(key_file), contract, holder, key_file).keys
    ours = home.keys.contract_key_there(contract.id)
    if ours is None or home.store.get(_name(contract, holder)) is None:
        raise IntegrityError(
            f"This hall holds no part of a key that made tokens of contract {contract.id}.",
            where=str(home.settings.home),
            remedy="Tokens open in the hall that made them, until the contract's key is destroyed.",
        )
    _check_fingerprint(home, contract, holder, theirs, key_file)
    key = token_key(contract, column, ours, theirs)
    values = detokenize(
        pa.array(tokens, pa.binary()), key, column_context=(contract.id, column), kind=_KINDS[found.type]
    )
    own = str(uuid.uuid4())
    facts: dict[str, Any] = {
        "tokens": len(set(tokens)),
        "table": table.name,
        "column": found.name,
        "holder": holder,
        "purpose": purpose,
    }
    record(EventKind.TOKENS_OPENED, contract, home, run_id=own, subject=f"tokens/{own}", facts=facts)
    return list(values.to_pylist())


def _column(contract: Contract, name: str) -> tuple[Table, Column]:
    # Tables and columns may have dots in their names, so that the name isn't split.
    every = {
        f"{table.name}.{column.name}": (table, column)
        for table in contract.tables
        for column in table.columns
        if column.transform is Transform.TOKEN
    }
    if name not in every:
        raise UsageError(
            f"Contract {contract.id} {contract.version} has no column of tokens of this name.",
            where=name,
            remedy=f"It has: {', '.join(every) or 'none'}. For tokens of an older version give its file.",
        )
    return every[name]


def _matching(key: TokenKey, contract: Contract, holder: str, path: Path) -> TokenKey:
    if (key.keys.contract_id, key.holder) != (contract.id, holder):
        raise UsageError(
            f"This key is {key.holder}'s for contract {key.keys.contract_id}, not {holder}'s for {contract.id}.",
            where=str(path),
            remedy="Ask for the file that was made for this contract.",
        )
    return key


def _name(contract: Contract, holder: str) -> str:
    return f"token-key/{contract.id}/{holder}"


def _check_fingerprint(home: Home, contract: Contract, holder: str, keys: ContractKeys, path: Path) -> None:
    kept = home.store.get(_name(contract, holder))
    if kept is not None and kept.value != keys.fingerprint.encode():
        raise _another_key(contract, holder, path)


def _another_key(contract: Contract, holder: str, path: Path | None) -> IntegrityError:
    return IntegrityError(
        f"This isn't the key of {holder} that made the tokens of contract {contract.id} before: they would become others.",
        where=str(path or f"token-key/{contract.id}/{holder}"),
        remedy=f"Ask {holder} for the first file. When it's lost, agree on a contract with an id of its own.",
    )
