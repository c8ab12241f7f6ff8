from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.agreement.values import Grade
from contracts.parties.model import Parties, Party, PartyKey, Revocation
from contracts.parties.moment import LogPosition
from contracts.parties.record import read_parties, write_parties
from core.errors import ContractError
from core.partykeys import Reason

from .house import CONTRACT_KEY, FIRM, HALL, NOON, PLATFORM, RECORDS, YEAR, Key, changed, party

FULL = changed(
    RECORDS,
    PLATFORM,
    keys=(
        CONTRACT_KEY,
        replace(Key(70).of(PLATFORM), revoked=Revocation(at=NOON, reason=Reason.SUPERSEDED)),
        replace(
            Key(71).of(PLATFORM),
            revoked=Revocation(
                at=NOON,
                reason=Reason.COMPROMISE,
                last_good=(LogPosition(origin="hall.example/log", size=12),),
            ),
        ),
    ),
)

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
TEXTS = st.text(min_size=1, max_size=10).filter(lambda text: text == text.strip() and text.isprintable())
REVOCATIONS = (
    st.none()
    | st.builds(Revocation, at=TIMES, reason=st.sampled_from([Reason.RETIRED, Reason.SUPERSEDED]))
    | st.builds(
        Revocation,
        at=TIMES,
        reason=st.just(Reason.COMPROMISE),
        last_good=st.dictionaries(TEXTS, st.integers(1, 2**53 - 1), max_size=3).map(
            lambda logs: tuple(LogPosition(origin=origin, size=logs[origin]) for origin in sorted(logs))
        ),
    )
)


@st.composite
def records(draw: st.DrawFn) -> Parties:
    numbers = iter(draw(st.permutations(range(20, 30))))
    parties = []
    for code in draw(st.lists(st.sampled_from([HALL, PLATFORM, FIRM]), unique=True)):
        keys = []
        for _ in range(draw(st.integers(0, 2))):
            start = draw(TIMES)
            keys.append(
                PartyKey(
                    party=code,
                    public=Key(next(numbers)).public,
                    valid_from=start,
                    valid_until=start + timedelta(days=draw(st.integers(1, 400))),
                    revoked=draw(REVOCATIONS),
                )
            )
        parties.append(
            Party(
                party=code,
                name=draw(TEXTS),
                beneficial_owner=draw(TEXTS),
                grade=draw(st.sampled_from(Grade)),
                keys=tuple(sorted(keys, key=lambda key: key.key_id)),
            )
        )
    return Parties.of(parties)


@settings(deadline=None, max_examples=60)
@given(records())
def test_records_come_back_as_they_were(parties: Parties) -> None:
    data = write_parties(parties)
    assert read_parties(data) == parties
    assert write_parties(read_parties(data)) == data


def _document() -> Any:
    return json.loads(write_parties(FULL))


def _platform(document: Any) -> Any:
    return next(record for record in document["parties"] if record["party"] == PLATFORM)


def _key(document: Any, *, revoked: bool = False) -> Any:
    return next(
        key for key in _platform(document)["keys"] if bool((key["revoked"] or {}).get("lastGood")) == revoked
    )


def test_the_full_record_is_read() -> None:
    assert read_parties(json.dumps(_document(), indent=1).encode()) == read_parties(write_parties(FULL))


