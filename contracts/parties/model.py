"""Parties and their keys, and when a key's signature counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from contracts.agreement.codes import code_of
from contracts.agreement.values import Grade
from contracts.parties.moment import Held, LogPosition, Moment, check_moment
from core.algorithms import PublicKey
from core.errors import ContractError
from core.partykeys import Reason

_MAX_TEXT = 200
_MAX_KEYS = 100
_MAX_LOGS = 100
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """The end of a key before its time.

    last_good: for a compromise, the last checkpoint of each log that its owner vouches for, by the log's name. Both halls have
    recorded a contract, each in its own log, and each judges by its own: in a log that isn't named, nothing of the key counts.
    """

    at: datetime
    reason: Reason
    last_good: tuple[LogPosition, ...] = ()

    def __post_init__(self) -> None:
        check_moment(self.at)
        origins = [good.origin for good in self.last_good]
        if origins != sorted(set(origins)) or len(origins) > _MAX_LOGS:
            raise ContractError(
                "The last good checkpoints don't stand once for each log, in the order of their names.",
                remedy=f"Name at most {_MAX_LOGS} logs, each with one size.",
            )
        if self.last_good and self.reason is not Reason.COMPROMISE:
            raise ContractError(
                f"A key revoked as {self.reason} names no last good checkpoint.",
                remedy="Leave it out, or give the reason as compromise.",
            )


@dataclass(frozen=True, kw_only=True)
class PartyKey:
    """A key that signs contracts for one party, valid from one moment until before another."""

    party: str
    public: PublicKey
    valid_from: datetime
    valid_until: datetime
    revoked: Revocation | None = None

    def __post_init__(self) -> None:
        check_party(self.party)
        check_moment(self.valid_from)
        check_moment(self.valid_until)
        if self.valid_from >= self.valid_until:
            raise ContractError("A key's validity must end after it begins.", where=f"key {self.key_id}")

    @property
    def key_id(self) -> str:
        """SHA-256 of the key's DER form, hex."""
        return self.public.key_id

    def check(self, at: Moment) -> None:
        """Raises ContractError, with what is wrong, when a signature that came about at `at` doesn't count."""
        time = at.time if isinstance(at, Held) else at.now
        if time < self.valid_from:
            raise self._refused(f"wasn't valid before {self.valid_from.isoformat()}")
        if time >= self.valid_until:
            raise self._refused(f"was valid until {self.valid_until.isoformat()}")
        if self.revoked is None:
            return
        if not isinstance(at, Held):
            # No log says that the signature is older than the revocation, and its own word is worth nothing.
            raise self._refused(f"was revoked ({self.revoked.reason}), and no checkpoint holds the signature")
        if self.revoked.reason is Reason.COMPROMISE:
            self._check_compromise(at, self.revoked)
        if time >= self.revoked.at:
            raise self._refused(f"was revoked ({self.revoked.reason}) at {self.revoked.at.isoformat()}")

    def _check_compromise(self, at: Held, revoked: Revocation) -> None:
        if not revoked.last_good:
            raise self._refused("was compromised, and its owner vouches for nothing that it signed")
        good = next((each for each in revoked.last_good if each.origin == at.origin), None)
        if good is None:
            logs = ", ".join(each.origin for each in revoked.last_good)
            raise self._refused(
                f"was compromised, and its owner vouches for signatures in {logs} alone, not in {at.origin}"
            )
        if at.size > good.size:
            raise self._refused(
                f"was compromised: the log held the signature first at size {at.size}, its owner vouches up to {good.size}"
            )

    def _refused(self, why: str) -> ContractError:
        return ContractError(
            f"The key {why}.",
            where=f"key {self.key_id} of {self.party}",
            remedy="Sign once more with a key of this party that is valid now.",
        )


@dataclass(frozen=True, kw_only=True)
class Party:
    """One firm of the registry. party: `urn:uscc:` and its code; beneficial_owner: who owns it in the end, by name or code."""

    party: str
    name: str
    beneficial_owner: str
    grade: Grade
    keys: tuple[PartyKey, ...] = ()

    def __post_init__(self) -> None:
        check_party(self.party)
        for label, text in (("name", self.name), ("beneficial owner", self.beneficial_owner)):
            if not text or text != text.strip() or not text.isprintable() or len(text) > _MAX_TEXT:
                raise ContractError(
                    f"A party's {label} is blank, too long, or holds what can't be seen.",
                    where=self.party,
                    remedy="Write it as the licence does, without spaces around it.",
                )
        if any(key.party != self.party for key in self.keys):
            raise ContractError("A party's record holds a key of another party.", where=self.party)
        if len(self.keys) > _MAX_KEYS:
            raise ContractError(f"A party has more than {_MAX_KEYS} keys.", where=self.party)


@dataclass(frozen=True)
class Parties:
    """All parties of a registry. Raises ContractError when a party or a key stands twice, be it under two parties."""

    records: tuple[Party, ...]
    _by_code: Mapping[str, Party] = field(init=False, repr=False, compare=False)
    _by_key: Mapping[str, PartyKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_code", _index("party", ((one.party, one) for one in self.records)))
        object.__setattr__(self, "_by_key", _index("key", ((key.key_id, key) for key in self.all_keys())))

    @classmethod
    def of(cls, records: Iterable[Party]) -> Parties:
        """The parties in the order of their codes."""
        return cls(tuple(sorted(records, key=lambda record: record.party)))

    def all_keys(self) -> Iterator[PartyKey]:
        """All keys, the revoked ones too."""
        return (key for record in self.records for key in record.keys)

    def get(self, party: str) -> Party | None:
        """The record of a party, or None."""
        return self._by_code.get(party)

    def key(self, key_id: str) -> PartyKey | None:
        """The key of this id, or None."""
        return self._by_key.get(key_id)


def _index(what: str, named: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    index: dict[str, T] = {}
    for name, one in named:
        if name in index:
            raise ContractError(
                f"The registry names one {what} twice.",
                where=name,
                remedy="A key has one owner, a firm one record.",
            )
        index[name] = one
    return index


def check_party(party: str) -> None:
    """Raises ContractError unless `party` is `urn:uscc:` and a unified social credit code, in its one spelling."""
    code_of(party)
