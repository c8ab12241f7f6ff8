"""The offline verifier: what must hold of a ledger, checked from its stored rows and the log's public key alone.

Proof obligations; the code below carries their numbers.

 1. The head is there and is a frontier of `size` leaves; with no head there is no other row.
 2. The rows are leaves 0..size-1, checkpoints 1..size, the index and the head: no gap, nothing left over.
 3. Each leaf is the RFC 8785 form of an event as this Sluice declares them.
 4. The checkpoint of each size is signed by the verifier key, names its log, and has the size and the root of the
    tree of the leaves up to there. So each is consistent with all before it.
 5. The head's frontier is the one that the leaves make.
 6. The index holds each event's kind, subject and digest once, with its leaf's place and an inclusion proof that holds.
 7. Each checkpoint that the auditor kept is signed by the key, and its tree is the beginning of this one.
 8. No entry's moment is earlier than that of an entry before it, but for the minutes by which clocks are corrected.

1 to 6 find a change by anyone who lacks the hall's key. Only 7 finds one by the hall itself, or a whole ledger put
back from an older copy: everything in that copy agrees. 8 finds entries that were dated back, which `Ledger.append` never does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.checkpoint import Checkpoint, open_checkpoint
from audit.events import Event
from audit.ledger import (
    CHECKPOINTS,
    HEAD,
    INDEX,
    LEAVES,
    PREFIX,
    as_text,
    checkpoint_key,
    decode_head,
    decode_place,
    encode_head,
    encode_place,
    index_key,
    leaf_key,
)
from audit.lineage import Recorded, from_openlineage
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, verify_inclusion
from audit.note import VerifierKey
from core.digest import canonical
from core.errors import ContractError, LedgerError
from core.store import Store

# Ledgers that an earlier Sluice wrote hold a clock's small corrections as they came.
_CORRECTED = timedelta(minutes=5)
_REMEDY = "Trust nothing after this entry; compare with the checkpoints and receipts that the parties kept."


@dataclass(frozen=True)
class Verified:
    """A ledger of which all obligations hold. checkpoints: how many were checked, kept ones included."""

    size: int
    root: bytes
    origin: str
    checkpoints: int


def verify(store: Store, key: VerifierKey, *, kept: Iterable[str] = ()) -> Verified:
    """Checks every obligation over one snapshot of the store, which it holds in memory (about 2 kB an entry).

    kept: signed checkpoints of this log that the auditor holds from earlier.
    Raises LedgerError at the first that fails; its facts are `obligation` and, where there is one, `index`.
    """
    rows = {entry.key: entry.value for entry in store.scan(PREFIX)}
    if HEAD not in rows and rows:
        raise _broken(1, "the head is missing, other rows are there")
    head = _decode_head(rows[HEAD]) if rows else Frontier()
    _check_rows(rows, head.size)

    roots = [EMPTY_ROOT]
    frontier = Frontier()
    moments: list[datetime] = []
    for index in range(head.size):
        leaf = rows[leaf_key(index)]
        recorded = _check_leaf(leaf, index)
        moments.append(recorded.at)
        frontier = frontier.append(leaf_hash(leaf))
        root = frontier.root()
        checkpoint = _open(4, as_text(rows[checkpoint_key(index + 1)]), key, index)
        if (checkpoint.size, checkpoint.root) != (index + 1, root):
            raise _broken(4, "the leaf, or one before it, isn't the one that was signed for", index)
        _check_index(rows, recorded.event, index, root)
        roots.append(root)
    if frontier != head:
        raise _broken(5, "the head isn't the frontier of the leaves", head.size - 1)

    kept = tuple(kept)
    for note in kept:
        checkpoint = _open(7, note, key, None)
        if checkpoint.size > head.size:
            raise _broken(
                7, f"{checkpoint.size - head.size} entries that were signed for are gone", head.size
            )
        if checkpoint.root != roots[checkpoint.size]:
            raise _broken(
                7, f"the first {checkpoint.size} entries aren't those of a checkpoint that was kept"
            )
    _check_moments(moments)
    return Verified(head.size, roots[-1], key.name, head.size + len(kept))


def _decode_head(value: bytes) -> Frontier:
    try:
        head = decode_head(value)
        if encode_head(head) != value:
            raise LedgerError("The ledger's frontier isn't canonical.")
    except (LedgerError, RecursionError):
        raise _broken(1, "the head is malformed") from None
    return head


def _check_rows(rows: Mapping[str, bytes], size: int) -> None:
    """Obligation 2, but for the index, of which `_check_index` finds each row and this counts them."""
    for index in range(size):
        if leaf_key(index) not in rows:
            raise _broken(2, "the leaf is missing", index)
        if checkpoint_key(index + 1) not in rows:
            raise _broken(2, "the checkpoint is missing", index)
    for prefix, kind in ((LEAVES, "leaves"), (CHECKPOINTS, "checkpoints"), (INDEX, "index rows")):
        found = sum(key.startswith(prefix) for key in rows)
        if found > size:
            raise _broken(2, f"{found} {kind} are stored, the head says {size}", size)
    if any(key != HEAD and not key.startswith((LEAVES, CHECKPOINTS, INDEX)) for key in rows):
        raise _broken(2, "a row is stored that no ledger has")


def _check_leaf(leaf: bytes, index: int) -> Recorded:
    """Obligation 3."""
    try:
        document = json.loads(leaf)
        if canonical(document) != leaf:
            raise _broken(3, "the leaf isn't in canonical form", index)
    except (ValueError, ContractError, RecursionError):
        raise _broken(3, "the leaf isn't in canonical form", index) from None
    try:
        return from_openlineage(document)
    except LedgerError:
        raise _broken(3, "the leaf isn't a declared event", index) from None


def _check_index(rows: Mapping[str, bytes], event: Event, index: int, root: bytes) -> None:
    """Obligation 6. Two leaves of one name can't both pass: they share a row, which names one place."""
    value = rows.get(index_key(event.kind, event.subject, event.digest))
    if value is None:
        raise _broken(6, "the index doesn't hold the event", index)
    try:
        place = decode_place(value)
        if place.index != index or encode_place(place) != value:
            raise LedgerError("The index names another place.")
        verify_inclusion(leaf_hash(rows[leaf_key(index)]), index, index + 1, place.proof, root)
    except (LedgerError, RecursionError):
        raise _broken(6, "the index is wrong about the event", index) from None


def _check_moments(moments: Iterable[datetime]) -> None:
    """Obligation 8. The last to be checked: all else holds of a ledger that fails it alone."""
    latest: datetime | None = None
    for index, moment in enumerate(moments):
        if latest is not None and moment < latest - _CORRECTED:
            raise _broken(
                8, f"the entry says {moment.isoformat()}, one before it {latest.isoformat()}", index
            )
        latest = moment if latest is None else max(latest, moment)


def _open(obligation: int, note: str, key: VerifierKey, index: int | None) -> Checkpoint:
    try:
        return open_checkpoint(note, key)
    except LedgerError as error:
        raise _broken(obligation, f"a checkpoint doesn't hold: {error.what.rstrip('.')}", index) from None


def _broken(obligation: int, what: str, index: int | None = None) -> LedgerError:
    where = f"obligation {obligation}" if index is None else f"entry {index}, obligation {obligation}"
    facts = {} if index is None else {"index": index}
    return LedgerError(
        f"The ledger doesn't verify: {what}.", where=where, remedy=_REMEDY, obligation=obligation, **facts
    )
