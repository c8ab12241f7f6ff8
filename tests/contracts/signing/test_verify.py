"""Attacks on a contract's signatures, by the number of the proof that each one breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from contracts.parties.model import Revocation
from contracts.parties.moment import Held, LogPosition, Unheld, first_held
from contracts.signing.dsse import IN_TOTO, Envelope, Signature, sign
from contracts.signing.statement import Statement
from contracts.signing.verify import Signed, check_signatures, verify_envelope
from core.digest import canonical
from core.edwards import ORDER
from core.errors import ContractError, InternalError, LedgerError, StateError, UsageError
from core.partykeys import Reason

from .table import FIRM, NOON, PLATFORM, STRANGER, YEAR, Key, Table

LOG = "hall.example/log"
DAY = timedelta(days=1)


def held(size: int, time: Any = NOON, origin: str = LOG) -> Held:
    return Held(origin=origin, size=size, time=time)


def verify(table: Table, envelope: Envelope, at: Any = None, **changed: Any) -> Signed:
    arguments = {"parties": table.parties, "at": at or table.now, **changed}
    return verify_envelope(envelope, table.statement, **arguments)


def refused(table: Table, envelope: Envelope, match: str, at: Any = None, **changed: Any) -> ContractError:
    with pytest.raises(ContractError, match=match) as caught:
        verify(table, envelope, at, **changed)
    return caught.value


def test_both_signed(table: Table) -> None:
    envelope = table.both()
    signed = verify(table, envelope)
    assert signed.statement == table.statement
    assert (signed.assigner.key.party, signed.assignee.key.party) == (PLATFORM, FIRM)
    assert signed.envelope_digest == envelope.digest
    assert verify(table, table.envelope(table.firm, table.platform)) == signed  # the order says nothing


def test_the_proof_is_built_by_verifying_alone(table: Table) -> None:
    signed = verify(table, table.both())
    with pytest.raises(InternalError, match="can only be built"):
        Signed(
            statement=signed.statement,
            envelope_digest="",
            assigner=signed.assigner,
            assignee=signed.assignee,
        )
    with pytest.raises(InternalError):
        replace(signed, statement=replace(table.statement, contract_id="other"))


def test_securesystemslib_verifies_what_we_sign(table: Table) -> None:
    """An independent reading of the envelope, by a library that shares no line with ours."""
    document = json.loads(table.both().to_bytes())
    keys = [
        SSlibKey(key.public.key_id, "ed25519", "ed25519", {"public": key.public.raw.hex()})
        for key in (table.platform, table.firm)
    ]
    other = OtherEnvelope.from_dict(json.loads(json.dumps(document)))
    assert set(other.verify(keys, 2)) == {key.keyid for key in keys}
    assert other.pae() == table.both().pae()
    assert json.loads(other.payload)["subject"][0]["digest"] == {"sha256": "a" * 64}
    document["payload"] = json.loads(table.envelope().to_bytes())["payload"][:-4] + "AAAA"
    with pytest.raises(VerificationError):
        OtherEnvelope.from_dict(document).verify(keys, 2)


# 1: what it's said to be


@pytest.mark.parametrize(
    "kind", ["application/vnd.tuf+json", "application/json", "", IN_TOTO + " ", IN_TOTO.upper()]
)
def test_another_payload_type_is_refused_though_both_signed_it(table: Table, kind: str) -> None:
    envelope = Envelope(kind, table.statement.payload())
    for key in (table.platform, table.firm):
        envelope = sign(envelope, key)
    refused(table, envelope, "something else than a statement")


def test_a_signature_under_one_type_doesnt_count_under_another(table: Table) -> None:
    envelope = Envelope("text/plain", table.statement.payload())
    for key in (table.platform, table.firm):
        envelope = sign(envelope, key)
    refused(table, replace(envelope, payload_type=IN_TOTO), "is false")


def test_a_type_cant_swallow_the_payload(table: Table) -> None:
    """Length prefixes: moving bytes between type and payload gives other bytes to sign."""
    payload = table.statement.payload()
    moved = Envelope(f"{IN_TOTO} {len(payload)} {payload[:4].decode()}", payload[4:])
    assert moved.pae() != table.envelope().pae()


# 2: which documents


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contract_digest", "c" * 64),
        ("agreement_digest", "c" * 64),
        ("contract_id", "other"),
        ("contract_version", "1.0.1"),
        ("assigner", STRANGER),
        ("assignee", STRANGER),
    ],
)
def test_the_signatures_of_another_contract_are_refused(table: Table, field: str, value: str) -> None:
    other = replace(table.statement, **{field: value})
    error = refused(
        table, table.envelope(table.platform, table.firm, statement=other), "over other documents"
    )
    assert field.replace("_", " ") in error.what


def test_two_who_sign_for_each_other_bind_nobody_else(table: Table) -> None:
    """The parties come from the agreement at hand, not from the statement that was signed."""
    others = replace(table.statement, assigner=STRANGER, assignee=FIRM)
    refused(
        table, table.envelope(table.stranger, table.firm, statement=others), "assigner isn't the one at hand"
    )


def test_a_signature_moved_to_another_contract_is_false(table: Table) -> None:
    other = table.envelope(
        table.platform, table.firm, statement=replace(table.statement, contract_digest="c" * 64)
    )
    refused(table, replace(table.envelope(), signatures=other.signatures), "is false")


def test_a_byte_changed_is_refused(table: Table) -> None:
    """Every byte of the payload and of each signature."""
    envelope = table.both()
    for i in range(len(envelope.payload)):
        payload = bytearray(envelope.payload)
        payload[i] ^= 1
        with pytest.raises(ContractError):
            verify(table, replace(envelope, payload=bytes(payload)))
    first, second = envelope.signatures
    for i in range(64):
        value = bytearray(first.value)
        value[i] ^= 1
        refused(
            table, replace(envelope, signatures=(Signature(first.key_id, bytes(value)), second)), "is false"
        )


# 3 and 6: whose signatures


def test_one_signature_is_no_contract(table: Table) -> None:
    assert refused(table, table.envelope(table.platform), "The assignee hasn't signed").where == FIRM
    assert refused(table, table.envelope(table.firm), "The assigner hasn't signed").where == PLATFORM
    refused(table, table.envelope(), "Nobody has signed")


def test_the_first_signature_can_be_checked_before_the_second(table: Table) -> None:
    [first] = check_signatures(
        table.envelope(table.platform), table.statement, parties=table.parties, at=table.now
    )
    assert first.key.party == PLATFORM
    with pytest.raises(ContractError, match="Nobody has signed"):
        check_signatures(table.envelope(), table.statement, parties=table.parties, at=table.now)


def test_the_same_key_twice_is_refused(table: Table) -> None:
    [signature] = table.envelope(table.platform).signatures
    with pytest.raises(ContractError, match="two signatures of the same key"):
        replace(table.envelope(), signatures=(signature, signature))
    with pytest.raises(ContractError, match="two signatures of the same key"):
        table.envelope(table.platform, table.platform)
    document = json.loads(table.envelope(table.platform).to_bytes())
    document["signatures"] *= 2
    with pytest.raises(ContractError, match="two signatures of the same key"):
        Envelope.parse(json.dumps(document).encode())


def test_two_keys_of_one_party_are_one_party(table: Table) -> None:
    refused(table, table.envelope(table.platform, table.second), "The assignee hasn't signed")
    refused(table, table.envelope(table.platform, table.second, table.firm), "One party signed with two keys")


def test_a_signature_of_a_third_is_refused_with_or_without_theirs(table: Table) -> None:
    for keys in (
        (table.platform, table.stranger),
        (table.stranger, table.firm),
        (table.platform, table.firm, table.stranger),
    ):
        assert STRANGER in refused(table, table.envelope(*keys), "no party to this contract").what


def test_an_unknown_signature_is_refused_not_passed_over(table: Table) -> None:
    refused(table, table.envelope(table.platform, table.firm, Key(9)), "the registry doesn't have")
    refused(table, table.envelope(table.platform, Key(9)), "the registry doesn't have")


def test_a_signature_under_another_keys_id_is_false(table: Table) -> None:
    [mine] = table.envelope(table.stranger).signatures
    [theirs] = table.envelope(table.platform).signatures
    stolen = Signature(table.firm.public.key_id, mine.value)
    refused(table, replace(table.envelope(), signatures=(theirs, stolen)), "of urn:uscc:.*D is false")
    copied = Signature(table.firm.public.key_id, theirs.value)
    refused(table, replace(table.envelope(), signatures=(theirs, copied)), "is false")


def test_one_party_on_both_sides_is_refused(table: Table) -> None:
    with pytest.raises(ContractError, match="on both sides"):
        replace(table.statement, assignee=PLATFORM)


# 4: one spelling


def test_a_signature_has_no_second_spelling(table: Table) -> None:
    """S + L passes where the range of S isn't checked: the file would change and stay valid."""
    envelope = table.both()
    first, second = envelope.signatures
    s = int.from_bytes(first.value[32:], "little")
    for other in (s + ORDER, ORDER - s):
        value = first.value[:32] + other.to_bytes(32, "little")
        refused(table, replace(envelope, signatures=(Signature(first.key_id, value), second)), "is false")
    for value in (first.value + b"\0", first.value[:-1], b"\0" * 64):
        refused(table, replace(envelope, signatures=(Signature(first.key_id, value), second)), "is false")


