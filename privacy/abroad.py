"""The meter of distinct persons provided abroad since 1 January, by provider: exact, and without knowing any of them.

A person is the HMAC of namespace and id under the provider's key of that calendar year, so the same person counts once over
contracts, recipients, doors and repeated runs. The year is China's (the provisions count from 1 January there): data that
goes at 16:00 UTC on 31 December counts in the new year. Nothing is ever taken off: persons who were provided were provided.
Source: Provisions on Promoting and Regulating Cross-Border Data Flows (CAC order 16, 2024), articles 5(4), 7 and 8.

In the store, for each provider and year: `abroad/<provider>/<year>/head`, which every change writes, so that two who count at
once don't both fit under a threshold; and 256 shards of sorted records, by the first byte of the digest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
import numpy.typing as npt

from contracts.regimes.finding import Headcount, china_date
from contracts.regimes.thresholds import DEFAULT, Thresholds
from core.digest import sha256_hex
from core.errors import ConflictError, IntegrityError, UsageError
from core.keys import KeyStore
from core.store import Entry, Store, Write
from core.yearkeys import YearKey, destroy_year_key, make_year_key, year_key, year_keys
from privacy.heads import Head

# As many bits as a pseudonym: among a billion persons two share a digest with a chance of 10^-21.
_DIGEST_BYTES = 16
_RECORD = np.dtype([("person", f"S{_DIGEST_BYTES}"), ("members", "<u2"), ("flags", "u1")])
_OPEN, _SENSITIVE = 1, 2
_SHARDS = 256
# A provider that could be spelt in two ways would have two meters. Source: GB 32100-2015.
_PROVIDER = re.compile(r"(?:urn:uscc:)?([0-9A-HJ-NP-RTUW-Y]{18})")
_TRIES = 20
_RESTORE = "Put store and keys back from one backup; else persons would be counted anew from nothing."

_Records = npt.NDArray[np.void]


class Meter:
    """What one provider has provided abroad. provider: its unified social credit code, with urn:uscc: or without.

    Raises UsageError for anything else.
    """

    def __init__(
        self, store: Store, keys: KeyStore, *, provider: str, thresholds: Thresholds = DEFAULT
    ) -> None:
        code = _PROVIDER.fullmatch(provider)
        if code is None:
            raise UsageError(
                "The meter counts by the provider's unified social credit code.",
                remedy="Write its 18 characters, with urn:uscc: or without.",
            )
        self._store, self._keys, self._provider = store, keys, code[1]
        self._unknown = thresholds.count("membersWhenUnknown")
        self._prefix = f"abroad/{sha256_hex(code[1].encode())[:32]}/"

    def provide(
        self, heads: Iterable[Head], *, namespace: str, at: datetime, allow: Callable[[Headcount], None]
    ) -> Headcount:
        """Counts persons as provided at a moment, before their data goes; gives the year's count with them.

        allow: asked with that count; when it raises, nobody is counted. Asked again when another provision came in between.
        Persons who were counted stay counted though their data didn't go after all: never too few.
        Where a later year has begun already, as after a clock was set back, persons count in both and the larger count is asked.
        Raises what `allow` raises; StateError when the year's key was destroyed; IntegrityError when store and keys don't fit.
        """
        persons = list(heads)
        for _ in range(_TRIES):
            years = sorted({china_date(at).year, *self._later(china_date(at).year)})
            writes: list[Write] = []
            counts = []
            try:
                for year in years:
                    count, changed = self._with(persons, namespace, year)
                    counts.append(count)
                    writes += changed
                largest = _largest(counts)
                allow(largest)
                self._store.commit(writes)
            except ConflictError:
                continue
            return largest
        raise ConflictError(
            "Others kept counting persons.", where="the cross-border meter", remedy="Run again."
        )

    def count(self, at: datetime) -> Headcount:
        """The count of the year of a moment, or of a later one that has begun if that is larger. Writes nothing."""
        year = china_date(at).year
        return _largest([self._counted(each) for each in sorted({year, *self._later(year)})])

    def _later(self, year: int) -> set[int]:
        found = self._store.scan(self._prefix, start=f"{self._prefix}{year + 1:04d}/")
        return {int(entry.key.split("/")[2]) for entry in found if entry.key.endswith("/head")}

    def _counted(self, year: int) -> Headcount:
        entries = {entry.key: entry for entry in self._store.scan(f"{self._prefix}{year:04d}/")}
        if entries:
            self._check(year_key(self._keys, self._provider, year), entries[self._head(year)], year)
        return self._sum(
            [_records(entry, year) for entry in entries.values() if not entry.key.endswith("/head")]
        )

    def _with(self, heads: list[Head], namespace: str, year: int) -> tuple[Headcount, list[Write]]:
        """The year's count with these persons, and what has to be written for it."""
        entries = {entry.key: entry for entry in self._store.scan(f"{self._prefix}{year:04d}/")}
        head = entries.pop(self._head(year), None)
        key = year_key(self._keys, self._provider, year)
        if head is None:
            # Order matters: the head is there before the key. So a key without a head means that the store lost the count.
            if key is not None or entries:
                raise _unfit(year)
            self._store.commit([Write(self._head(year), self._document(None), 0)])
            head = self._store.get(self._head(year))
            assert head is not None
        if key is None and _check_of(head, year) is None:
            key = make_year_key(self._keys, self._provider, year)
        key = self._check(key, head, year)
        fresh = _merged(_hashed(heads, namespace, key))
        writes = [Write(head.key, self._document(key), head.version)]
        kept = []
        first = np.frombuffer(fresh["person"].tobytes(), np.uint8)[::_DIGEST_BYTES]
        for shard in range(_SHARDS):
            name = f"{self._prefix}{year:04d}/{shard:02x}"
            entry = entries.get(name)
            old = _records(entry, year) if entry else np.empty(0, _RECORD)
            low, high = np.searchsorted(first, (shard, shard + 1))
            new = _merged(np.concatenate([old, fresh[low:high]])) if high > low else old
            kept.append(new)
            if new.tobytes() != old.tobytes():
                writes.append(Write(name, new.tobytes(), entry.version if entry else 0))
        return self._sum(kept), writes

    def _sum(self, shards: list[_Records]) -> Headcount:
        records = np.concatenate([np.empty(0, _RECORD), *shards])
        members = records["members"].astype(np.int64)
        unsure = (records["flags"] & _OPEN) > 0
        members[unsure] = np.maximum(members[unsure], self._unknown)
        return Headcount(
            persons=int(members.sum()), sensitive=int(members[(records["flags"] & _SENSITIVE) > 0].sum())
        )

    def _head(self, year: int) -> str:
        return f"{self._prefix}{year:04d}/head"

    def _document(self, key: YearKey | None) -> bytes:
        check = _fingerprint(key) if key else None
        return json.dumps(
            {"version": 1, "provider": self._provider, "key": check}, ensure_ascii=False
        ).encode()

    def _check(self, key: YearKey | None, head: Entry, year: int) -> YearKey:
        """The key, once it's sure that it's the one that the year was counted under."""
        known = _check_of(head, year)
        if key is None or (known is not None and known != _fingerprint(key)):
            raise _unfit(year)
        return key


