"""A party's keys in this hall, and the file by which the public side of one travels to the registry's holders.

    {"version": 1, "party": "urn:uscc:...", "use": "contracts" | "registry" | "online", "key": {as in parties.json}, "proof": hex}

proof: a signature of the key itself over the rest, so that nobody has another's key registered as their own. The file of a
revoked key has none: what could sign it is gone, and the holders who register the revocation ask its owner.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from audit.events import Event, EventKind
from audit.facts import is_name
from contracts.agreement.codes import code_of
from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Party, PartyKey, Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.record import read_parties, write_parties
from core.digest import canonical
from core.errors import ContractError, UsageError
from core.ids import uuid_of
from core.jsontext import parse_json
from core.partykeys import OwnKey, PartyKeys, Reason, Use
from core.store import Write
from pipeline.home import Home

DAYS = 365
SHORT_ID = 12
_ONLINE = "#online"
_MAX_BYTES = 64 << 10
_MAX_DAYS = 3660
_LEAST_OF_ID = 4
# No other thing that a party signs begins so.
_PROOF = b"sluice party key 1\n"


class KeyUse(StrEnum):
    """What a key is for. online: a hall's own, it keeps the registry fresh and vouches for no party."""

    CONTRACTS = "contracts"
    REGISTRY = "registry"
    ONLINE = "online"


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """The public side of a key as its owner sends it. Checked when it's read: the key is sound, and the proof its own."""

    use: KeyUse
    key: PartyKey
    proof: bytes = b""

    @property
    def name(self) -> str:
        """What the file is called."""
        ended = ".revoked" if self.key.revoked else ""
        return f"{code_of(self.key.party)}-{self.use}-{self.key.key_id[:8]}{ended}.json"

    def statement(self) -> bytes:
        """What the key signs of itself."""
        return _PROOF + canonical(self._said())

    def to_bytes(self) -> bytes:
        """The file."""
        return json.dumps({**self._said(), "proof": self.proof.hex()}, indent=2).encode() + b"\n"

    def _said(self) -> dict[str, Any]:
        return {"version": 1, "party": self.key.party, "use": self.use.value, "key": _as_json(self.key)}

    @classmethod
    def parse(cls, data: bytes, where: str) -> KeyFile:
        """The key of a file. Raises ContractError for anything else than a file that this program writes."""
        document = parse_json(data, max_bytes=_MAX_BYTES, where=where)
        if not isinstance(document, dict) or set(document) != {"version", "party", "use", "key", "proof"}:
            raise _no_key_file(where)
        if document["version"] != 1 or document["use"] not in list(KeyUse):
            raise _no_key_file(where)
        key = _from_json(document["party"], document["key"], where)
        try:
            proof = bytes.fromhex(document["proof"])
        except (ValueError, TypeError):
            raise _no_key_file(where) from None
        file = cls(use=KeyUse(document["use"]), key=key, proof=proof)
        if key.revoked is None and not key.public.accepts(file.statement(), proof):
            raise ContractError(
                "The key in this file didn't sign it: whoever sends it may not hold the key.",
                where=where,
                remedy="Have the key's owner run `sluice party key export` once more.",
            )
        return file

    @classmethod
    def load(cls, path: Path) -> KeyFile:
        """The same of a path. Raises UsageError when it can't be read."""
        return cls.parse(read_bounded(path, _MAX_BYTES), str(path))


def create_key(home: Home, party: str, *, use: KeyUse, days: int = DAYS) -> KeyFile:
    """A new key of `party`, valid from now for so many days. Raises ContractError for what is no party."""
    code_of(party)
    start, end = _validity(home, days)
    own = PartyKeys(home.keys).create(_kept_as(party, use), valid_from=start, valid_until=end, use=_kept(use))
    record_keys(home)
    return export_key(home, own)


def rotate_key(home: Home, key_id: str, *, days: int = DAYS) -> KeyFile:
    """A new key in the place of another, which still signs until it's revoked."""
    start, end = _validity(home, days)
    old = find_key(home, key_id)
    own = PartyKeys(home.keys).rotate(old.key_id, valid_from=start, valid_until=end)
    record_keys(home)
    return export_key(home, own)