# 5: when


def test_a_key_that_isnt_valid_yet_or_any_more_is_refused(table: Table) -> None:
    for moment in (Unheld(now=YEAR[0] - DAY), held(3, YEAR[0] - DAY)):
        error = refused(table, table.both(), "wasn't valid before", moment)
        assert PLATFORM in error.where or FIRM in error.where
    for moment in (Unheld(now=YEAR[1]), held(3, YEAR[1])):
        refused(table, table.both(), "was valid until", moment)
    for moment in (YEAR[0], YEAR[1] - timedelta(microseconds=1)):
        verify(table, table.both(), Unheld(now=moment))
        verify(table, table.both(), held(3, moment))


def test_a_signature_held_while_the_key_was_valid_stays_valid(table: Table) -> None:
    """Whatever the clock says now: the moment is the checkpoint's."""
    verify(table, table.both(), held(7))


@pytest.mark.parametrize("reason", [Reason.SUPERSEDED, Reason.RETIRED])
def test_a_revoked_key_keeps_what_was_held_before(table: Table, reason: Reason) -> None:
    parties = table.with_key(replace(table.firm.of(FIRM), revoked=Revocation(at=NOON, reason=reason)))
    verify(table, table.both(), held(7, NOON - timedelta(seconds=1)), parties=parties)
    refused(table, table.both(), f"was revoked \\({reason}\\) at", held(7, NOON), parties=parties)
    # Not held: even if the clock says it's before the revocation.
    for now in (NOON - DAY, NOON, NOON + DAY):
        refused(table, table.both(), "no checkpoint holds the signature", Unheld(now=now), parties=parties)


