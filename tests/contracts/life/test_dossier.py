"""Two parties negotiate by a file that goes to and fro; then the attacks on it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.agreement.message import DoorTerms, Terms, offer_document
from contracts.agreement.vocabulary import Door
from contracts.life import talk
from contracts.life.dossier import TARGET, ContractName, Dossier, Negotiation, merged, replay
from contracts.life.negotiation import Phase, Side
from contracts.life.saying import SAYING, TURN, Saying
from contracts.life.state import Turn
from contracts.parties.model import Reason, Revocation
from contracts.parties.moment import Held, LogPosition, Moment
from contracts.signing.dsse import Envelope, sign
from core.digest import canonical, document_digest
from core.errors import ContractError
from tests.contracts.signing.table import FIRM, NOON, PLATFORM, STRANGER, YEAR, Key, Table

P, C = Side.PROVIDER, Side.CONSUMER
ID = "0190a0b0-0000-4000-8000-000000000001"
TEXT = b"id: shop\n"
NAME = ContractName(id="shop", version="1.0.0", digest="c" * 64)


def terms(k: int = 10) -> dict[str, Any]:
    door = DoorTerms(
        door=Door.RELEASE,
        purposes=("demand-forecast",),
        start=YEAR[0],
        end=YEAR[1],
        territories=("CN",),
        grades=("SME",),
        limits={"minGroupSize": k},
    )
    return offer_document(Terms(target=TARGET, doors=(door,)), offer_id="urn:uuid:" + ID)


class Post:
    """The file on its way between the two."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.at: Callable[[str], Moment] = lambda _mark: table.now
        self.dossier = Dossier(contract=TEXT)

    def key(self, side: Side) -> Key:
        return self.table.platform if side is P else self.table.firm

    def begin(self, side: Side = P, **changes: Any) -> Post:
        fields: dict[str, Any] = {
            "negotiation": ID,
            "side": side,
            "assigner": PLATFORM,
            "assignee": FIRM,
            "signer": self.key(side),
            **changes,
        }
        self.dossier = talk.begin(TEXT, NAME, terms(), **fields)
        return self

    def carry_on(self, *sides: Side) -> Post:
        for side in sides:
            self.dossier = talk.carry_on(
                self.dossier, self.read(), side=side, signer=self.key(side), now=NOON
            )
        return self

    def conclude(self) -> Post:
        return self.begin().carry_on(C, P, C, P)

    def turn(self, what: Turn, side: Side) -> Post:
        self.dossier = talk.turn(self.dossier, self.read(), what, side=side, signer=self.key(side))
        return self

    def read(self, dossier: Dossier | None = None, name: ContractName = NAME) -> Negotiation:
        sent = Dossier.parse((dossier or self.dossier).to_bytes())
        return replay(sent, name, parties=self.table.parties, at=self.at)

    def refused(self, dossier: Dossier | None = None, name: ContractName = NAME) -> str:
        with pytest.raises(ContractError) as caught:
            self.read(dossier, name)
        return str(caught.value)


@pytest.fixture
def post() -> Post:
    return Post(Table())


def said_by(key: Key, saying: Saying, **changes: Any) -> Envelope:
    return replace(saying, **changes).signed(key)


def test_an_offer_becomes_a_contract_that_both_signed(post: Post) -> None:
    phases = [post.begin().read().phase]
    for side in (C, P, C, P):
        phases.append(post.carry_on(side).read().phase)
    assert phases == [Phase.OFFERED, Phase.ACCEPTED, Phase.AGREED, Phase.VERIFIED, Phase.FINALIZED]
    made = post.read()
    assert made.signed is not None
    assert made.agreement is not None
    assert (made.signed.assigner.key.party, made.signed.assignee.key.party) == (PLATFORM, FIRM)
    assert not made.agreement.all_unknown
    assert made.agreement.target == TARGET + NAME.digest
    assert (made.party(P), made.party(C), made.side_of(FIRM), made.side_of(STRANGER)) == (
        PLATFORM,
        FIRM,
        C,
        None,
    )


def test_a_request_is_agreed_to(post: Post) -> None:
    assert post.begin(C).carry_on(P, C, P).read().phase is Phase.FINALIZED


def test_terms_go_to_and_fro_and_the_last_ones_hold(post: Post) -> None:
    post.begin(C)
    for side, k in ((P, 20), (C, 15)):
        post.dossier = talk.counter(
            post.dossier, post.read(), TEXT, NAME, terms(k), side=side, signer=post.key(side)
        )
    made = post.carry_on(P, C, P).read()
    assert made.agreement is not None
    (k,) = (c.value for c in made.agreement.permissions[0].constraints if c.operand.name == "minGroupSize")
    assert k == 15


