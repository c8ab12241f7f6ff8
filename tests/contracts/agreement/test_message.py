"""What we write is valid by the protocol, keeps every term on JSON-LD expansion, and is read back as it was meant."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft201909Validator
from pyld import jsonld
from pyld.context_resolver import ContextResolver
from referencing import Registry, Resource

from contracts.agreement import vocabulary
from contracts.agreement.message import (
    DoorTerms,
    Terms,
    agreed,
    agreement_document,
    agreement_message,
    event_message,
    offer_document,
    offer_message,
    request_message,
    termination_message,
    verification_message,
)
from contracts.agreement.read import read_agreement
from contracts.agreement.vocabulary import ALL, PERMISSION_OPERANDS, Door
from contracts.decision import Permit, decide
from core.errors import ContractError, UsageError
from tests.contracts.agreement.documents import ASSIGNEE, ASSIGNER, NOW, OTHER, message, request

VECTORS = Path(os.environ.get("SLUICE_VECTORS") or "no-vectors") / "dsp"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="conformance left out: SLUICE_VECTORS has no Dataspace Protocol schemas"
)
COMMON: dict[str, Any] = {
    "purposes": ("demand-forecast", "supply-chain-credit"),
    "start": datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=8))),
    "end": datetime(2027, 12, 31, 15, 59, 59, tzinfo=UTC),
    "territories": ("CN",),
    "grades": ("SME", "LittleGiant"),
}
BUDGET: dict[str, Any] = {"epsilonForLife": 8, "deltaForLife": Decimal("1e-6")}
TERMS = Terms(
    target="urn:sluice:contract:grocery:1.0.0",
    doors=(
        DoorTerms(door=Door.RELEASE, **COMMON, limits={"minGroupSize": 10, "diversity": 2}),
        DoorTerms(
            door=Door.QUERY,
            **COMMON,
            limits={
                "minGroupSize": 10,
                "epsilonPerQuestion": "0.5",
                "epsilonPerPeriod": 2,
                "epsilonPeriod": "P1M",
                "deltaPerQuestion": "1e-8",
                "deltaPerPeriod": "1e-7",
                "privacyUnit": "month-of-unit",
                **BUDGET,
            },
        ),
        DoorTerms(
            door=Door.TRAIN,
            **COMMON,
            limits={
                "privacyUnit": "whole-record",
                "rounds": 20,
                "algorithm": ["logistic-newton", "histogram-gbdt"],
                "cohortPlatform": [ASSIGNER, OTHER],
                "minCohort": 2,
                "feature": ["age", "household_size", "收入"],
                "label": "redeemed",
                **BUDGET,
            },
        ),
    ),
    not_combined_with=("credit-scores", "人口"),
    delete_within_days=90,
    report_every="P1M",
)
PIDS = {"provider_pid": "urn:uuid:p", "consumer_pid": "urn:uuid:c"}
PARTIES: dict[str, Any] = {
    "agreement_id": "urn:uuid:a",
    "assigner": ASSIGNER,
    "assignee": ASSIGNEE,
    "timestamp": datetime(2026, 12, 20, 1, tzinfo=UTC),
}
OFFER = offer_document(TERMS, offer_id="urn:uuid:o")
AGREEMENT = agreement_document(TERMS, **PARTIES, **PIDS)
MESSAGES = {
    "request": request_message(OFFER, consumer_pid="urn:uuid:c", callback="urn:sluice:inbox"),
    "request-again": request_message(OFFER, **PIDS),
    "offer": offer_message(OFFER, provider_pid="urn:uuid:p", callback="urn:sluice:inbox"),
    "offer-again": offer_message(OFFER, **PIDS),
    "agreement": AGREEMENT,
    "agreement-by-hand": message(),
    "agreed": agreement_message(agreed(OFFER, **PARTIES), **PIDS),
    "accepted": event_message("ACCEPTED", **PIDS),
    "finalized": event_message("FINALIZED", **PIDS),
    "verified": verification_message(**PIDS),
    "terminated": termination_message(**PIDS, code="terms", reasons=["too long", "too wide"]),
    "terminated-silently": termination_message(**PIDS),
}


def test_every_operand_is_written_and_read_back() -> None:
    agreement = read_agreement(AGREEMENT)
    assert agreement.all_unknown == ()
    said = {each.operand.name for permission in agreement.permissions for each in permission.constraints}
    assert said == {operand.name for operand in PERMISSION_OPERANDS}
    by_hand = read_agreement(message())
    assert agreement.prohibitions == by_hand.prohibitions
    assert agreement.obligations == by_hand.obligations
    for permission, other in zip(agreement.permissions, by_hand.permissions, strict=True):
        limits = {(each.operand.name, each.operator, each.value) for each in permission.constraints}
        others = {(each.operand.name, each.operator, each.value) for each in other.constraints}
        assert {each for each in others if each[0] not in ("spatial", "label")} <= limits


@pytest.mark.parametrize("door", ["release", "train"])
def test_what_is_written_opens_the_door(door: str) -> None:
    assert isinstance(decide(request(door), read_agreement(AGREEMENT), NOW), Permit)


def test_an_offer_becomes_the_agreement_of_the_same_rules() -> None:
    inner = agreed(OFFER, **PARTIES)
    assert inner == AGREEMENT["agreement"]
    hostile = {**OFFER, "assignee": f"urn:uscc:{OTHER}", "timestamp": "2020-01-01T00:00:00Z"}
    assert agreed(hostile, **PARTIES) == inner


@pytest.mark.parametrize(
    ("door", "clause"),
    [
        (DoorTerms(door=Door.RELEASE, **COMMON), "agreement.permission[0]"),
        (DoorTerms(door=Door.RELEASE, **{**COMMON, "purposes": ()}, limits={"minGroupSize": 5}), "agreement.permission[0].constraint[0].rightOperand"),
        (DoorTerms(door=Door.RELEASE, **{**COMMON, "grades": ("Unicorn",)}, limits={"minGroupSize": 5}), "agreement.permission[0].constraint[4].rightOperand"),
        (DoorTerms(door=Door.RELEASE, **{**COMMON, "end": COMMON["start"] - timedelta(1)}, limits={"minGroupSize": 5}), "agreement.permission[0].constraint[2]"),
        (DoorTerms(door=Door.RELEASE, **COMMON, limits={"minGroupSize": 5, "rounds": 3}), "agreement.permission[0].constraint[6]"),
    ],
)  # fmt: skip
def test_nothing_is_written_that_could_not_be_signed(door: DoorTerms, clause: str) -> None:
    with pytest.raises(ContractError) as caught:
        agreement_document(Terms(target="urn:x", doors=(door,)), **PARTIES, **PIDS)
    assert caught.value.facts["clause"] == clause


def test_misuse_is_told() -> None:
    door = DoorTerms(door=Door.RELEASE, **COMMON, limits={"groups": 3})
    with pytest.raises(UsageError, match="no limit `groups`"):
        offer_document(Terms(target="urn:x", doors=(door,)), offer_id="urn:o")
    with pytest.raises(UsageError, match="can't be forbidden"):
        offer_document(Terms(target="urn:x", doors=(), forbidden=("sell",)), offer_id="urn:o")
    with pytest.raises(UsageError, match="either providerPid or a callback"):
        request_message(OFFER, consumer_pid="c", provider_pid="p", callback="x")
    with pytest.raises(UsageError, match="either consumerPid or a callback"):
        offer_message(OFFER, provider_pid="p")
    with pytest.raises(UsageError, match="no time zone"):
        agreed(OFFER, **{**PARTIES, "timestamp": datetime(2026, 1, 1)})
    with pytest.raises(UsageError, match="No negotiation has an event"):
        event_message("AGREED", **PIDS)
    with pytest.raises(ContractError, match="check digit"):
        agreed(OFFER, **{**PARTIES, "assignee": ASSIGNEE[:-1] + "0"})


@cache
def schemas() -> tuple[dict[str, str], Any]:
    """The schemas' ids by title, and the registry of all of them."""
    loaded = [json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.rglob("*-schema.json"))]
    registry: Any = Registry().with_resources(
        [(each["$id"], Resource.from_contents(each)) for each in loaded]
    )
    return {each["title"]: each["$id"] for each in loaded}, registry