def test_a_stolen_key_cant_date_back(table: Table) -> None:
    """The owner vouches up to size 100. The thief signs after it, and says whatever time suits."""
    revoked = Revocation(
        at=NOON + DAY, reason=Reason.COMPROMISE, last_good=(LogPosition(origin=LOG, size=100),)
    )
    parties = table.with_key(replace(table.firm.of(FIRM), revoked=revoked))
    verify(table, table.both(), held(100), parties=parties)
    for at in (held(101), held(101, NOON - 100 * DAY), held(10**9, YEAR[0])):
        refused(table, table.both(), "its owner vouches up to 100", at, parties=parties)
    # A log of the thief's own, or of another hall, whose sizes mean something else.
    refused(
        table,
        table.both(),
        "vouches for signatures in hall.example/log alone",
        held(1, origin="mine"),
        parties=parties,
    )
    refused(table, table.both(), "no checkpoint holds", Unheld(now=NOON), parties=parties)
    refused(table, table.both(), "was revoked", held(100, NOON + DAY), parties=parties)


def test_each_hall_judges_a_compromise_by_its_own_log(table: Table) -> None:
    good = (LogPosition(origin="firm.example/log", size=7), LogPosition(origin=LOG, size=100))
    revoked = Revocation(at=NOON + DAY, reason=Reason.COMPROMISE, last_good=good)
    parties = table.with_key(replace(table.firm.of(FIRM), revoked=revoked))
    verify(table, table.both(), held(100), parties=parties)
    verify(table, table.both(), held(7, origin="firm.example/log"), parties=parties)
    refused(table, table.both(), "vouches up to 7", held(8, origin="firm.example/log"), parties=parties)
    refused(table, table.both(), "alone, not in mine", held(1, origin="mine"), parties=parties)