def test_nobody_speaks_out_of_turn(post: Post) -> None:
    post.begin()
    with pytest.raises(ContractError, match="It isn't the provider's turn: the negotiation is OFFERED"):
        post.carry_on(P)
    with pytest.raises(ContractError, match="can't offer a contract that is OFFERED"):
        talk.counter(post.dossier, post.read(), TEXT, NAME, terms(), side=P, signer=post.key(P))
    with pytest.raises(ContractError, match="needs one that is concluded"):
        post.turn(Turn.SUSPEND, P)


def test_either_side_ends_it_before_it_is_concluded(post: Post) -> None:
    post.begin().carry_on(C)
    post.dossier = talk.end(post.dossier, post.read(), side=C, signer=post.key(C), reasons=["too dear"])
    assert post.read().phase is Phase.TERMINATED
    post.conclude()
    with pytest.raises(ContractError, match="can't terminate a contract that is FINALIZED"):
        talk.end(post.dossier, post.read(), side=P, signer=post.key(P))


def test_what_is_concluded_is_suspended_resumed_and_terminated(post: Post) -> None:
    post.conclude().turn(Turn.SUSPEND, C).turn(Turn.RESUME, C).turn(Turn.TERMINATE, P)
    assert [said.saying.act for said in post.read().said[-3:]] == [Turn.SUSPEND, Turn.RESUME, Turn.TERMINATE]


def test_what_both_do_at_the_same_time_is_joined_in_any_order(post: Post) -> None:
    base = post.conclude().dossier
    provider = post.turn(Turn.SUSPEND, P).turn(Turn.RESUME, P).turn(Turn.SUSPEND, P).dossier
    post.dossier = base
    consumer = post.turn(Turn.SUSPEND, C).turn(Turn.TERMINATE, C).dossier
    for ours, theirs in ((provider, consumer), (consumer, provider)):
        made = post.read(merged(ours, theirs))
        assert [said.saying.act for said in made.turns(P)] == [Turn.SUSPEND, Turn.RESUME, Turn.SUSPEND]
        assert [said.saying.act for said in made.turns(C)] == [Turn.SUSPEND, Turn.TERMINATE]
        both = merged(ours, theirs)
        assert merged(both, theirs).sayings == merged(both, both).sayings == both.sayings
        assert set(merged(theirs, both).sayings) == set(both.sayings)


def test_each_lifts_only_what_it_set_itself(post: Post) -> None:
    post.conclude()
    for side in (P, C):
        with pytest.raises(ContractError, match=f"{side} hasn't suspended"):
            post.turn(Turn.RESUME, side)
    post.turn(Turn.SUSPEND, C)
    with pytest.raises(ContractError, match="provider hasn't suspended"):
        post.turn(Turn.RESUME, P)
    with pytest.raises(ContractError, match="has suspended this contract already"):
        post.turn(Turn.SUSPEND, C)
    post.turn(Turn.SUSPEND, P).turn(Turn.RESUME, C).turn(Turn.TERMINATE, C)
    for side in (P, C):
        for what in Turn:
            with pytest.raises(ContractError, match="consumer has terminated this contract"):
                post.turn(what, side)


# Attacks


@pytest.mark.parametrize("what", [[Turn.RESUME], [Turn.SUSPEND] * 2, [Turn.TERMINATE, Turn.RESUME]])
def test_turns_that_cannot_follow_are_refused_whoever_signs_them(post: Post, what: list[Turn]) -> None:
    """By somebody whose program doesn't ask what may follow."""
    made = post.conclude().read()
    assert made.document is not None
    number, previous = 5, post.dossier.sayings[-1].digest
    for each in what:
        message = {"@type": TURN, "turn": each.value, "agreement": document_digest(made.document)}
        saying = Saying(negotiation=ID, number=number, previous=previous, side=C, act=each, message=message)
        envelope = saying.signed(post.key(C))
        post.dossier = replace(post.dossier, sayings=(*post.dossier.sayings, envelope))
        number, previous = number + 1, envelope.digest
    assert "consumer" in post.refused()