def complaints(document: dict[str, Any]) -> list[str]:
    by_title, registry = schemas()
    schema = {"$ref": by_title[f"{document['@type']}Schema"]}
    return [error.message for error in Draft201909Validator(schema, registry=registry).iter_errors(document)]


@needs_vectors
@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_is_valid_by_the_protocol(name: str) -> None:
    assert complaints(MESSAGES[name]) == []


@needs_vectors
def test_the_schemas_notice_what_is_wrong() -> None:
    assert complaints({**AGREEMENT, "providerPid": 3})
    assert complaints({**AGREEMENT, "agreement": {**AGREEMENT["agreement"], "permission": []}})
    assert complaints({**MESSAGES["accepted"], "eventType": "AGREED"})
    assert complaints({**MESSAGES["request"], "providerPid": "urn:uuid:p"})


@cache
def contexts() -> dict[str, Any]:
    folder = VECTORS / "context"
    return {
        url: json.loads((folder / name).read_text("utf-8"))
        for url, name in zip(vocabulary.CONTEXTS, ("dspace.jsonld", "odrl.jsonld"), strict=True)
    }


def load(url: str, _options: Any) -> dict[str, Any]:
    document = copy.deepcopy(contexts()[url])
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": document,
    }


def expanded(document: dict[str, Any]) -> Counter[tuple[str, str]]:
    """Every (key, value) of the document once expanded."""
    found: Counter[tuple[str, str]] = Counter()

    def walk(value: Any, key: str) -> None:
        if isinstance(value, list):
            for each in value:
                walk(each, key)
        elif isinstance(value, dict) and "@value" in value:
            found[key, value["@value"]] += 1
        elif isinstance(value, dict) and set(value) == {"@id"}:
            found[key, value["@id"]] += 1
        elif isinstance(value, dict):
            for inner, each in value.items():
                walk(each, inner)
        else:
            found[key, value] += 1

    # A resolver of its own each time: pyld writes one message's terms into the imported context that it keeps.
    resolver = ContextResolver({}, load)
    walk(jsonld.expand(document, {"documentLoader": load, "contextResolver": resolver}), "")
    return found


