"""An account's book as it stands in the store: read in one snapshot, believed only whole.

Before anything is decided on it, all of this holds, or IntegrityError is raised and nothing is spent:

  1. there is a head when anything of the account is stored, and it counts n reservations, n over 0;
  2. row n has the digest that the head names, and is row n of this account;
  3. all counters together, none missing and none besides, have the digest that row n names.

So a counter that was edited, deleted or put back from yesterday lets nobody spend twice. That each row follows from the
one before is checked by the audit, which reads them all (`replay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.digest import sha256_hex
from core.store import Entry, Store, Write
from privacy.budget import rows
from privacy.budget.counters import Counter, Counters, Name
from privacy.budget.rows import Head, Place, Row, damaged
from privacy.budget.terms import Account


@dataclass(frozen=True, kw_only=True)
class Book:
    """What stands in the store of one account. newest: the moment of its last reservation, None before the first.

    stored: the counters' entries by key, of which only those that are asked for are decoded.
    """

    account: Account
    head: Head
    head_version: int
    newest: datetime | None
    stored: dict[str, Entry]

    def counters(self, names: Sequence[Name]) -> Counters:
        """Those of the named counters that there are. Raises IntegrityError."""
        found: dict[Name, Counter] = {}
        for name in names:
            key = rows.counter_key(self.account.digest, name)
            if key in self.stored:
                counter = rows.decode_counter(key, self.stored[key].value)
                if (counter.scope, counter.name) != name:
                    raise damaged("A counter of the privacy budget stands in another's place.", key)
                found[name] = counter
        return found


def read_book(store: Store, account: Account) -> Book:
    """The account's book, empty before its first reservation. Raises IntegrityError as above."""
    key = rows.head_key(account.digest)
    entries, more = _snapshot(store, account)
    head_entry = entries.pop(key, None)
    if head_entry is None:
        if entries or more:
            raise damaged("The head of a privacy budget is missing.", key)
        empty = Head(account=account, reservations=0, last=rows.NO_ROW)
        return Book(account=account, head=empty, head_version=0, newest=None, stored={})
    head = rows.decode_head(key, head_entry.value)
    if head.account != account or head.reservations < 1:
        raise damaged("The head of a privacy budget isn't this account's.", key)
    row = _row(store, account, head)
    if rows.counters_digest({key: entry.value for key, entry in entries.items()}) != row.counters:
        raise damaged(
            "The counters of a privacy budget aren't those that the last reservation left.",
            rows.counters_prefix(account.digest),
        )
    return Book(account=account, head=head, head_version=head_entry.version, newest=row.at, stored=entries)


def writes(book: Book, row: Row, changed: Sequence[Counter]) -> list[Write]:
    """The one commit of a reservation, each write against the version that was read.

    row: all but its digest of counters is right.
    """
    account = book.account.digest
    values = {
        rows.counter_key(account, (each.scope, each.name)): rows.encode_counter(each) for each in changed
    }
    after = {key: entry.value for key, entry in book.stored.items()} | values
    encoded = rows.encode_row(_with_counters(row, rows.counters_digest(after)))
    digest = sha256_hex(encoded)
    head = Head(account=book.account, reservations=row.number, last=digest)
    place = Place(account=account, number=row.number, digest=digest)
    return [
        Write(rows.head_key(account), rows.encode_head(head), book.head_version),
        Write(rows.row_key(account, row.number), encoded, 0),
        Write(rows.IDS + row.id, rows.encode_place(place), 0),
        *(
            Write(key, value, book.stored[key].version if key in book.stored else 0)
            for key, value in values.items()
        ),
    ]


def refuse_rolled_back(store: Store, book: Book) -> None:
    """After a conflict: refuses a book whose head was put back to one from before rows that are there.

    Rivals write a row and the head at once. A row beyond the head that was read, under a head that still is the one that was
    read, was never written by a rival. Raises IntegrityError.
    """
    account = book.account.digest
    if store.get(rows.row_key(account, book.head.reservations + 1)) is None:
        return
    head = store.get(rows.head_key(account))
    if (head.version if head else 0) == book.head_version:
        raise damaged("A privacy budget's head is older than its reservations.", rows.head_key(account))


def _snapshot(store: Store, account: Account) -> tuple[dict[str, Entry], bool]:
    """The head and the counters, as of one moment, and whether reservations follow them in it."""
    found: dict[str, Entry] = {}
    head, counters = rows.head_key(account.digest), rows.counters_prefix(account.digest)
    for entry in store.scan(rows.account_prefix(account.digest)):
        if entry.key != head and not entry.key.startswith(counters):
            return found, True
        found[entry.key] = entry
    return found, False


def _row(store: Store, account: Account, head: Head) -> Row:
    key = rows.row_key(account.digest, head.reservations)
    entry = store.get(key)
    if entry is None or sha256_hex(entry.value) != head.last:
        raise damaged("The last reservation of a privacy budget isn't the one that its head names.", key)
    row = rows.decode_row(key, entry.value)
    if row.account != account or row.number != head.reservations:
        raise damaged("A reservation of the privacy budget stands in another's place.", key)
    return row


def _with_counters(row: Row, digest: str) -> Row:
    return Row(**{**vars(row), "counters": digest})