def test_a_compromise_without_a_last_good_checkpoint_leaves_nothing(table: Table) -> None:
    revoked = Revocation(at=NOON + DAY, reason=Reason.COMPROMISE)
    parties = table.with_key(replace(table.firm.of(FIRM), revoked=revoked))
    refused(table, table.both(), "vouches for nothing", held(1, YEAR[0]), parties=parties)


def test_only_the_first_checkpoint_counts() -> None:
    assert first_held([held(9, NOON + DAY), held(5, NOON), held(7, NOON)]) == held(5, NOON)
    for positions in ([], [held(1), held(2, origin="other")], [held(5, NOON), held(6, NOON - DAY)]):
        with pytest.raises(LedgerError):
            first_held(positions)


def test_each_signature_has_its_own_moment(table: Table) -> None:
    """The platform signed in May and retired its key; the firm signed in June."""
    envelope = table.both()
    marks = {one.key_id: envelope.mark(one) for one in envelope.signatures}
    platform, firm = marks[table.platform.public.key_id], marks[table.firm.public.key_id]
    parties = table.with_key(
        replace(table.platform.of(PLATFORM), revoked=Revocation(at=NOON, reason=Reason.RETIRED))
    )
    at = {platform: held(3, NOON - DAY), firm: held(8, NOON + DAY)}
    verify(table, envelope, at=at, parties=parties)
    swapped = {platform: at[firm], firm: at[platform]}
    refused(table, envelope, "was revoked", swapped, parties=parties)
    refused(table, envelope, "the log doesn't hold this one", {platform: at[platform]}, parties=parties)


def test_what_the_log_holds_of_one_signature_vouches_for_no_other(table: Table) -> None:
    marks = set()
    for statement in (table.statement, replace(table.statement, contract_version="2")):
        for key in (table.platform, table.firm):
            envelope = table.envelope(key, statement=statement)
            marks.add(envelope.mark(envelope.signatures[0]))
            marks.add(replace(envelope, payload_type="text/plain").mark(envelope.signatures[0]))
    assert len(marks) == 8


def test_a_clock_set_back_is_told(table: Table) -> None:
    """Back before its key expired, though the log has gone on."""
    newest = held(40, YEAR[1] + DAY)
    with pytest.raises(StateError, match="clock stands before the log's newest checkpoint"):
        Unheld(now=NOON, newest=newest)
    refused(table, table.both(), "was valid until", Unheld(now=newest.time, newest=newest))


def test_a_time_without_a_zone_is_refused() -> None:
    for build in (lambda: held(3, NOON.replace(tzinfo=None)), lambda: Unheld(now=NOON.replace(tzinfo=None))):
        with pytest.raises(UsageError, match="time zone"):
            build()
    for size in (0, -1, True):
        with pytest.raises(UsageError):
            LogPosition(origin=LOG, size=size)


# The statement itself


def _changed(table: Table, change: Any) -> bytes:
    document = table.statement.as_json()
    change(document)
    return canonical(document)