def test_a_negotiation_that_never_ends_is_refused(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.life.dossier.MAX_WORDS", 3)
    post.begin()
    for side, k in ((C, 11), (P, 12), (C, 13)):
        post.read()
        post.dossier = talk.counter(
            post.dossier, post.read(), TEXT, NAME, terms(k), side=side, signer=post.key(side)
        )
    assert "More than 3 messages were sent" in post.refused()


def test_no_turn_of_a_side_can_be_left_out_moved_or_doubled(post: Post) -> None:
    post.conclude().turn(Turn.SUSPEND, C).turn(Turn.SUSPEND, P).turn(Turn.RESUME, C).turn(Turn.TERMINATE, P)
    *base, c1, p1, c2, p2 = post.dossier.sayings
    for whole in ((p1, p2, c1, c2), (c1, c2, p1, p2)):
        post.read(replace(post.dossier, sayings=(*base, *whole)))
    for changed in ((c2, p1, p2), (c1, c2, p2), (c2, c1, p1, p2), (c1, c1, p1, p2), (c1, c2, p1, p2, p1)):
        told = post.refused(replace(post.dossier, sayings=(*base, *changed)))
        assert "left out, moved, or taken from another" in told
    for early in ((*base[:-1], c1, base[-1]), (c1, *base)):
        post.refused(replace(post.dossier, sayings=tuple(early)))


def test_words_cut_off_moved_or_doubled_are_seen(post: Post) -> None:
    post.conclude()
    sayings = post.dossier.sayings
    for changed in (
        sayings[1:],
        (sayings[0], *sayings[2:]),
        (sayings[1], sayings[0], *sayings[2:]),
        (*sayings, sayings[-1]),
    ):
        post.refused(replace(post.dossier, sayings=changed))


def test_words_of_another_negotiation_are_seen(post: Post) -> None:
    other = Post(post.table)
    other.begin(negotiation=str(uuid.uuid4())).carry_on(C, P, C, P)
    post.conclude()
    for number in range(1, 5):
        mixed = (*post.dossier.sayings[:number], *other.dossier.sayings[number:])
        assert "taken from another negotiation" in post.refused(replace(post.dossier, sayings=mixed))


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("who", ["stranger", "the other side", "nobody", "both"])
def test_each_word_is_signed_by_who_says_it(post: Post, number: int, who: str) -> None:
    post.conclude()
    envelope = post.dossier.sayings[number]
    bare = replace(envelope, signatures=())
    own, other = (post.key(side) for side in ((P, C) if number in (0, 2, 4) else (C, P)))
    forged = {
        "stranger": sign(bare, post.table.stranger),
        "the other side": sign(bare, other),
        "nobody": bare,
        "both": sign(sign(bare, own), other),
    }[who]
    cut = (*post.dossier.sayings[:number], forged)
    post.refused(
        replace(post.dossier, sayings=cut, signatures=post.dossier.signatures if number > 1 else None)
    )


def test_a_byte_changed_in_any_word_is_seen(post: Post) -> None:
    post.conclude()
    for number, envelope in enumerate(post.dossier.sayings):
        document = json.loads(envelope.payload)
        document["message"]["@context"] = ["https://example.invalid/other"]
        forged = replace(envelope, payload=canonical(document))
        sayings = (*post.dossier.sayings[:number], forged, *post.dossier.sayings[number + 1 :])
        assert "signature is false" in post.refused(replace(post.dossier, sayings=sayings))


def test_the_provider_cannot_slip_other_terms_into_the_agreement(post: Post) -> None:
    """Accepted was k = 10; the agreement, signed by the provider, says 2."""
    post.begin().carry_on(C)
    so_far = post.read()
    lax = {**so_far.terms, "permission": terms(2)["permission"]}
    dossier = talk.carry_on(post.dossier, replace(so_far, terms=lax), side=P, signer=post.key(P), now=NOON)
    assert "What is agreed isn't what was put forward last" in post.refused(dossier)


def test_an_agreement_swapped_after_it_was_signed_is_seen(post: Post) -> None:
    other = Post(post.table)
    other.begin()
    other.dossier = talk.begin(
        TEXT, NAME, terms(2), negotiation=ID, side=P, assigner=PLATFORM, assignee=FIRM, signer=post.key(P)
    )
    other.carry_on(C, P, C, P)
    post.conclude()
    assert "other documents" in post.refused(replace(post.dossier, signatures=other.dossier.signatures))


def test_another_text_of_the_contract_is_seen(post: Post) -> None:
    post.conclude()
    swapped = replace(NAME, digest="d" * 64)
    assert "another contract, or another text of it" in post.refused(name=swapped)
    assert "contract version" in post.refused(name=replace(NAME, version="2.0.0"))


def test_one_signature_is_not_two(post: Post) -> None:
    post.conclude()
    both = post.dossier.signatures
    assert both is not None
    for keys in ((post.table.platform,), (post.table.firm,), (post.table.platform, post.table.second)):
        envelope = replace(both, signatures=())
        for key in keys:
            envelope = sign(envelope, key)
        post.refused(replace(post.dossier, signatures=envelope))
    assert "isn't signed" in post.refused(replace(post.dossier, signatures=None))


def test_nobody_signs_before_the_provider(post: Post) -> None:
    post.begin().carry_on(C, P)
    agreed = post.dossier.signatures
    assert agreed is not None
    for keys in ((C,), (P, C)):
        envelope = replace(agreed, signatures=())
        for side in keys:
            envelope = sign(envelope, post.key(side))
        post.refused(replace(post.dossier, signatures=envelope))
    assert "no agreement" in post.refused(replace(post.begin().dossier, signatures=agreed))


def test_the_parties_stay_the_same(post: Post) -> None:
    post.begin(C)
    dossier = talk.counter(
        post.dossier, replace(post.read(), assignee=STRANGER), TEXT, NAME, terms(), side=P, signer=post.key(P)
    )
    assert "other parties than before" in post.refused(dossier)


@pytest.mark.parametrize(
    ("assigner", "assignee", "told"),
    [
        (PLATFORM, PLATFORM, "both sides"),
        (PLATFORM, "urn:uscc:91310000100000002E", "check digit"),
        (PLATFORM, FIRM.replace("9", "９", 1), "FULLWIDTH DIGIT NINE"),
        (FIRM, PLATFORM, "isn't signed by a key of the party"),
    ],
)
def test_parties_that_are_none(post: Post, assigner: str, assignee: str, told: str) -> None:
    post.begin(assigner=assigner, assignee=assignee)
    assert told in post.refused()


def test_a_turn_is_about_this_agreement(post: Post) -> None:
    post.conclude().turn(Turn.TERMINATE, P)
    *rest, last = post.dossier.sayings
    saying = Saying.read(last)
    moved = said_by(post.table.platform, saying, message={**saying.message, "agreement": "e" * 64})
    assert "another agreement" in post.refused(replace(post.dossier, sayings=(*rest, moved)))


def test_a_stolen_key_says_nothing_after_its_revocation(post: Post) -> None:
    post.conclude()
    early = {said.mark for said in post.read().said}
    gone = replace(
        post.table.firm.of(FIRM),
        revoked=Revocation(
            at=NOON, reason=Reason.COMPROMISE, last_good=(LogPosition(origin="hall", size=10),)
        ),
    )
    post.table.parties = post.table.with_key(gone)
    assert "was revoked" in post.refused()  # no log holds any of it
    before = Held(origin="hall", size=5, time=NOON - timedelta(days=1))
    signatures = post.dossier.signatures
    assert signatures is not None
    known = early | {signatures.mark(each) for each in signatures.signatures}
    post.at = lambda mark: before if mark in known else post.table.now
    assert post.read().phase is Phase.FINALIZED  # what the log held before counts
    thief = talk.turn(post.dossier, post.read(), Turn.TERMINATE, side=C, signer=post.table.firm)
    assert "was revoked" in post.refused(thief)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: {**d, "format": "urn:sluice:dossier:2"},
        lambda d: {**d, "more": 1},
        lambda d: {key: value for key, value in d.items() if key != "signatures"},
        lambda d: {**d, "sayings": []},
        lambda d: {**d, "sayings": {}},
        lambda d: {**d, "sayings": [None]},
        lambda d: {**d, "contract": "%%%"},
        lambda d: {**d, "contract": None},
        lambda d: [d],
    ],
)
def test_what_is_no_dossier_is_refused(post: Post, spoil: Callable[[Any], Any]) -> None:
    document = json.loads(post.begin().dossier.to_bytes())
    with pytest.raises(ContractError):
        replay(Dossier.parse(canonical(spoil(document))), NAME, parties=post.table.parties, at=post.at)


