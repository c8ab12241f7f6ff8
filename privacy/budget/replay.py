"""An account walked through from its first reservation: what its counters must be, and every row that doesn't follow.

It reads one snapshot, and numbers what it proves:

  1. each row is numbered in turn, names the digest of the row before it, and is no earlier than it;
  2. each row's cost kept the caps that it was reserved under, by the sums of the rows before it;
  3. the counters after each row have the digest that the row names;
  4. the stored counters are those after the last row, and the head names that row;
  5. each id leads to its row, and each mark of a reservation that was carried out to one that there is.

Who can write the store can write all of it anew, from the first row on. What shows that is a `Point` that was kept where
the store's writer doesn't reach, in the ledger say: the same row must still be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from core.digest import sha256_hex
from core.errors import IntegrityError
from core.store import Entry, Store
from privacy.budget import rows
from privacy.budget.counters import Counter, Name, charged, obstacles
from privacy.budget.rows import NO_ROW, Head, Row
from privacy.budget.terms import Account


@dataclass(frozen=True)
class Difference:
    """Where the budget isn't what its reservations make it, and what is wrong there."""

    where: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Point:
    """A state of an account that can be kept elsewhere: how many reservations, and the last one's digest, hex."""

    account: str
    reservations: int
    digest: str


@dataclass
class Replay:
    """What the walk found. rows: those that could be read, in order; carried_out: how many of them are marked so."""

    rows: list[Row] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    counters: dict[Name, Counter] = field(default_factory=dict)
    carried_out: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def newest(self) -> datetime | None:
        """The moment of the last reservation."""
        return self.rows[-1].at if self.rows else None

    def differs(self, where: str, what: str) -> None:
        """Notes a difference."""
        self.differences.append(Difference(where, what))


def account_digests(store: Store) -> Iterator[str]:
    """The digests of all accounts of which anything is stored."""
    start = ""
    while True:
        entry = next(iter(store.scan(rows.ACCOUNTS, start=start)), None)
        if entry is None:
            return
        account = entry.key.removeprefix(rows.ACCOUNTS).partition("/")[0]
        yield account
        start = f"{rows.ACCOUNTS}{account}0"  # "0" follows "/": past all keys of this account


def missing(store: Store, point: Point) -> Difference | None:
    """The difference, when the reservation that a kept point names isn't there as it was."""
    if point.reservations == 0:  # kept before anything was reserved
        return None
    key = rows.row_key(point.account, point.reservations)
    entry = store.get(key)
    if entry is not None and sha256_hex(entry.value) == point.digest:
        return None
    return Difference(key, "isn't the reservation that was kept elsewhere")


def replay(store: Store, account: str) -> Replay:
    """Walks through the account of that digest."""
    found = Replay()
    head: Head | None = None
    stored: dict[str, Entry] = {}
    encoded: dict[str, bytes] = {}
    for entry in store.scan(rows.account_prefix(account)):
        try:
            if entry.key == rows.head_key(account):
                head = rows.decode_head(entry.key, entry.value)
            elif entry.key.startswith(rows.counters_prefix(account)):
                stored[entry.key] = entry
            elif entry.key.startswith(rows.rows_prefix(account)):
                _follow(found, encoded, entry, account)
            elif entry.key.startswith(rows.marks_prefix(account)):
                _mark(found, entry, account)
            else:
                found.differs(entry.key, "is no row of a budget")
        except IntegrityError:
            found.differs(entry.key, "can't be read")
    if head or stored or found.rows or found.differences:
        _compare(found, head, stored, encoded, account)
    for row, digest in zip(found.rows, found.digests, strict=True):
        _find(found, store, row, digest)
    return found


def _follow(found: Replay, encoded: dict[str, bytes], entry: Entry, account: str) -> None:
    """Rules 1 to 3 for one row."""
    row = rows.decode_row(entry.key, entry.value)
    number = len(found.rows) + 1
    if (row.number, entry.key, row.account.digest) != (number, rows.row_key(account, number), account):
        found.differs(entry.key, f"isn't reservation {number} of this account")
    if row.before != (found.digests[-1] if found.digests else NO_ROW):
        found.differs(entry.key, "doesn't follow from the reservation before it")
    if found.newest is not None and row.at < found.newest:
        found.differs(entry.key, "is earlier than the reservation before it")
    if obstacles(found.counters, row.spender, row.cost, row.caps, row.at):
        found.differs(entry.key, "broke a cap that it was reserved under")
    for counter in charged(found.counters, row.spender, row.cost, row.at):
        name = (counter.scope, counter.name)
        found.counters[name] = counter
        encoded[rows.counter_key(account, name)] = rows.encode_counter(counter)
    if row.counters != rows.counters_digest(encoded):
        found.differs(entry.key, "names other counters than the reservations make")
    found.rows.append(row)
    found.digests.append(sha256_hex(entry.value))


def _mark(found: Replay, entry: Entry, account: str) -> None:
    mark = rows.decode_mark(entry.key, entry.value)
    text = entry.key.removeprefix(rows.marks_prefix(account))
    number = int(text) if text.isdecimal() else 0
    if not 0 < number <= len(found.digests) or found.digests[number - 1] != mark.digest:
        found.differs(entry.key, "marks a reservation that isn't there")
    else:
        found.carried_out += 1


def _compare(
    found: Replay, head: Head | None, stored: dict[str, Entry], encoded: dict[str, bytes], account: str
) -> None:
    """Rule 4."""
    last = found.digests[-1] if found.digests else NO_ROW
    if head is None:
        found.differs(rows.head_key(account), "is missing or malformed")
    elif (head.account.digest, head.reservations, head.last) != (account, len(found.rows), last):
        found.differs(rows.head_key(account), "names another last reservation")
    for key in sorted(stored.keys() | encoded.keys()):
        if key not in encoded:
            found.differs(key, "counts what nobody reserved")
        elif key not in stored:
            found.differs(key, "is missing: its reservations aren't counted")
        elif stored[key].value != encoded[key]:
            found.differs(key, "isn't the sum of its reservations")


def _find(found: Replay, store: Store, row: Row, digest: str) -> None:
    """Rule 5 for one id; its entry came with the row, so the later moment at which it's read does no harm."""
    key = rows.IDS + row.id
    entry = store.get(key)
    try:
        place = rows.decode_place(key, entry.value) if entry else None
    except IntegrityError:
        place = None
    if place is None or (place.account, place.number, place.digest) != (
        row.account.digest,
        row.number,
        digest,
    ):
        found.differs(key, "doesn't lead to its reservation")


def replayed(store: Store, account: Account) -> Replay:
    """The walk through an account whose rows all hold, empty when nothing was ever reserved. Raises IntegrityError."""
    found = replay(store, account.digest)
    for difference in found.differences:
        raise rows.damaged(f"A row of the privacy budget {difference.what}.", difference.where)
    return found
