"""The key of a tokens' second holder: a file of its own, made for one contract and lent to the hall for a run.

    {"version": 1, "use": "sluice token key", "contract": id, "holder": name, "key": 64 hex digits}

The key is the root of the holder's part, as a contract's root is of the hall's (`core.keys.ContractKeys`): what a file lies
about is seen by whoever reads it, and the fingerprint tells two keys apart without telling anything of either.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError
from core.files import create_whole
from core.jsontext import parse_json
from core.keys import ContractKeys

KEY_BYTES = 32
_USE = "sluice token key"
_MAX_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class TokenKey:
    """A holder's keys of one contract."""

    holder: str
    keys: ContractKeys


def file_name(contract_id: str, holder: str) -> str:
    """What the file of a holder's key is called in a folder of several. Neither name has a `+` in it."""
    return f"{contract_id}+{holder}.json"


def make_token_key(path: Path, *, contract_id: str, holder: str) -> TokenKey:
    """Makes a random key and its file, mode 0600, whole and durably. Raises UsageError when something is there already."""
    key = secrets.token_bytes(KEY_BYTES)
    document = {"version": 1, "use": _USE, "contract": contract_id, "holder": holder, "key": key.hex()}
    if os.path.lexists(path):
        raise _there(path)
    try:
        with create_whole(path) as draft:
            draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The key can't be written ({error.strerror}).", where=str(path), remedy="Name a folder of yours."
        ) from None
    made = read_token_key(path)
    if made.keys.fingerprint != ContractKeys(contract_id, key).fingerprint:  # somebody else was first
        raise _there(path)
    return made


def read_token_key(path: Path) -> TokenKey:
    """The key in a file. Raises UsageError for a file that isn't there, isn't one, or that others may read."""
    try:
        with path.open("rb") as file:
            mode, data = stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"The holder's key can't be read ({error.strerror}).",
            where=str(path),
            remedy="Check the path; its holder has the file.",
        ) from None
    if mode & 0o077:
        raise UsageError(
            f"Others may read this holder's key (mode {mode:o}).",
            where=str(path),
            remedy=f"Run `chmod 600 {path}`; tell its holder if others could log in here.",
        )
    document = parse_json(data, max_bytes=_MAX_BYTES, where=str(path))
    known = {"version", "use", "contract", "holder", "key"}
    if not isinstance(document, dict) or set(document) != known:
        raise _no_key(path)
    texts = [document[name] for name in ("contract", "holder", "key")]
    if (
        document["version"] != 1
        or document["use"] != _USE
        or not all(isinstance(text, str) for text in texts)
    ):
        raise _no_key(path)
    contract_id, holder, written = map(str, texts)
    try:
        key = bytes.fromhex(written)
    except ValueError:
        raise _no_key(path) from None
    if len(key) != KEY_BYTES:
        raise _no_key(path)
    return TokenKey(holder=holder, keys=ContractKeys(contract_id, key))


def _there(path: Path) -> UsageError:
    return UsageError(
        "Something is there already; a key is never written over.",
        where=str(path),
        remedy="Name another file.",
    )


def _no_key(path: Path) -> UsageError:
    return UsageError(
        "This isn't the file of a token holder's key.",
        where=str(path),
        remedy="Ask the holder for the file that `sluice tokens key` made.",
    )