FOREIGN = {
    "a third subject": lambda d: d["subject"].append({"name": "x", "digest": {"sha256": "d" * 64}}),
    "one subject": lambda d: d["subject"].pop(),
    "subjects in another order": lambda d: d["subject"].reverse(),
    "subjects renamed": lambda d: d["subject"][0].update(name="contract.yaml"),
    "subjects' names swapped": lambda d: [
        one.update(name=name)
        for one, name in zip(d["subject"], ("agreement.json", "contract.odcs.yaml"), strict=True)
    ],
    "another digest beside": lambda d: d["subject"][0]["digest"].update(sha1="e" * 40),
    "another digest instead": lambda d: d["subject"][0].update(digest={"sha512": "a" * 128}),
    "digest in capitals": lambda d: d["subject"][0]["digest"].update(sha256="A" * 64),
    "digest short": lambda d: d["subject"][0]["digest"].update(sha256="a" * 63),
    "digest no text": lambda d: d["subject"][0]["digest"].update(sha256=1),
    "a field in a subject": lambda d: d["subject"][0].update(uri="https://a.example"),
    "a field in the predicate": lambda d: d["predicate"].update(until="2099-01-01"),
    "a field lacking": lambda d: d["predicate"].pop("contractVersion"),
    "a field on top": lambda d: d.update(note="x"),
    "another type": lambda d: d.update(_type="https://in-toto.io/Statement/v0.1"),
    "another predicate": lambda d: d.update(predicateType="https://slsa.dev/provenance/v1"),
    "no predicate": lambda d: d.update(predicate=None),
    "no subjects": lambda d: d.update(subject={}),
    "a lookalike code": lambda d: d["predicate"].update(assignee=FIRM.replace("D", "Ｄ")),
    "an assigner without a code": lambda d: d["predicate"].update(assigner="the platform"),
    "a wrong check digit": lambda d: d["predicate"].update(assignee=FIRM[:-1] + "E"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_statement_of_another_form_is_refused_though_both_signed_it(table: Table, name: str) -> None:
    envelope = Envelope(IN_TOTO, _changed(table, FOREIGN[name]))
    for key in (table.platform, table.firm):
        envelope = sign(envelope, key)
    with pytest.raises(ContractError):
        verify(table, envelope)
    with pytest.raises(ContractError):
        Statement.parse(envelope.payload)


def test_a_statement_has_one_spelling(table: Table) -> None:
    payload = table.statement.payload()
    doubled = payload.replace(b'"assignee":', b'"assignee":"urn:uscc:91440000100000003K","assignee":', 1)
    for other in (
        payload + b"\n",
        json.dumps(json.loads(payload)).encode(),
        b"\xef\xbb\xbf" + payload,
        payload.replace(b"grocery", b"\\u0067rocery"),
        payload.decode().encode("utf-16"),
        doubled,
        b"[]",
        b"",
        b"[" * 10_000,
        b"9" * 10_000,
    ):
        with pytest.raises(ContractError):
            Statement.parse(other)
    with pytest.raises(ContractError, match="'assignee' stands twice"):
        Statement.parse(doubled)


def test_the_statement_is_pinned(table: Table) -> None:
    """Another byte here, and no contract that was signed before would verify."""
    assert table.statement.payload() == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"assignee":"urn:uscc:91310000100000002D",'
        b'"assigner":"urn:uscc:91110000100000001W","contractId":"grocery-demand","contractVersion":"1.0.0"},'
        b'"predicateType":"urn:sluice:agreement:1","subject":[{"digest":{"sha256":"' + b"a" * 64 + b'"},'
        b'"name":"contract.odcs.yaml"},{"digest":{"sha256":"' + b"b" * 64 + b'"},"name":"agreement.json"}]}'
    )


@settings(deadline=None)
@given(
    st.text(min_size=1, max_size=20).filter(str.isprintable),
    st.text(min_size=1, max_size=9).filter(str.isprintable),
)
def test_a_statement_comes_back_as_it_was(contract_id: str, version: str) -> None:
    try:
        statement = replace(Table().statement, contract_id=contract_id, contract_version=version)
        payload = statement.payload()
    except ContractError:
        return
    assert Statement.parse(payload) == statement


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "subject",
                        "predicate",
                        "digest",
                        "sha256",
                        "payload",
                        "payloadType",
                        "signatures",
                        "keyid",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_makes_reading_fail_otherwise(data: bytes) -> None:
    for read in (Statement.parse, Envelope.parse):
        with pytest.raises(ContractError):
            read(data)
