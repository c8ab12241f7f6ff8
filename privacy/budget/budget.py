"""The budget: a cost is reserved before the data is touched, and spent before the answer leaves. Nothing is given back.

One release, in this order; a crash between any two steps leaves at worst a cost that is counted and nothing released:

  1. `reserve` adds the cost to every counter in one commit. From here on it's lost, whatever happens.
  2. The door runs its mechanism.
  3. `spend` says for which result the reservation was used, once for ever. It gives a `Spent`.
  4. Only with a `Spent` the result leaves.

Both take the same call again, after a crash or an error that left it open what was written. A retry that ran its mechanism
anew holds another result, with new noise: two answers for one price. `spend` refuses it.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.digest import sha256_hex
from core.errors import ConflictError, InternalError, PrivacyError
from core.ids import is_uuid
from core.proof import Sealed, prover
from core.store import Store, Write
from privacy.budget import rows
from privacy.budget.amounts import Cost
from privacy.budget.book import Book, read_book, refuse_rolled_back, writes
from privacy.budget.counters import charged, obstacles, scopes
from privacy.budget.periods import Period, as_utc
from privacy.budget.refusal import refusal
from privacy.budget.replay import Difference, Point, account_digests, missing, replay
from privacy.budget.rows import Mark, Row, damaged
from privacy.budget.statement import Statement, state
from privacy.budget.terms import Account, Caps, Spender

_ATTEMPTS = 100
_LONGEST_PAUSE_S = 0.05
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Reservation(Sealed):
    """That a cost stands in the account's counters, for ever. Built by `Budget.reserve`, once it's stored.

    at: the moment to which it's counted, UTC. number: its place in the account, from 1. digest: of its row, hex.
    """

    id: str
    account: Account
    spender: Spender
    cost: Cost
    caps: Caps
    at: datetime
    number: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Spent(Sealed):
    """That this result, and no other, may leave for the reservation. result: SHA-256, hex. Built by `Budget.spend`."""

    reservation: Reservation
    result: str


_reservation = prover(Reservation)
_spent = prover(Spent)


class Budget:
    """The platform's privacy budget in `store`. Safe for several processes and threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reserve(
        self, account: Account, spender: Spender, cost: Cost, caps: Caps, *, now: datetime, reservation: str
    ) -> Reservation:
        """Counts the cost under the spender's contract, each of its owners and the account, if all caps allow it.

        reservation: a UUID that names the release; the same call again gives the same reservation and counts nothing.
        now: with a time zone. Where it lies before the account's newest reservation, that one's moment is taken: no period
        opens a second time, however the clock goes.
        Raises PrivacyError for a cap that stands in the way and for an id that is another's reservation, IntegrityError
        when the account's rows aren't what was written, ConflictError when others keep writing. Any other error of the
        store leaves open whether it was counted: call again with the same id.
        """
        if not is_uuid(reservation):
            raise InternalError(
                "A reservation's id is no UUID.", remedy="Name each release by a UUID of its own."
            )
        moment = as_utc(now)
        for _ in range(_ATTEMPTS):
            earlier = self._earlier(reservation)
            if earlier is not None:
                return self._same(earlier, account, spender, cost, caps)
            book = read_book(self._store, account)
            at = max(moment, book.newest or moment)
            counters = book.counters(scopes(spender))
            found = obstacles(counters, spender, cost, caps, at)
            if found:
                raise refusal(
                    found,
                    account=account,
                    reservation=reservation,
                    cost=cost,
                    at=at,
                    behind=at - moment,
                )
            row = _next_row(book, reservation, spender, cost, caps, at)
            try:
                self._store.commit(writes(book, row, charged(counters, spender, cost, at)))
            except ConflictError:
                refuse_rolled_back(self._store, book)
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
        raise ConflictError(
            "Others keep writing to this privacy budget.",
            where=f"dataset {account.dataset}, unit {account.unit}",
            remedy="Run it again, with the same reservation, when fewer are under way.",
        )

    def spend(self, reservation: Reservation, *, result: str, now: datetime) -> Spent:
        """Marks the reservation as carried out for one result; call it before that result leaves.

        result: the SHA-256, hex, of what is released. The same result may be spent again, after a crash; another never.
        Raises PrivacyError for another result, IntegrityError when the reservation isn't stored as it was made.
        """
        if not _DIGEST.fullmatch(result):
            raise InternalError(
                "A result is named by something that is no SHA-256.", remedy="Pass 64 hex digits."
            )
        moment = as_utc(now)
        account, number = reservation.account.digest, reservation.number
        stored = self._store.get(rows.row_key(account, number))
        if stored is None or sha256_hex(stored.value) != reservation.digest:
            raise damaged("A reservation isn't stored as it was made.", rows.row_key(account, number))
        key = rows.spent_key(account, number)
        mark = Mark(digest=reservation.digest, result=result, at=moment)
        try:
            self._store.commit([Write(key, rows.encode_mark(mark), 0)])
        except ConflictError:
            self._refuse_another(key, mark, reservation.id)
        return _spent(reservation=reservation, result=result)

    def statement(self, account: Account, *, by: Period = Period.MONTH) -> Statement:
        """What was spent of the account, recomputed from its reservations; by: the periods that its lines are of.

        Raises IntegrityError when the account's rows don't hold.
        """
        return state(self._store, account, by)

    def audit(self, *, kept: Sequence[Point] = ()) -> tuple[Difference, ...]:
        """What isn't as the reservations make it, over all accounts; nothing when the budget holds.

        kept: states that were written down elsewhere; each must still be part of its account.
        """
        accounts = [*account_digests(self._store)]
        found = [each for account in accounts for each in replay(self._store, account).differences]
        found += [each for point in kept if (each := missing(self._store, point)) is not None]
        return tuple(found)

    def _refuse_another(self, key: str, mark: Mark, reservation: str) -> None:
        entry = self._store.get(key)
        if entry is None:  # nothing ever deletes a mark
            raise damaged("The mark of a reservation that was carried out is gone.", key)
        earlier = rows.decode_mark(key, entry.value)
        if earlier.digest != mark.digest:
            raise damaged("The mark of a reservation is another's.", key)
        if earlier.result != mark.result:
            raise PrivacyError(
                "The reservation was carried out for another result: a second one would be a second answer for one price.",
                where=f"reservation {reservation}",
                remedy="Give out the first result if it was kept, or reserve anew.",
            )

    def _earlier(self, reservation: str) -> tuple[Row, str] | None:
        """The stored row of that id, with its digest. Raises IntegrityError when it isn't the one that was reserved."""
        key = rows.IDS + reservation
        entry = self._store.get(key)
        if entry is None:
            return None
        place = rows.decode_place(key, entry.value)
        row_key = rows.row_key(place.account, place.number)
        stored = self._store.get(row_key)
        if stored is None or sha256_hex(stored.value) != place.digest:
            raise damaged("A reservation isn't stored as it was made.", row_key)
        row = rows.decode_row(row_key, stored.value)
        if (row.id, row.account.digest, row.number) != (reservation, place.account, place.number):
            raise damaged("A reservation of the privacy budget stands in another's place.", row_key)
        return row, place.digest

    def _same(
        self, earlier: tuple[Row, str], account: Account, spender: Spender, cost: Cost, caps: Caps
    ) -> Reservation:
        row, digest = earlier
        if (row.account, row.spender, row.cost, row.caps) != (account, spender, cost, caps):
            raise PrivacyError(
                "The id of this reservation stands for another one, with another account, spender, cost or caps.",
                where=f"reservation {row.id}",
                remedy="Reserve under a new id; what the other one counted stays counted.",
            )
        return _reservation(
            id=row.id,
            account=account,
            spender=spender,
            cost=cost,
            caps=caps,
            at=row.at,
            number=row.number,
            digest=digest,
        )


def _next_row(book: Book, reservation: str, spender: Spender, cost: Cost, caps: Caps, at: datetime) -> Row:
    return Row(
        account=book.account,
        number=book.head.reservations + 1,
        id=reservation,
        spender=spender,
        cost=cost,
        caps=caps,
        at=at,
        before=book.head.last,
        counters="",  # `writes` fills it in
    )
