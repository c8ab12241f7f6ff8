"""The rows of the budget as they are stored: RFC 8785 JSON, numbers of quanta as text, no float anywhere.

    budget/account/<account>/head            how many reservations there are, and the digest of the last one's row
    budget/account/<account>/of/<counter>    a counter
    budget/account/<account>/row/<number>    a reservation: it holds the digest of the row before it, and one of all counters
    budget/account/<account>/spent/<number>  the result for which it was carried out
    budget/id/<reservation id>               which account and row have that id, and the row's digest

What doesn't read back to the very bytes that stand there is refused: a damaged row is never half believed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from contracts.agreement.vocabulary import Door
from core.digest import canonical, document_digest
from core.errors import ContractError, IntegrityError
from privacy.budget.amounts import Cost, Limit, Total
from privacy.budget.counters import Counter, Name
from privacy.budget.periods import Period
from privacy.budget.terms import Account, Cap, Caps, Scope, Spender

ACCOUNTS = "budget/account/"
IDS = "budget/id/"
FORMAT = 1
NO_ROW = "0" * 64  # what the first reservation names as the row before it
_NUMBER = re.compile(r"0|[1-9][0-9]{0,99}")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Head:
    """reservations: how many there are. last: SHA-256 of the last one's row, hex."""

    account: Account
    reservations: int
    last: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reservation as it's stored. at: the moment to which it's counted. before, counters: SHA-256, hex."""

    account: Account
    number: int
    id: str
    spender: Spender
    cost: Cost
    caps: Caps
    at: datetime
    before: str
    counters: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a reservation stands: its account's digest, its number, and its row's SHA-256, hex."""

    account: str
    number: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """That a reservation was carried out. digest: of its row; result: of what was released; both SHA-256, hex."""

    digest: str
    result: str
    at: datetime


def account_prefix(account: str) -> str:
    """What all keys of an account begin with; `account` is its digest, here and below."""
    return f"{ACCOUNTS}{account}/"


def head_key(account: str) -> str:
    """Where an account's head stands; the first of its keys."""
    return account_prefix(account) + "head"


def counters_prefix(account: str) -> str:
    """What the keys of an account's counters begin with. They follow the head's at once."""
    return f"{account_prefix(account)}of/"


def counter_key(account: str, name: Name) -> str:
    """Where a counter stands."""
    return counters_prefix(account) + document_digest(list(name))


def rows_prefix(account: str) -> str:
    """What the keys of an account's reservations begin with."""
    return f"{account_prefix(account)}row/"


def marks_prefix(account: str) -> str:
    """What the keys of an account's marks begin with."""
    return f"{account_prefix(account)}spent/"


def row_key(account: str, number: int) -> str:
    """Where reservation `number` stands, from 1; keys sort as numbers do."""
    return f"{rows_prefix(account)}{number:016d}"


def spent_key(account: str, number: int) -> str:
    """Where it's said that the reservation was carried out."""
    return f"{marks_prefix(account)}{number:016d}"


def counters_digest(stored: Mapping[str, bytes]) -> str:
    """SHA-256 over all counters of an account, hex. stored: their values by key."""
    whole = hashlib.sha256()
    for key in sorted(stored):
        whole.update(hashlib.sha256(key.encode()).digest())
        whole.update(hashlib.sha256(stored[key]).digest())
    return whole.hexdigest()


def encode_head(head: Head) -> bytes:
    """The head as it's stored."""
    return canonical(
        {
            "format": FORMAT,
            "account": _account_json(head.account),
            "reservations": head.reservations,
            "last": head.last,
        }
    )


def decode_head(key: str, value: bytes) -> Head:
    """The inverse of `encode_head`. Raises IntegrityError, as all of these do."""
    return _decoded(
        key,
        value,
        lambda found: Head(
            account=_account(found["account"]),
            reservations=int(found["reservations"]),
            last=str(found["last"]),
        ),
        encode_head,
    )


def encode_counter(counter: Counter) -> bytes:
    """The counter as it's stored."""
    return canonical(
        {
            "format": FORMAT,
            "scope": str(counter.scope),
            "name": counter.name,
            "life": _total_json(counter.life),
            "periods": {
                str(period): {"start": start.isoformat(), **_total_json(total)}
                for period, (start, total) in counter.periods.items()
            },
        }
    )


def decode_counter(key: str, value: bytes) -> Counter:
    """The inverse of `encode_counter`, for bytes whose digest the last reservation has proved: they aren't checked again."""
    return _decoded(
        key,
        value,
        lambda found: Counter(
            scope=Scope(found["scope"]),
            name=str(found["name"]),
            life=_total(found["life"]),
            periods={
                Period(period): (date.fromisoformat(each["start"]), _total(each))
                for period, each in found["periods"].items()
            },
        ),
    )