def revoke_key(
    home: Home, key_id: str, *, reason: Reason, last_good: tuple[LogPosition, ...] = ()
) -> KeyFile:
    """Ends a key and destroys its private side. last_good: for a compromise, up to where its owner vouches for it, in each log.

    Raises UsageError for a last good checkpoint of another reason, or one that this hall's log hasn't reached.
    """
    own = find_key(home, key_id)
    if last_good:
        if reason is not Reason.COMPROMISE:
            raise UsageError(
                f"A key revoked as {reason} has no last good checkpoint: all that it signed before stays good.",
                where=f"key {own.key_id}",
                remedy="Leave --last-good out, or give --reason compromise.",
            )
        for good in last_good:
            if not is_name(good.origin):  # before the key is gone: the ledger couldn't be told of it
                raise UsageError(
                    "A log's name has at most 128 printable characters.",
                    where="--last-good",
                    remedy="Take it from that hall's `sluice audit verify`.",
                )
            if good.origin == home.keys.signer().name and good.size > home.ledger.size:
                raise UsageError(
                    f"This hall's log holds {home.ledger.size} entries: nobody can vouch for entry {good.size}.",
                    where=good.origin,
                    remedy="Name a size that the log had while the key was yours alone (`sluice audit log`).",
                )
        # Before the key ends: should a crash come between, only a compromise ever reads it.
        _keep_last_good(home, own.key_id, last_good)
    ended = PartyKeys(home.keys).revoke(own.key_id, at=_second(home.clock()), reason=reason)
    record_keys(home)
    return export_key(home, ended)


def record_keys(home: Home) -> None:
    """Has the ledger hold every key that this hall made or ended, also those that a killed process couldn't tell of."""
    for own, party, use in own_keys(home):
        facts: dict[str, object] = {
            "key": own.key_id,
            "party": party,
            "use": use.value,
            "valid_from": own.valid_from.isoformat(),
            "valid_until": own.valid_until.isoformat(),
        }
        _record(EventKind.KEY_CREATED, facts | ({"replaces": own.replaces} if own.replaces else {}), home)
        if own.ended is not None and own.reason is not None:
            good = _last_good(home, own.key_id) if own.reason is Reason.COMPROMISE else ()
            facts = {"key": own.key_id, "reason": own.reason.value, "at": own.ended.isoformat()}
            vouched = {"last_good": {each.origin: each.size for each in good}} if good else {}
            _record(EventKind.KEY_REVOKED, facts | vouched, home)


def _record(kind: EventKind, facts: dict[str, object], home: Home) -> None:
    subject = f"key/{facts['key']}"
    home.ledger.append(Event(kind=kind, run_id=uuid_of(subject), subject=subject, facts=facts))


def export_key(home: Home, own: OwnKey) -> KeyFile:
    """The file of a key. Raises UsageError for one that isn't valid now and was never revoked."""
    party, use = _party_and_use(own)
    revoked = None
    if own.ended is not None and own.reason is not None:
        good = _last_good(home, own.key_id) if own.reason is Reason.COMPROMISE else ()
        revoked = Revocation(at=_second(own.ended), reason=own.reason, last_good=good)
    key = PartyKey(
        party=party,
        public=own.public,
        valid_from=own.valid_from,
        valid_until=own.valid_until,
        revoked=revoked,
    )
    file = KeyFile(use=use, key=key)
    if revoked is not None:
        return file
    signer = PartyKeys(home.keys).signer(own.key_id, use=own.use, now=home.clock())
    return KeyFile(use=use, key=key, proof=signer.sign(file.statement()))


def own_keys(home: Home) -> tuple[tuple[OwnKey, str, KeyUse], ...]:
    """Every key of this hall, the oldest of a party first, with whose it is and what for."""
    return tuple((own, *_party_and_use(own)) for own in PartyKeys(home.keys).list())