def written(document: dict[str, Any]) -> Counter[tuple[str, str]]:
    """Every (key, value) that the document says, with the IRIs that the protocol's contexts give its words."""
    dspace, odrl = (each["@context"] for each in contexts().values())
    terms = {**dspace, **odrl, **dspace[document["@type"]]["@context"]}

    def iri(word: str) -> str:
        meant = terms.get(word, word)
        meant = meant["@id"] if isinstance(meant, dict) else meant
        prefix, colon, rest = meant.partition(":")
        return terms[prefix] + rest if colon and isinstance(terms.get(prefix), str) else meant

    found: Counter[tuple[str, str]] = Counter()

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for inner, each in value.items():
                if inner != "@context":
                    walk(each, inner)
        elif isinstance(value, list):
            for each in value:
                walk(each, key)
        else:
            vocab = key == "@type" or (
                isinstance(terms.get(key), dict) and terms[key].get("@type") == "@vocab"
            )
            found[key if key.startswith("@") else iri(key), iri(value) if vocab else value] += 1

    walk(document, "")
    return found


@needs_vectors
@pytest.mark.parametrize("name", MESSAGES)
def test_no_term_is_lost_on_expansion(name: str) -> None:
    before, after = written(MESSAGES[name]), expanded(MESSAGES[name])
    assert after == before


@needs_vectors
def test_all_that_is_read_outlives_expansion() -> None:
    """Each operand, operator, action and prohibitable act, as its IRI, with every one of its limits."""
    after = {value for _, value in expanded(AGREEMENT)}
    assert {operand.iri for operand in PERMISSION_OPERANDS} <= after
    assert {vocabulary.OWN + door for door in ALL} <= after
    assert {
        vocabulary.ODRL + each for each in ("isAnyOf", "eq", "gteq", "lteq", "distribute", "delete")
    } <= after


@needs_vectors
def test_a_bare_word_vanishes_and_the_reader_says_so() -> None:
    bare = json.loads(json.dumps(message()).replace("odrl:", ""))
    assert expanded(bare) != written(message())
    assert read_agreement(bare).all_unknown


@needs_vectors
def test_the_other_context_that_is_taken_changes_no_meaning() -> None:
    # Written out under one more term: pyld can't take one address both as a context and as an import.
    inline = {**contexts()[vocabulary.CONTEXTS[1]]["@context"], "unused": "urn:x:unused"}
    for order in ([vocabulary.CONTEXT, inline], [inline, vocabulary.CONTEXT]):
        assert expanded({**message(), "@context": order}) == expanded(message())
    both = read_agreement({**message(), "@context": list(vocabulary.CONTEXTS)})
    assert both.all_unknown == ()


@needs_vectors
def test_the_bare_words_that_are_read_are_those_of_the_contexts() -> None:
    dspace, odrl = (each["@context"] for each in contexts().values())
    assert odrl.keys() >= vocabulary._BARE_VALUES | vocabulary._BARE_KEYS
    scoped = dspace["ContractAgreementMessage"]["@context"].keys()
    assert scoped >= vocabulary._MESSAGE_KEYS
    assert dspace["ContractAgreementMessage"]["@context"]["@import"] == vocabulary.CONTEXTS[1]
