"""The file `parties.json`: the parties as JSON, read strictly.

    {"version": 1, "parties": [{"party": "urn:uscc:...", "name": ..., "beneficialOwner": ..., "grade": "SME", "keys": [
        {"keyid": ..., "algorithm": "ed25519", "public": hex, "validFrom": ..., "validUntil": ..., "revoked": null |
            {"at": ..., "reason": "compromise", "lastGood": [{"origin": ..., "size": 12}]}}]}]}

Times are UTC, to the second: 2026-01-01T00:00:00Z.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Party, PartyKey, Revocation
from contracts.parties.moment import LogPosition
from core.algorithms import PublicKey
from core.digest import canonical
from core.errors import ContractError, UsageError
from core.jsontext import parse_json
from core.partykeys import Reason

FILE_NAME = "parties.json"
MAX_BYTES = 8 << 20
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def write_parties(parties: Parties) -> bytes:
    """The file: its RFC 8785 form, parties and keys in the order of their codes and ids."""
    records = [
        {
            "party": record.party,
            "name": record.name,
            "beneficialOwner": record.beneficial_owner,
            "grade": record.grade.value,
            "keys": [_key_as_json(key) for key in sorted(record.keys, key=lambda key: key.key_id)],
        }
        for record in sorted(parties.records, key=lambda record: record.party)
    ]
    return canonical({"version": 1, "parties": records})


def read_parties(data: bytes) -> Parties:
    """The parties of a file. Raises ContractError, naming the record, for anything that `write_parties` wouldn't write."""
    document = _fields(parse_json(data, max_bytes=MAX_BYTES, where=FILE_NAME), "version", "parties", where="")
    # `True == 1`, and a version of a later day isn't ours to guess.
    if document["version"] != 1 or isinstance(document["version"], bool):
        raise _malformed("version", "this version of the file isn't known")
    return Parties.of(
        _party(record, f"parties[{i}]") for i, record in enumerate(_list(document["parties"], "parties"))
    )


def _key_as_json(key: PartyKey) -> dict[str, Any]:
    revoked = key.revoked
    return {
        "keyid": key.key_id,
        "algorithm": key.public.algorithm,
        "public": key.public.raw.hex(),
        "validFrom": _time_as_text(key.valid_from),
        "validUntil": _time_as_text(key.valid_until),
        "revoked": revoked
        and {
            "at": _time_as_text(revoked.at),
            "reason": revoked.reason.value,
            "lastGood": [{"origin": good.origin, "size": good.size} for good in revoked.last_good],
        },
    }


def _party(value: object, where: str) -> Party:
    record = _fields(value, "party", "name", "beneficialOwner", "grade", "keys", where=where)
    party = _text(record, "party", where)
    return Party(
        party=party,
        name=_text(record, "name", where),
        beneficial_owner=_text(record, "beneficialOwner", where),
        grade=_one_of(Grade, _text(record, "grade", where), f"{where}.grade"),
        keys=tuple(
            _key(key, party, f"{where}.keys[{i}]")
            for i, key in enumerate(_list(record["keys"], f"{where}.keys"))
        ),
    )


def _key(value: object, party: str, where: str) -> PartyKey:
    document = _fields(
        value, "keyid", "algorithm", "public", "validFrom", "validUntil", "revoked", where=where
    )
    text = _text(document, "public", where)
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if raw.hex() != text:  # capitals and spaces would be a second spelling
        raise _malformed(f"{where}.public", "a public key is written in lower-case hex")
    key = PartyKey(
        party=party,
        public=PublicKey(_text(document, "algorithm", where), raw),
        valid_from=_time(document, "validFrom", where),
        valid_until=_time(document, "validUntil", where),
        revoked=None if document["revoked"] is None else _revocation(document["revoked"], f"{where}.revoked"),
    )
    if document["keyid"] != key.key_id:
        raise _malformed(f"{where}.keyid", "the id isn't the SHA-256 of the key's DER form")
    return key


def _revocation(value: object, where: str) -> Revocation:
    document = _fields(value, "at", "reason", "lastGood", where=where)
    good = _list(document["lastGood"], f"{where}.lastGood")
    return Revocation(
        at=_time(document, "at", where),
        reason=_one_of(Reason, _text(document, "reason", where), f"{where}.reason"),
        last_good=tuple(_position(each, f"{where}.lastGood[{i}]") for i, each in enumerate(good)),
    )


def _position(value: object, where: str) -> LogPosition:
    good = _fields(value, "origin", "size", where=where)
    if not isinstance(good["size"], int):
        raise _malformed(f"{where}.size", "a log's size is a whole number")
    try:
        return LogPosition(origin=_text(good, "origin", where), size=good["size"])
    except UsageError as error:
        raise _malformed(where, error.what) from None


def _fields(value: object, *names: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise _malformed(where, f"it must have exactly the fields {', '.join(names)}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _malformed(where, "it must be a list")
    return value


def _text(document: Mapping[str, Any], name: str, where: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise _malformed(f"{where}.{name}", "it must be text")
    return value


def _one_of(kind: Any, text: str, where: str) -> Any:
    if text not in list(kind):
        raise _malformed(where, f"it must be one of {', '.join(kind)}")
    return kind(text)


def _time(document: Mapping[str, Any], name: str, where: str) -> datetime:
    text = _text(document, name, where)
    try:
        moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or _time_as_text(moment) != text:
        raise _malformed(f"{where}.{name}", "a time is written like 2026-01-01T00:00:00Z")
    return moment


def _time_as_text(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    if moment.microsecond:
        raise ContractError(
            "The registry knows times to the second.", remedy="Leave the fraction of the second out."
        )
    return f"{moment.year:04d}{moment.strftime(_TIME[2:])}"


def _malformed(where: str, why: str) -> ContractError:
    return ContractError(
        f"The registry's record is malformed: {why}.",
        where=f"{FILE_NAME} {where}".strip(),
        remedy="Bring the registry's folder once more, whole, as it was published.",
    )