def destroy_ended(
    store: Store, keys: KeyStore, *, at: datetime, thresholds: Thresholds = DEFAULT
) -> tuple[tuple[str, int], ...]:
    """Destroys the meters, keys first, of the years whose retention is over; gives provider and year of each key destroyed.

    A year is kept for `meterYearsKept` whole years after its own.
    """
    ended = [
        (provider, year)
        for provider, year in year_keys(keys)
        if year + thresholds.count("meterYearsKept") < china_date(at).year
    ]
    for provider, year in ended:
        destroy_year_key(keys, provider, year)
    # By the store's own word, so that what a crash left between key and records goes too.
    last = china_date(at).year - thresholds.count("meterYearsKept")
    store.commit(
        [
            Write(entry.key, None, entry.version)
            for entry in store.scan("abroad/")
            if int(entry.key.split("/")[2]) < last
        ]
    )
    return tuple(ended)


def _hashed(heads: list[Head], namespace: str, key: YearKey) -> _Records:
    """A record for each head, unsorted. The namespace stands behind its length: no two of namespace and id make one message."""
    space = namespace.encode()
    prefix = len(space).to_bytes(4, "big") + space
    records = np.zeros(len(heads), _RECORD)
    digests = b"".join(key.digest(prefix + head.unit.encode())[:_DIGEST_BYTES] for head in heads)
    records["person"] = np.frombuffer(digests, f"S{_DIGEST_BYTES}")
    records["members"] = [head.members for head in heads]
    records["flags"] = [_OPEN * head.open + _SENSITIVE * head.sensitive for head in heads]
    return records


def _merged(records: _Records) -> _Records:
    """One record a person, sorted. A number that somebody knows beats one that is open; the largest of either counts."""
    if not len(records):
        return records
    order = np.argsort(records["person"], kind="stable")
    ordered = records[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered["person"][1:] != ordered["person"][:-1]]))
    merged = np.zeros(len(starts), _RECORD)
    merged["person"] = ordered["person"][starts]
    merged["members"] = np.maximum.reduceat(ordered["members"], starts)
    flags = ordered["flags"]
    merged["flags"] = np.minimum.reduceat(flags & _OPEN, starts) | np.maximum.reduceat(
        flags & _SENSITIVE, starts
    )
    return merged


def _records(entry: Entry, year: int) -> _Records:
    if len(entry.value) % _RECORD.itemsize:
        raise _unfit(year)
    return np.frombuffer(entry.value, _RECORD)


def _largest(counts: list[Headcount]) -> Headcount:
    return Headcount(persons=max(c.persons for c in counts), sensitive=max(c.sensitive for c in counts))


def _fingerprint(key: YearKey) -> str:
    return key.digest(b"\xff\xff\xff\xffwhich key this is").hex()[:32]  # no namespace is that long


def _check_of(head: Entry, year: int) -> str | None:
    try:
        check = json.loads(head.value)["key"]
    except (ValueError, KeyError, TypeError):
        raise _unfit(year) from None
    return check if check is None else str(check)


def _unfit(year: int) -> IntegrityError:
    return IntegrityError(
        f"The cross-border meter of {year} and its key don't belong together.",
        where="the cross-border meter",
        remedy=_RESTORE,
    )