def test_a_dossier_has_one_spelling(post: Post) -> None:
    data = post.begin().dossier.to_bytes()
    assert Dossier.parse(data) == post.dossier
    for other in (data + b"\n", data.replace(b'"format"', b'"format" ', 1), b"\xef\xbb\xbf" + data):
        with pytest.raises(ContractError):
            Dossier.parse(other)


@pytest.mark.parametrize(
    "change",
    [
        {"negotiation": "x"},
        {"number": -1},
        {"number": True},
        {"number": 10**6},
        {"previous": "z"},
        {"side": "judge"},
        {"act": "conquer"},
        {"act": "turn:conquer"},
        {"act": 3},
        {"message": []},
        {"message": {"@type": "ContractRequestMessage"}},
        {"extra": 1},
    ],
)
def test_what_is_no_saying_is_refused(post: Post, change: dict[str, Any]) -> None:
    (envelope,) = post.begin().dossier.sayings
    document = {**json.loads(envelope.payload), **change}
    with pytest.raises(ContractError, match="isn't a message of a negotiation"):
        Saying.read(sign(Envelope(SAYING, canonical(document)), post.table.platform))


def test_another_type_of_payload_is_none_of_ours(post: Post) -> None:
    (envelope,) = post.begin().dossier.sayings
    assert "payload's type" in post.refused(
        replace(post.dossier, sayings=(sign(Envelope("text/plain", envelope.payload), post.table.platform),))
    )


def test_the_contract_travels_as_it_was_written(post: Post) -> None:
    text = "id: 店\r\n# 注\n".encode()
    dossier = replace(post.begin().dossier, contract=text)
    assert Dossier.parse(dossier.to_bytes()).contract == text
    assert base64.b64encode(text) in dossier.to_bytes()
