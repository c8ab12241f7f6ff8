"""The ledger: an append-only log of events that can prove, to who kept an old head, that nothing was changed or left out.

One append is one commit of four rows, so that no crash or rival leaves them apart:

    ledger/leaf/<index>            the event, RFC 8785 form of its OpenLineage document
    ledger/checkpoint/<size>       the signed head of the tree with this leaf as its last
    ledger/index/<event's name>    where that event stands, and its proof in the tree of that checkpoint
    ledger/head                    the frontier, from which the next append goes on

`audit.verify` lists what must hold of these rows and checks all of it.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from audit.events import Event, EventKind
from audit.lineage import SALT_BYTES, Recorded, from_openlineage, to_openlineage
from audit.merkle import Frontier, leaf_hash, verify_inclusion
from audit.note import VerifierKey
from core.clock import Clock, utc_now
from core.digest import canonical
from core.errors import ConflictError, LedgerError
from core.keys import Signer
from core.proof import Sealed, prover
from core.store import Store, Write

PREFIX = "ledger/"
HEAD = PREFIX + "head"
LEAVES = PREFIX + "leaf/"
CHECKPOINTS = PREFIX + "checkpoint/"
INDEX = PREFIX + "index/"
_ATTEMPTS = 100
_LONGEST_PAUSE_S = 0.05


def leaf_key(index: int) -> str:
    """Where leaf `index` stands; keys sort as indexes do."""
    return f"{LEAVES}{index:016d}"


def checkpoint_key(size: int) -> str:
    """Where the checkpoint of the tree of `size` leaves stands."""
    return f"{CHECKPOINTS}{size:016d}"


def index_key(kind: str, subject: str, digest: str) -> str:
    """Where it's said which leaf is the event of this name.

    A kind holds no slash and a subject no "#", so no two names meet, and `digest` "" begins all of one subject's.
    """
    return f"{INDEX}{kind}/{subject}#{digest}"


@dataclass(frozen=True, kw_only=True)
class Receipt(Sealed):
    """Proof that an event is in the log: its leaf, a signed checkpoint, and the path between them.

    Anyone with the log's verifier key can check it offline: `merkle.verify_inclusion` of leaf_hash at `index` in the
    opened checkpoint. leaf_hash and proof: hex. digest: the event's fact of that name, or "".
    Built by `Ledger`, once that holds.
    """

    index: int
    leaf_hash: str
    kind: EventKind
    subject: str
    digest: str
    checkpoint: str
    proof: tuple[str, ...]
    origin: str

    @property
    def name(self) -> str:
        """The receipt in one short line, e.g. "grocery-hall/42@0123456789abcdef"."""
        return f"{self.origin}/{self.index}@{self.leaf_hash[:16]}"


_receipt = prover(Receipt)


@dataclass(frozen=True)
class LedgerEntry:
    """One entry as it's stored. event: the OpenLineage document; leaf_hash: hex."""

    index: int
    event: dict[str, Any]
    leaf_hash: str


@dataclass(frozen=True)
class Told:
    """An event that is in the log, with the receipt that proves it."""

    receipt: Receipt
    recorded: Recorded


@dataclass(frozen=True)
class Place:
    """Where an event stands: its leaf's index, and its inclusion proof in the tree of which it's the last leaf."""

    index: int
    proof: tuple[bytes, ...]