CHANGES: dict[str, tuple[Any, str]] = {
    "another version": (lambda d: d.update(version=2), "version"),
    "a version that is true": (lambda d: d.update(version=True), "version"),
    "a field on top": (lambda d: d.update(note=1), "exactly the fields"),
    "parties no list": (lambda d: d.update(parties={}), "must be a list"),
    "a field of a party": (lambda d: _platform(d).update(phone="1"), "exactly the fields"),
    "a party without an owner": (lambda d: _platform(d).pop("beneficialOwner"), "exactly the fields"),
    "a blank name": (lambda d: _platform(d).update(name=" "), "name is blank"),
    "a name that can't be seen": (lambda d: _platform(d).update(name="a\u200b"), "holds what can't be seen"),
    "a name turned round": (lambda d: _platform(d).update(name="a\u202eb"), "holds what can't be seen"),
    "a long owner": (lambda d: _platform(d).update(beneficialOwner="x" * 201), "owner is blank, too long"),
    "an unknown grade": (lambda d: _platform(d).update(grade="VIP"), "one of SME, LittleGiant"),
    "a grade in capitals": (lambda d: _platform(d).update(grade="PLATFORM"), "must be one of"),
    "a grade that's no text": (lambda d: _platform(d).update(grade=1), "must be text"),
    "a lookalike code": (
        lambda d: _platform(d).update(party=PLATFORM.replace("1", "１", 1)),
        "only looks like",
    ),
    "a code with another check digit": (
        lambda d: _platform(d).update(party=PLATFORM[:-1] + "E"),
        "check digit",
    ),
    "a bare code": (lambda d: _platform(d).update(party=PLATFORM[9:]), "isn't named by"),
    "a party twice": (lambda d: d["parties"].append({**_platform(d), "keys": []}), "names one party twice"),
    "a key twice": (lambda d: _platform(d)["keys"].append(_key(d)), "names one key twice"),
    "a key of two parties": (lambda d: d["parties"][0]["keys"].append(_key(d)), "names one key twice"),
    "a key id that isn't the key's": (lambda d: _key(d).update(keyid="0" * 64), "isn't the SHA-256"),
    "a key of small order": (lambda d: _key(d).update(public="01" + "00" * 31), "isn't a sound ed25519"),
    "a key in capitals": (lambda d: _key(d).update(public=_key(d)["public"].upper()), "lower-case hex"),
    "a key with spaces": (lambda d: _key(d).update(public=" " + _key(d)["public"]), "lower-case hex"),
    "a key that's no hex": (lambda d: _key(d).update(public="zz"), "lower-case hex"),
    "a short key": (lambda d: _key(d).update(public="00"), "isn't a sound"),
    "a key of SM2": (lambda d: _key(d).update(algorithm="sm2"), "Use a key of one of these: ed25519"),
    "a key without an end": (lambda d: _key(d).update(validUntil=None), "must be text"),
    "a key that ends first": (lambda d: _key(d).update(validUntil="2020-01-01T00:00:00Z"), "must end after"),
    "a time without a zone": (lambda d: _key(d).update(validFrom="2026-01-01T00:00:00"), "is written like"),
    "a time with an offset": (
        lambda d: _key(d).update(validFrom="2026-01-01T00:00:00+08:00"),
        "is written like",
    ),
    "a time with fractions": (
        lambda d: _key(d).update(validFrom="2026-01-01T00:00:00.5Z"),
        "is written like",
    ),
    "a time spelt short": (lambda d: _key(d).update(validFrom="2026-1-1T0:0:0Z"), "is written like"),
    "a day that isn't": (lambda d: _key(d).update(validFrom="2026-02-30T00:00:00Z"), "is written like"),
    "a revocation without a reason": (
        lambda d: _key(d, revoked=True)["revoked"].pop("reason"),
        "exactly the fields",
    ),
    "an unknown reason": (lambda d: _key(d, revoked=True)["revoked"].update(reason="x"), "one of superseded"),
    "a last good of a retired key": (
        lambda d: _key(d, revoked=True)["revoked"].update(reason="retired"),
        "no last good",
    ),
    "a revocation that is false": (lambda d: _key(d).update(revoked=False), "exactly the fields"),
    "a log's size of 0": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"][0].update(size=0),
        "at least 1",
    ),
    "a log's size that is true": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"][0].update(size=True),
        "at least 1",
    ),
    "a log's size in words": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"][0].update(size="9"),
        "whole number",
    ),
    "one log twice": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"].append(
            {"origin": "hall.example/log", "size": 3}
        ),
        "once for each log",
    ),
    "logs out of order": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"].append({"origin": "a", "size": 3}),
        "once for each log",
    ),
    "a last good checkpoint that is no list": (
        lambda d: _key(d, revoked=True)["revoked"].update(lastGood={"origin": "a", "size": 3}),
        "must be a list",
    ),
    "a log without a name": (
        lambda d: _key(d, revoked=True)["revoked"]["lastGood"][0].update(origin=""),
        "at least 1",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_record_of_another_form_is_refused(name: str) -> None:
    change, match = CHANGES[name]
    document = _document()
    change(document)
    with pytest.raises(ContractError, match=match):
        read_parties(json.dumps(document).encode())


def test_doubled_keys_and_rubbish_are_refused() -> None:
    data = write_parties(FULL)
    for bad in (b"", b"null", b"[]", data[:-1], data.replace(b'"grade":', b'"grade":"Platform","grade":', 1)):
        with pytest.raises(ContractError):
            read_parties(bad)


def test_a_record_holds_its_own_keys_alone() -> None:
    with pytest.raises(ContractError, match="a key of another party"):
        party(FIRM, Grade.SME, CONTRACT_KEY)
    with pytest.raises(ContractError, match="more than 100 keys"):
        party(PLATFORM, Grade.SME, *[CONTRACT_KEY] * 101)
    with pytest.raises(ContractError, match="to the second"):
        write_parties(
            changed(
                RECORDS,
                PLATFORM,
                keys=(replace(CONTRACT_KEY, valid_from=YEAR[0] + timedelta(microseconds=1)),),
            )
        )