def encode_row(row: Row) -> bytes:
    """The reservation as it's stored."""
    return canonical(
        {
            "format": FORMAT,
            "account": _account_json(row.account),
            "number": row.number,
            "id": row.id,
            "contract": row.spender.contract,
            "owners": list(row.spender.owners),
            "door": str(row.spender.door),
            "cost": {
                "rho": str(row.cost.rho_quanta),
                "delta": str(row.cost.delta_quanta),
                "unbounded": row.cost.unbounded,
            },
            "caps": [_cap_json(cap) for cap in row.caps.each],
            "at": row.at.isoformat(),
            "before": row.before,
            "counters": row.counters,
        }
    )


def decode_row(key: str, value: bytes) -> Row:
    """The inverse of `encode_row`."""
    return _decoded(key, value, _row, encode_row)


def encode_place(place: Place) -> bytes:
    """The place as it's stored."""
    return canonical(
        {"format": FORMAT, "account": place.account, "number": place.number, "digest": place.digest}
    )


def decode_place(key: str, value: bytes) -> Place:
    """The inverse of `encode_place`."""
    return _decoded(
        key,
        value,
        lambda found: Place(
            account=str(found["account"]), number=int(found["number"]), digest=str(found["digest"])
        ),
        encode_place,
    )


def encode_mark(mark: Mark) -> bytes:
    """The mark as it's stored."""
    return canonical(
        {"format": FORMAT, "digest": mark.digest, "result": mark.result, "at": mark.at.isoformat()}
    )


def decode_mark(key: str, value: bytes) -> Mark:
    """The inverse of `encode_mark`."""
    return _decoded(
        key,
        value,
        lambda found: Mark(digest=str(found["digest"]), result=str(found["result"]), at=_moment(found["at"])),
        encode_mark,
    )


def damaged(what: str, key: str) -> IntegrityError:
    """The refusal of a row that isn't what was written; nothing is spent from its account."""
    return IntegrityError(
        what,
        where=key,
        remedy="Nothing is spent from this account until its rows are put back from a copy; audit the budget to see which.",
    )


def _decoded(
    key: str, value: bytes, read: Callable[[Any], _T], encode: Callable[[_T], bytes] | None = None
) -> _T:
    """encode: what must give the same bytes again; None when they are proved already."""
    try:
        document = json.loads(value)
        if document["format"] != FORMAT:
            raise IntegrityError(
                f"A row of the privacy budget has a format that this Sluice doesn't know; it knows {FORMAT}.",
                where=key,
                remedy="Run the newer Sluice that wrote it.",
            )
        found = read(document)
        if encode is None or encode(found) == value:
            return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, ContractError):
        pass  # one refusal for all of it, below: what a damaged row says is no text for a message
    raise damaged("A row of the privacy budget is malformed.", key)


def _row(found: Any) -> Row:
    return Row(
        account=_account(found["account"]),
        number=int(found["number"]),
        id=str(found["id"]),
        spender=Spender(contract=found["contract"], owners=tuple(found["owners"]), door=Door(found["door"])),
        cost=Cost(
            rho_quanta=_quanta(found["cost"]["rho"]),
            delta_quanta=_quanta(found["cost"]["delta"]),
            unbounded=found["cost"]["unbounded"] is True,
        ),
        caps=Caps(tuple(_cap(cap) for cap in found["caps"])),
        at=_moment(found["at"]),
        before=str(found["before"]),
        counters=str(found["counters"]),
    )


def _account_json(account: Account) -> dict[str, str]:
    return {"dataset": account.dataset, "unit": account.unit}


def _account(found: Any) -> Account:
    return Account(dataset=found["dataset"], unit=found["unit"])


def _total_json(total: Total) -> dict[str, Any]:
    return {
        "rho": str(total.rho_quanta),
        "delta": str(total.delta_quanta),
        "unbounded": total.unbounded,
    }


def _total(found: Any) -> Total:
    return Total(
        rho_quanta=_quanta(found["rho"]),
        delta_quanta=_quanta(found["delta"]),
        unbounded=int(found["unbounded"]),
    )


def _cap_json(cap: Cap) -> dict[str, Any]:
    return {
        "scope": str(cap.scope),
        "rho": str(cap.limit.rho_quanta),
        "delta": str(cap.limit.delta_quanta),
        "period": str(cap.period) if cap.period else None,
        "finite": cap.finite,
    }


def _cap(found: Any) -> Cap:
    return Cap(
        scope=Scope(found["scope"]),
        limit=Limit(rho_quanta=_quanta(found["rho"]), delta_quanta=_quanta(found["delta"])),
        period=Period(found["period"]) if found["period"] is not None else None,
        finite=found["finite"] is True,
    )


def _quanta(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.utcoffset() != UTC.utcoffset(None):
        raise ValueError
    return at.astimezone(UTC)
