"""What others write: each spelling of one meaning is read alike, and everything else is a refusal that names it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.agreement.document import MAX_BYTES, MAX_DEPTH
from contracts.agreement.lacks import lacks
from contracts.agreement.model import Agreement
from contracts.agreement.read import load_agreement, read_agreement
from contracts.agreement.vocabulary import PERMISSION_OPERANDS
from contracts.decision import Deny, Permit, decide
from core.digest import document_digest
from core.errors import ContractError
from tests.contracts.agreement.documents import (
    ASSIGNEE,
    ASSIGNER,
    NOW,
    OWN,
    at,
    changed,
    limit,
    message,
    put,
    request,
)
from tests.contracts.agreement.strategies import JSON, PLACES

ODRL = "http://www.w3.org/ns/odrl/2/"
XSD = "http://www.w3.org/2001/XMLSchema#"
PERMISSION = ("agreement", "permission", 0)
CONSTRAINT = (*PERMISSION, "constraint")


def opens(document: dict[str, Any], door: str = "release") -> bool:
    return isinstance(decide(request(door), read_agreement(document), NOW), Permit)


def names(document: dict[str, Any], door: str = "release") -> str:
    """The clause that denies; it always leads somewhere in the document."""
    decision = decide(request(door), read_agreement(document), NOW)
    assert isinstance(decision, Deny)
    at(document, decision.clause)
    assert decision.reason
    assert decision.remedy
    return decision.clause


def test_the_message_is_understood_whole() -> None:
    agreement = read_agreement(message())
    assert agreement.all_unknown == ()
    assert lacks(agreement) == ()
    assert (agreement.assigner, agreement.assignee) == (ASSIGNER, ASSIGNEE)
    assert agreement.digest == document_digest(message())
    assert [permission.door for permission in agreement.permissions] == ["release", "query", "train"]
    said = {each.operand.name for permission in agreement.permissions for each in permission.constraints}
    assert said == {operand.name for operand in PERMISSION_OPERANDS} - {"deltaPerQuestion", "deltaPerPeriod"}
    assert [each.act for each in agreement.prohibitions] == ["reidentify", "distribute", "combine"]
    assert agreement.prohibitions[2].datasets == {"credit-scores", "人口"}
    assert [(each.duty, each.clause) for each in agreement.obligations] == [
        ("delete", "agreement.obligation[0]"),
        ("reportUse", "agreement.obligation[1]"),
    ]
    assert agreement.obligations[0].limit == Decimal(90)


@pytest.mark.parametrize("door", ["release", "query", "train"])
def test_every_door_opens_for_what_was_agreed(door: str) -> None:
    assert opens(message(), door)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("@context",), "https://w3id.org/dspace/2025/1/context.jsonld"),
        (("@type",), ["ContractAgreementMessage"]),
        (("agreement", "@type"), "odrl:Agreement"),
        (("agreement", "@type"), [ODRL + "Agreement"]),
        (("agreement", "profile"), ["urn:sluice:odrl:1"]),
        (("agreement", "profile"), {"@id": "urn:sluice:odrl:1"}),
        (("agreement", "assignee"), {"@id": f"urn:uscc:{ASSIGNEE}"}),
        (("agreement", "assignee"), [f"urn:uscc:{ASSIGNEE}"]),
        (("agreement", "permission"), message()["agreement"]["permission"][0]),
        ((*PERMISSION, "action"), {"@id": OWN + "release"}),
        ((*PERMISSION, "@type"), "Permission"),
        ((*PERMISSION, "@id"), "urn:uuid:p0"),
        ((*PERMISSION, "target"), "urn:sluice:contract:grocery:1.0.0"),
        ((*CONSTRAINT, 0, "leftOperand"), ODRL + "purpose"),
        ((*CONSTRAINT, 0, "leftOperand"), {"@id": "odrl:purpose"}),
        ((*CONSTRAINT, 0, "operator"), "odrl:isAnyOf"),
        ((*CONSTRAINT, 0, "operator"), {"@id": ODRL + "isAnyOf"}),
        ((*CONSTRAINT, 0, "rightOperand"), "demand-forecast"),
        ((*CONSTRAINT, 0, "rightOperand"), {"@list": ["demand-forecast"]}),
        ((*CONSTRAINT, 0, "rightOperand"), {"@set": [{"@value": "demand-forecast", "@type": "xsd:string"}]}),
        ((*CONSTRAINT, 0, "rightOperand"), [{"@id": "demand-forecast"}]),
        ((*CONSTRAINT, 0, "@type"), "odrl:Constraint"),
        ((*CONSTRAINT, 2, "rightOperand"), {"@value": "2027-12-31T23:59:59.5Z", "@type": "xsd:dateTime"}),
        ((*CONSTRAINT, 2, "rightOperand"), {"@value": "2027-12-31T23:59:59Z", "@type": XSD + "dateTimeStamp"}),
        ((*CONSTRAINT, 3, "rightOperand"), ["CN"]),
        ((*CONSTRAINT, 3), limit("odrl:spatial", "isAnyOf", ["CN", "CN-HK"])),
        ((*CONSTRAINT, 5, "rightOperand"), 10),
        ((*CONSTRAINT, 5, "rightOperand"), 10.0),
        ((*CONSTRAINT, 5, "rightOperand"), ["1e1"]),
        ((*CONSTRAINT, 5, "rightOperand"), {"@value": 10}),
        ((*CONSTRAINT, 5, "rightOperand"), {"@value": "10", "@type": "xsd:integer"}),
        ((*PERMISSION, "constraint", 7), limit("odrl:purpose", "eq", "demand-forecast")),
    ],
)  # fmt: skip
def test_one_meaning_in_another_spelling_opens_the_door(path: tuple[Any, ...], to: Any) -> None:
    document = changed(*path, to=to)
    assert read_agreement(document).all_unknown == ()
    assert opens(document)


@pytest.mark.parametrize(
    "key", ["permission", "constraint", "leftOperand", "profile", "assignee", "timestamp"]
)
def test_a_prefixed_key_means_the_same(key: str) -> None:
    prefix = "dspace:" if key == "timestamp" else "odrl:"
    document = json.loads(json.dumps(message()).replace(f'"{key}"', f'"{prefix}{key}"'))
    assert read_agreement(document).all_unknown == ()
    assert opens(document)
    assert names(document, "x").startswith("agreement")


def test_a_key_as_full_iri_makes_a_clause_that_still_leads_there() -> None:
    document = json.loads(json.dumps(message()).replace('"permission"', f'"{ODRL}permission"'))
    put(document, ("agreement", ODRL + "permission", 0, "constraint", 5, "rightOperand"), "11")
    assert names(document) == f'agreement["{ODRL}permission"][0].constraint[5]'


# Outside a permission: nothing opens.
@pytest.mark.parametrize(
    ("path", "to", "clause"),
    [
        (("@context",), [*message()["@context"], "https://example.org/other.jsonld"], "@context[1]"),
        (("@context",), [{"purpose": ODRL + "use"}, *message()["@context"]], "@context[0]"),
        (("@context",), ["http://www.w3.org/ns/odrl.jsonld"], "@context[0]"),
        (("@context",), [], "@context"),
        (("@context",), None, "@context"),
        (("@graph",), [], "@graph"),
        (("policy",), {}, "policy"),
        (("timestamp",), "2026-12-20T09:00:00Z", "timestamp"),
        (("dspace:agreement",), {}, "dspace:agreement"),
        (("providerPid",), 3, "providerPid"),
        (("agreement", "@type"), "Offer", "agreement.@type"),
        (("agreement", "@type"), ["Agreement", "Dataset"], "agreement.@type"),
        (("agreement", "@context"), {}, "agreement.@context"),
        (("agreement", "@id"), "", "agreement.@id"),
        (("agreement", "profile"), "urn:sluice:odrl:2", "agreement.profile"),
        (("agreement", "profile"), ["urn:sluice:odrl:1", "http://x/p"], "agreement.profile[1]"),
        (("agreement", "profile"), [], "agreement.profile"),
        (("agreement", "assignee"), f"urn:uscc:{ASSIGNER}", "agreement.assignee"),
        (("agreement", "assignee"), f"urn:uscc:{ASSIGNEE[:-1]}А", "agreement.assignee"),
        (("agreement", "assignee"), f"urn:uscc:{ASSIGNEE.lower()}", "agreement.assignee"),
        (("agreement", "assignee"), [f"urn:uscc:{ASSIGNEE}", f"urn:uscc:{ASSIGNER}"], "agreement.assignee"),
        (("agreement", "assignee"), {"@id": f"urn:uscc:{ASSIGNEE}", "@type": "PartyCollection"}, "agreement.assignee"),
        (("agreement", "assigner"), "did:web:platform.example", "agreement.assigner"),
        (("agreement", "timestamp"), "2026-12-20T09:00:00", "agreement.timestamp"),
        (("agreement", "timestamp"), "2026-12-20", "agreement.timestamp"),
        (("agreement", "odrl:permission"), [], "agreement.odrl:permission"),
        (("agreement", "conflict"), "perm", "agreement.conflict"),
        (("agreement", "inheritFrom"), "urn:x", "agreement.inheritFrom"),
        (("agreement", "duty"), [], "agreement.duty"),
        (("agreement", "title"), "x", "agreement.title"),
        (("agreement", "permission"), None, "agreement.permission"),
        (("agreement", "prohibition", 0, "action"), "odrl:sell", "agreement.prohibition[0].action"),
        (("agreement", "prohibition", 0, "action"), "reidentify", "agreement.prohibition[0].action"),
        (("agreement", "prohibition", 0, "constraint"), [limit("odrl:spatial", "eq", "CN")], "agreement.prohibition[0].constraint[0].leftOperand"),
        (("agreement", "prohibition", 2, "constraint", 0, "rightOperand"), [], "agreement.prohibition[2].constraint[0].rightOperand"),
        (("agreement", "prohibition", 2, "constraint", 0, "operator"), "isNoneOf", "agreement.prohibition[2].constraint[0].operator"),
        (("agreement", "prohibition", 2, "constraint", 1), limit(OWN + "dataset", "eq", "x"), "agreement.prohibition[2].constraint[1]"),
        (("agreement", "prohibition", 2, "remedy"), [{"action": "odrl:delete"}], "agreement.prohibition[2].remedy"),
        (("agreement", "prohibition", 0), "urn:x:rule", "agreement.prohibition[0]"),
        (("agreement", "prohibition", 0), {}, "agreement.prohibition[0]"),
        (("agreement", "prohibition", 0), [], "agreement.prohibition[0]"),
        (("agreement", "obligation", 0, "action"), "odrl:compensate", "agreement.obligation[0].action"),
        (("agreement", "obligation", 0, "constraint"), [], "agreement.obligation[0]"),
        (("agreement", "obligation", 0, "constraint", 0, "rightOperand"), "P3M", "agreement.obligation[0].constraint[0].rightOperand"),
        (("agreement", "obligation", 0, "constraint", 0, "operator"), "gteq", "agreement.obligation[0].constraint[0].operator"),
        (("agreement", "obligation", 0, "consequence"), [], "agreement.obligation[0].consequence"),
        (("agreement", "obligation", 1, "constraint", 0, "rightOperand"), "R/P1M", "agreement.obligation[1].constraint[0].rightOperand"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("door", ["release", "train"])
def test_what_is_unknown_about_the_agreement_shuts_every_door(
    path: tuple[Any, ...], to: Any, clause: str, door: str
) -> None:
    document = changed(*path, to=to)
    assert names(document, door) == clause
    assert clause in {each.clause for each in lacks(read_agreement(document))}


@pytest.mark.parametrize("key", ["profile", "assigner", "assignee", "target", "@id", "@type"])
def test_what_must_be_there_is_missed(key: str) -> None:
    document = message()
    del document["agreement"][key]
    assert names(document) == "agreement"
    assert key in {each.name for each in lacks(read_agreement(document))}


@pytest.mark.parametrize("key", ["@context", "providerPid", "consumerPid"])
def test_the_message_needs_its_own_keys(key: str) -> None:
    document = message()
    del document[key]
    assert names(document) == "$"


# Inside a permission: that permission opens nothing, the others do.
@pytest.mark.parametrize(
    ("path", "to", "clause"),
    [
        (("duty",), [{"action": "odrl:compensate"}], "duty"),
        (("refinement",), [], "refinement"),
        (("target",), "urn:other", "target"),
        (("assignee",), f"urn:uscc:{ASSIGNER}", "assignee"),
        (("@type",), "Prohibition", "@type"),
        (("@id",), "urn:uuid:0b6e5b5e-6b0e-4f0d-9f7a-5c1f8c0f6a01", "@id"),
        (("@context",), "urn:x", "@context"),
        (("odrl:constraint",), [], "odrl:constraint"),
        (("constraint", 0, "leftOperand"), "purpose", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), "odrl:Purpose", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), "ODRL:purpose", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), "odrl:pаyAmount", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), "https://www.w3.org/ns/odrl/2/purpose", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), OWN + "purpose", "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), ["odrl:purpose", "odrl:spatial"], "constraint[0].leftOperand"),
        (("constraint", 0, "leftOperand"), OWN + "rounds", "constraint[0].operator"),
        (("constraint", 0), limit(OWN + "rounds", "lteq", "3"), "constraint[0]"),
        (("constraint", 0), limit(OWN + "epsilonForLife", "lteq", "3"), "constraint[0]"),
        (("constraint", 0, "operator"), "isNoneOf", "constraint[0].operator"),
        (("constraint", 0, "operator"), "urn:x:isAnyOf", "constraint[0].operator"),
        (("constraint", 0, "operator"), "neq", "constraint[0].operator"),
        (("constraint", 0, "operator"), "isanyof", "constraint[0].operator"),
        (("constraint", 5, "operator"), "lteq", "constraint[5].operator"),
        (("constraint", 5, "operator"), "gt", "constraint[5].operator"),
        (("constraint", 0, "rightOperand"), [], "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), {"@list": []}, "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), [["demand-forecast"]], "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), ["demand-forecast", 3], "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), ["demand-forecast", None], "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), None, "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), "dеmand-forecast", "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), {"@value": "demand-forecast", "@language": "en"}, "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperand"), {"@value": "demand-forecast", "@type": "xsd:decimal"}, "constraint[0].rightOperand"),
        (("constraint", 0, "rightOperandReference"), "urn:x", "constraint[0].rightOperandReference"),
        (("constraint", 0, "dataType"), "xsd:string", "constraint[0].dataType"),
        (("constraint", 0, "unit"), "urn:x", "constraint[0].unit"),
        (("constraint", 0, "@type"), "odrl:LogicalConstraint", "constraint[0].@type"),
        (("constraint", 2, "rightOperand"), "2027-12-31T23:59:59", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "2027-12-31", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "2027-12-31T24:00:00Z", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "2027-02-30T00:00:00Z", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "20271231T235959Z", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "٢027-12-31T23:59:59Z", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "2027-12-31T23:59:59Z\n", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), "0001-01-01T00:00:00+14:00", "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), 1830268799, "constraint[2].rightOperand"),
        (("constraint", 2, "rightOperand"), {"@value": "2027-12-31T23:59:59Z", "@type": "xsd:date"}, "constraint[2].rightOperand"),
        (("constraint", 2, "operator"), "eq", "constraint[2].operator"),
        (("constraint", 3, "rightOperand"), "China", "constraint[3].rightOperand"),
        (("constraint", 3, "rightOperand"), "cn", "constraint[3].rightOperand"),
        (("constraint", 3, "rightOperand"), "СN", "constraint[3].rightOperand"),
        (("constraint", 3, "rightOperand"), ["CN", "HK"], "constraint[3].rightOperand"),
        (("constraint", 4, "rightOperand"), ["SME", "Unicorn"], "constraint[4].rightOperand"),
        (("constraint", 5, "rightOperand"), "1_0", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "１０", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), " 10", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "+10", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "-10", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), -10, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "10.5", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "NaN", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "Infinity", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "0x0A", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "1e99", "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), "9" * 4400, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), True, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), {"@id": "10"}, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), {"@value": "10", "@type": "xsd:string"}, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), {"@value": "10", "@type": None}, "constraint[5].rightOperand"),
        (("constraint", 5, "rightOperand"), ["10", "5"], "constraint[5].rightOperand"),
        (("constraint", 7), {"or": [limit("odrl:spatial", "eq", "CN")]}, "constraint[7].or"),
        (("constraint", 7), {"odrl:xone": []}, "constraint[7].odrl:xone"),
        (("constraint", 7), {"and": [limit("odrl:spatial", "eq", "CN")]}, "constraint[7].and"),
        (("constraint", 7), {**limit("odrl:spatial", "eq", "CN"), "or": []}, "constraint[7].or"),
        (("constraint", 7), {"@id": "urn:x:constraint"}, "constraint[7]"),
        (("constraint", 7), "urn:x:constraint", "constraint[7]"),
        (("constraint", 7), {}, "constraint[7]"),
        (("constraint", 7), [], "constraint[7]"),
        (("constraint", 7), None, "constraint[7]"),
        (("constraint",), None, "constraint"),
        (("constraint",), "urn:x", "constraint"),
    ],
)  # fmt: skip
def test_what_is_unknown_in_a_permission_opens_nothing_by_it(
    path: tuple[Any, ...], to: Any, clause: str
) -> None:
    document = changed(*PERMISSION, *path, to=to)
    assert names(document) == f"agreement.permission[0].{clause}"
    assert opens(document, "train")
    assert f"agreement.permission[0].{clause}" in {each.clause for each in lacks(read_agreement(document))}


@pytest.mark.parametrize(
    ("path", "to", "clause"),
    [
        (("action",), "odrl:use", "permission[0].action"),
        (("action",), "use", "permission[0].action"),
        (("action",), "release", "permission[0].action"),
        (("action",), "odrl:aggregate", "permission[0].action"),
        (("action",), {"@id": OWN + "release", "refinement": []}, "permission[0].action"),
        (("action",), [OWN + "release", OWN + "query"], "permission[0].action"),
        (("action",), [], "permission[0].action"),
        (("odrl:action",), OWN + "query", "permission[0].odrl:action"),
    ],
)
def test_an_action_is_one_that_is_known(path: tuple[Any, ...], to: Any, clause: str) -> None:
    document = changed(*PERMISSION, *path, to=to)
    assert names(document) == f"agreement.{clause}"


def test_a_permission_elsewhere_opens_nothing() -> None:
    assert names(changed("agreement", "permission", to="urn:x:permission")) == "agreement.permission"
    assert names(changed("agreement", "permission", to=["urn:x:permission"])) == "agreement.permission[0]"
    assert names(changed("agreement", "permission", to=[])) == "agreement.permission"


def test_two_objects_of_one_id_are_one_and_so_refused() -> None:
    """Read as JSON the second permission is free; read as JSON-LD both are one, with all constraints."""
    document = changed(*PERMISSION, "@id", to="urn:x:one")
    put(document, ("agreement", "permission", 3), {"@id": "urn:x:one", "action": OWN + "release"})
    assert read_agreement(document).permissions[3].unknown[0].clause == "agreement.permission[3].@id"


def test_a_hostile_key_is_shown_safely() -> None:
    key = '\u202ename"]\n'
    document = changed("agreement", key, to=1)
    clause = names(document)
    assert clause.isascii()
    assert clause.isprintable()
    assert at(document, clause) == 1
    assert names(changed("agreement", "x" * 5000, to=1)) == "agreement"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"@type": "ContractAgreementMessage"},
        {**message(), "@type": "ContractOfferMessage"},
        {**message(), "@type": "dspace:ContractAgreementMessage"},
        {**message(), "@type": ["ContractAgreementMessage", "Dataset"]},
        {**message(), "agreement": "urn:uuid:x"},
        {**message(), "agreement": [message()["agreement"]]},
        {**message(), "x": float("nan")},
        {**message(), "x": 2**53},
        {**message(), "x": 10**5000},
        {**message(), "x": "\ud800"},
        {**message(), "\udfff": 1},
        {**message(), "x": b"bytes"},
        {**message(), 3: 1},
        {**message(), "x": [0] * 60_000},
        {**message(), "x": (1, 2)},
        [], "x", 3, None,
    ],
)  # fmt: skip
def test_what_is_no_agreement_message_is_refused(document: Any) -> None:
    with pytest.raises(ContractError) as caught:
        read_agreement(document)
    assert caught.value.remedy


def test_nesting_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    loop: dict[str, Any] = message()
    loop["agreement"]["x"] = loop
    wide: list[Any] = []
    wide.extend([wide] * 100)
    for value in (changed("agreement", "x", to=deep), loop, changed("x", to=wide)):
        with pytest.raises(ContractError):
            read_agreement(value)


def test_lacks_tells_each_door_what_it_needs() -> None:
    document = message()
    for permission in document["agreement"]["permission"]:
        permission["constraint"] = []
    found = [(each.clause, each.name) for each in lacks(read_agreement(document))]
    for i, door in enumerate(("release", "query", "train")):
        needed = [each.name for each in PERMISSION_OPERANDS if door in each.needed]
        assert [name for clause, name in found if clause == f"agreement.permission[{i}]"] == needed


def test_lacks_tells_of_a_term_that_ends_before_it_begins() -> None:
    document = changed(*CONSTRAINT, 2, "rightOperand", to="2026-12-31T15:59:59Z")
    (lack,) = lacks(read_agreement(document))
    assert lack.clause == "agreement.permission[0].constraint[2]"
    assert not opens(document)
    assert lacks(read_agreement(changed(*CONSTRAINT, 2, "rightOperand", to="2026-12-31T16:00:00Z"))) == ()


def test_lacks_tells_of_half_a_term_and_of_two_periods() -> None:
    document = message()
    del document["agreement"]["permission"][0]["constraint"][1]
    put(document, ("agreement", "permission", 1, "constraint", 12), limit(OWN + "epsilonPeriod", "eq", "P1D"))
    told = [str(each) for each in lacks(read_agreement(document))]
    assert len(told) == 2
    assert "doesn't say when it begins" in told[0]
    assert "two periods" in told[1]


def load(tmp_path: Path, content: bytes) -> Agreement:
    path = tmp_path / "agreement.json"
    path.write_bytes(content)
    return load_agreement(path)


TEXT = json.dumps(message(), ensure_ascii=False)


def test_a_file_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, TEXT.encode()) == read_agreement(message())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "isn't JSON"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "isn't JSON"),
        (TEXT.encode("utf-16"), "UTF-8"),
        (TEXT.encode("gb18030"), "UTF-8"),
        (TEXT[:-1].encode(), "isn't JSON"),
        (TEXT.encode() + b"{}", "isn't JSON"),
        (TEXT.replace('"@type"', '"@type": 1, "@type"', 1).encode(), "'@type' stands twice"),
        (TEXT.replace('"lteq"', '"lteq", "opera\\u0074or": "gteq"', 1).encode(), "'operator' stands twice"),
        (TEXT.replace('"10"', "NaN", 1).encode(), "NaN is no number"),
        (TEXT.replace('"10"', "-Infinity", 1).encode(), "is no number"),
        (TEXT.replace('"10"', "1e999", 1).encode(), "too large"),
        (TEXT.replace('"10"', "9007199254740992", 1).encode(), "2^53"),
        (TEXT.replace('"10"', "9" * 9000, 1).encode(), "400 digits"),
        (TEXT.replace('"10"', '"\\ud800"', 1).encode(), "isn't JSON in UTF-8"),
        (TEXT.replace('"10"', "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 1).encode(), "nests deeper"),
        (TEXT.replace('"10"', "[" * 100_000, 1).encode(), "nests deeper"),
        (b'{"a":' * 100_000, "nests deeper"),
        (b"[]", "isn't a JSON object"),
        (b" " * (MAX_BYTES + 1), "more than"),
        (b"[" + b"0," * 100_000 + b"0]", "more than"),
    ],
)  # fmt: skip
def test_a_file_that_two_readers_could_read_differently_is_refused(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(ContractError) as caught:
        load(tmp_path, content)
    assert says in str(caught.value)
    assert "agreement.json" in caught.value.where


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path, Path("/dev/zero")):
        with pytest.raises(ContractError):
            load_agreement(path)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3), st.sampled_from(["release", "query", "train"]))  # fmt: skip
def test_whatever_stands_anywhere_is_read_or_refused(changes: list[tuple[Any, Any]], door: str) -> None:
    document = message()
    for path, value in changes:
        try:
            put(document, path, value)
        except (TypeError, KeyError, IndexError):
            continue
    try:
        agreement = read_agreement(document)
    except ContractError:
        return
    decision = decide(request(door), agreement, NOW)
    if isinstance(decision, Deny):
        at(document, decision.clause)
    for unknown in agreement.all_unknown:
        at(document, unknown.clause)
    for lack in lacks(agreement):
        at(document, lack.clause)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    for each in (document, {**message(), "agreement": document}):
        try:
            agreement = read_agreement(each)
        except ContractError:
            continue
        assert isinstance(decide(request(), agreement, NOW), Deny)