class Ledger:
    """The hall's log in `store`, signed by `signer`. Safe for several processes and threads at once."""

    def __init__(self, store: Store, signer: Signer, clock: Clock = utc_now) -> None:
        self._store = store
        self._signer = signer
        self._key = VerifierKey.of(signer)
        self._clock = clock

    def append(self, event: Event) -> Receipt:
        """Records the event, durably, and gives its receipt.

        Kind, subject and digest (`Event.digest`) name an event, and a name is recorded once: when it is there already,
        its receipt is given and nothing is written, whatever `event` says besides.

        Its moment is the clock's, or that of the newest entry where that is later: by the log time never runs backwards, be
        the clock corrected by a millisecond or set back by years. Nothing is refused for it. What must be told, that data
        was withheld or a contract ended, is told by any clock; and who judges by `newest` is fooled by none.

        Raises LedgerError when the log's last head isn't one this hall signed, ConflictError when others keep writing.
        """
        for _ in range(_ATTEMPTS):
            earlier = self.receipt_for(event.kind, event.subject, digest=event.digest)
            if earlier is not None:
                return earlier
            try:
                return self._receipt_at(self._append(event), event.kind, event.subject, event.digest)
            except ConflictError:
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
        raise ConflictError(
            "Others keep writing to the ledger.", remedy="Run it again when fewer runs are under way."
        )

    def _append(self, event: Event) -> Place:
        entry = self._store.get(HEAD)
        frontier = decode_head(entry.value) if entry else Frontier()
        self._refuse_strange_head(frontier)
        now, newest = self._clock(), self._newest(frontier.size)
        moment = now if newest is None else max(now, newest)
        leaf = canonical(to_openlineage(event, moment, secrets.token_bytes(SALT_BYTES)))
        grown = frontier.append(leaf_hash(leaf))
        head = Checkpoint(self._signer.name, grown.size, grown.root())
        # The proof of a tree's last leaf is the frontier before it, from the right.
        place = Place(frontier.size, tuple(reversed(frontier.hashes)))
        self._store.commit(
            [
                Write(HEAD, encode_head(grown), entry.version if entry else 0),
                Write(leaf_key(frontier.size), leaf, 0),
                Write(checkpoint_key(grown.size), sign_checkpoint(head, self._signer).encode(), 0),
                Write(index_key(event.kind, event.subject, event.digest), encode_place(place), 0),
            ]
        )
        return place

    def _refuse_strange_head(self, frontier: Frontier) -> None:
        """A log never signs a head that doesn't follow from the one it signed before."""
        if frontier.size == 0:
            return
        last = self._open_checkpoint(frontier.size)
        if last.root != frontier.root():
            raise LedgerError(
                "The ledger's frontier isn't the one that was signed; nothing was written.",
                where=HEAD,
                remedy="Run `sluice audit verify` to see what was changed.",
                index=frontier.size - 1,
            )

    def receipt_for(self, kind: str, subject: str, *, digest: str | None = None) -> Receipt | None:
        """The receipt of the event of this kind for this subject, or None.

        digest: of the event with this digest; None: of the newest, whatever its digest.
        Raises LedgerError when the stored leaf is no longer the one that was signed for.
        """
        if digest is not None:
            entry = self._store.get(index_key(kind, subject, digest))
            return self._receipt_at(decode_place(entry.value), kind, subject, digest) if entry else None
        every = index_key(kind, subject, "")
        found = [(decode_place(entry.value), entry.key) for entry in self._store.scan(every)]
        if not found:
            return None
        place, name = max(found, key=lambda pair: pair[0].index)
        return self._receipt_at(place, kind, subject, name.removeprefix(every))

    def _receipt_at(self, place: Place, kind: str, subject: str, digest: str) -> Receipt:
        return self._told_at(place, kind, subject, digest).receipt

    def _told_at(self, place: Place, kind: str, subject: str, digest: str) -> Told:
        with self._store.held():
            leaf = self._read(leaf_key(place.index), place.index)
            note = self._note(place.index + 1)
        hashed = leaf_hash(leaf)
        checkpoint = self._opened(note, place.index + 1)
        verify_inclusion(hashed, place.index, checkpoint.size, place.proof, checkpoint.root)
        recorded = from_openlineage(json.loads(leaf))
        event = recorded.event
        if (event.kind, event.subject, event.digest) != (kind, subject, digest):
            raise LedgerError("The ledger's index names another event.", where=INDEX, index=place.index)
        receipt = _receipt(
            index=place.index,
            leaf_hash=hashed.hex(),
            kind=event.kind,
            subject=subject,
            digest=digest,
            checkpoint=note,
            proof=tuple(node.hex() for node in place.proof),
            origin=self._signer.name,
        )
        return Told(receipt, recorded)

    def told(self, kind: EventKind, below: str) -> tuple[Told, ...]:
        """The events of a kind whose subject begins with `below`, in the log's order, each proved to be in the log.

        Raises LedgerError when a stored leaf is no longer the one that was signed for.
        """
        found = []
        with self._store.held():
            for entry in self._store.scan(f"{INDEX}{kind}/{below}"):
                subject, _, digest = entry.key.removeprefix(f"{INDEX}{kind}/").partition("#")
                found.append(self._told_at(decode_place(entry.value), kind, subject, digest))
        return tuple(sorted(found, key=lambda told: told.receipt.index))

    def recorded(self, index: int) -> Recorded:
        """The event of one entry, with the moment at which it was recorded. Raises LedgerError as `event` does."""
        try:
            document = json.loads(self._read(leaf_key(index), index))
        except ValueError:
            document = None
        return from_openlineage(document)

    def newest(self) -> datetime | None:
        """The moment of the newest entry, proved to be the one that was signed for; None while the ledger is empty."""
        return self._newest(self.size)

    def _newest(self, size: int) -> datetime | None:
        if size == 0:
            return None
        with self._store.held():
            recorded = self.recorded(size - 1)
            event = recorded.event
            receipt = self.receipt_for(event.kind, event.subject, digest=event.digest)
        if receipt is None or receipt.index != size - 1:
            raise LedgerError(
                "The ledger's newest entry isn't the one that was signed for.",
                where=leaf_key(size - 1),
                remedy="Run `sluice audit verify`.",
                index=size - 1,
            )
        return recorded.at

    def entries(self, start: int = 0) -> Iterator[LedgerEntry]:
        """Entries in order, from index `start`. They are shown as stored: `audit.verify` says whether they hold."""
        for entry in self._store.scan(LEAVES, start=leaf_key(start)):
            try:
                index, event = int(entry.key.removeprefix(LEAVES)), json.loads(entry.value)
            except ValueError:
                raise LedgerError(
                    "A row of the ledger is malformed.", where=entry.key, remedy="Run `sluice audit verify`."
                ) from None
            yield LedgerEntry(index, event, leaf_hash(entry.value).hex())

    def event(self, index: int) -> Event:
        """The event of one entry. Raises LedgerError when there is no such entry, or it isn't an event."""
        return self.recorded(index).event

    def checkpoint(self) -> str | None:
        """The newest checkpoint as a signed note, for an auditor to keep; None while the ledger is empty."""
        size = self.size
        return as_text(self._read(checkpoint_key(size), size - 1)) if size else None

    @property
    def size(self) -> int:
        """The number of entries."""
        entry = self._store.get(HEAD)
        return decode_head(entry.value).size if entry else 0

    def held(self) -> AbstractContextManager[None]:
        """A block in which many reads after each other share what they open."""
        return self._store.held()

    def _open_checkpoint(self, size: int) -> Checkpoint:
        return self._opened(self._note(size), size)

    def _note(self, size: int) -> str:
        return as_text(self._read(checkpoint_key(size), size - 1))

    def _opened(self, note: str, size: int) -> Checkpoint:
        checkpoint = open_checkpoint(note, self._key)
        if checkpoint.size != size:
            raise LedgerError(
                "A stored checkpoint is of another size.", where=checkpoint_key(size), index=size - 1
            )
        return checkpoint

    def _read(self, key: str, index: int) -> bytes:
        entry = self._store.get(key)
        if entry is None:
            raise LedgerError(
                "A row of the ledger is missing.", where=key, remedy="Run `sluice audit verify`.", index=index
            )
        return entry.value


def as_text(note: bytes) -> str:
    """A stored note as text. What isn't UTF-8 is made so, and then no signature fits it."""
    return note.decode(errors="replace")


def encode_head(frontier: Frontier) -> bytes:
    """The frontier as it's stored."""
    return canonical({"size": frontier.size, "hashes": [node.hex() for node in frontier.hashes]})


def decode_head(value: bytes) -> Frontier:
    """The inverse of `encode_head`. Raises LedgerError."""
    try:
        document = json.loads(value)
        return Frontier(int(document["size"]), tuple(bytes.fromhex(node) for node in document["hashes"]))
    except (ValueError, KeyError, TypeError):
        raise LedgerError("The ledger's frontier is malformed.", where=HEAD) from None


def encode_place(place: Place) -> bytes:
    """The place as it's stored."""
    return canonical({"index": place.index, "proof": [node.hex() for node in place.proof]})


def decode_place(value: bytes) -> Place:
    """The inverse of `encode_place`. Raises LedgerError."""
    try:
        document = json.loads(value)
        return Place(int(document["index"]), tuple(bytes.fromhex(node) for node in document["proof"]))
    except (ValueError, KeyError, TypeError):
        raise LedgerError("A row of the ledger's index is malformed.", where=INDEX) from None