def parties_here(home: Home) -> frozenset[str]:
    """The parties whose keys for contracts this hall holds or held; none where they're kept elsewhere."""
    return frozenset(party for _, party, use in own_keys(home) if use is KeyUse.CONTRACTS)


def find_key(home: Home, key_id: str) -> OwnKey:
    """The key of this id, or of as much of its beginning as no other has. Raises UsageError."""
    keys = PartyKeys(home.keys).list()
    found = [own for own in keys if len(key_id) >= _LEAST_OF_ID and own.key_id.startswith(key_id)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        "Several keys begin so." if found else "No key in this hall begins so.",
        where=f"key {key_id[:80]}",
        remedy="`sluice party key list` shows them; give more of the id."
        if found
        else f"`sluice party key list` shows them; at least {_LEAST_OF_ID} characters are needed.",
    )


def read_bounded(path: Path, most: int) -> bytes:
    """A file that somebody sent, of at most so many bytes. Raises UsageError when it can't be read, ContractError when it's larger."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UsageError(
            f"The file can't be read ({error.strerror or type(error).__name__}).",
            where=str(path),
            remedy="Check the path.",
        ) from None
    if len(data) > most:
        raise ContractError(
            f"The file has more than {most} bytes.", where=str(path), remedy="Give the file that was sent."
        )
    return data


def _kept(use: KeyUse) -> Use:
    return Use.CONTRACTS if use is KeyUse.CONTRACTS else Use.REGISTRY


def _kept_as(party: str, use: KeyUse) -> str:
    # Under a name of its own in the key store: nobody takes it for the key of a holder.
    return f"{party}{_ONLINE}" if use is KeyUse.ONLINE else party


def _party_and_use(own: OwnKey) -> tuple[str, KeyUse]:
    if own.party.endswith(_ONLINE):
        return own.party.removesuffix(_ONLINE), KeyUse.ONLINE
    return own.party, KeyUse(own.use.value)


def _validity(home: Home, days: int) -> tuple[datetime, datetime]:
    if not 1 <= days <= _MAX_DAYS:
        raise UsageError(
            f"A key can't be valid for {days} days.", remedy=f"Name a number from 1 to {_MAX_DAYS}."
        )
    start = _second(home.clock())
    return start, start + timedelta(days=days)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _keep_last_good(home: Home, key_id: str, last_good: tuple[LogPosition, ...]) -> None:
    name = _good_name(key_id)
    entry = home.store.get(name)
    value = canonical([{"origin": good.origin, "size": good.size} for good in last_good])
    home.store.commit([Write(name, value, entry.version if entry else 0)])


def _last_good(home: Home, key_id: str) -> tuple[LogPosition, ...]:
    entry = home.store.get(_good_name(key_id))
    kept = json.loads(entry.value) if entry is not None else []
    return tuple(LogPosition(origin=good["origin"], size=good["size"]) for good in kept)


def _good_name(key_id: str) -> str:
    return f"party-key/{key_id}/last-good"


def _as_json(key: PartyKey) -> dict[str, Any]:
    """The key as the registry's records write it."""
    written: dict[str, Any] = json.loads(write_parties(_alone(key)))
    return dict(written["parties"][0]["keys"][0])


def _from_json(party: object, key: object, where: str) -> PartyKey:
    """The key that such JSON says, read as strictly as the registry's records are."""
    # Whoever reads the records later would refuse what isn't the same letter by letter.
    record = {"party": party, "name": "-", "beneficialOwner": "-", "grade": Grade.SME.value, "keys": [key]}
    try:
        (read,) = read_parties(canonical({"version": 1, "parties": [record]})).all_keys()
    except ContractError as error:
        raise ContractError(f"This key can't be used. {error.what}", where=where, remedy=_ASK) from None
    return read


def _alone(key: PartyKey) -> Parties:
    return Parties.of([Party(party=key.party, name="-", beneficial_owner="-", grade=Grade.SME, keys=(key,))])


_ASK = "Ask the key's owner for the file once more (`sluice party key export`)."


def _no_key_file(where: str) -> ContractError:
    return ContractError("This isn't the public file of a party's key.", where=where, remedy=_ASK)
