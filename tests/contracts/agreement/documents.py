"""An agreement message that opens all three doors, written by hand, and requests that it permits."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime
from typing import Any

from contracts.decision import Request

ASSIGNER, ASSIGNEE, OTHER = "91330100MA2AXXXX3G", "91440300MA5DXXXX0N", "91110000600037341L"
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
OWN = "urn:sluice:odrl:"
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"


def limit(operand: str, operator: str, value: Any) -> dict[str, Any]:
    return {"leftOperand": operand, "operator": operator, "rightOperand": value}


def _common() -> list[dict[str, Any]]:
    return [
        limit("odrl:purpose", "isAnyOf", ["demand-forecast", "supply-chain-credit"]),
        limit("odrl:dateTime", "gteq", "2027-01-01T00:00:00+08:00"),
        limit("odrl:dateTime", "lteq", "2027-12-31T23:59:59+08:00"),
        limit("odrl:spatial", "eq", "CN"),
        limit(OWN + "recipientGrade", "isAnyOf", ["SME", "LittleGiant"]),
    ]


def _release() -> dict[str, Any]:
    return {
        "action": OWN + "release",
        "constraint": [
            *_common(),
            limit(OWN + "minGroupSize", "gteq", "10"),
            limit(OWN + "diversity", "gteq", "2"),
        ],
    }


def _query() -> dict[str, Any]:
    return {
        "action": OWN + "query",
        "constraint": [
            *_common(),
            limit(OWN + "minGroupSize", "gteq", "10"),
            limit(OWN + "epsilonPerQuestion", "lteq", "0.5"),
            limit(OWN + "epsilonPerPeriod", "lteq", "2"),
            limit(OWN + "epsilonPeriod", "eq", "P1M"),
            limit(OWN + "epsilonForLife", "lteq", "8"),
            limit(OWN + "deltaForLife", "lteq", "1e-6"),
            limit(OWN + "privacyUnit", "eq", "month-of-unit"),
        ],
    }


def _train() -> dict[str, Any]:
    return {
        "action": OWN + "train",
        "constraint": [
            *_common(),
            limit(OWN + "epsilonForLife", "lteq", "8"),
            limit(OWN + "deltaForLife", "lteq", "1e-6"),
            limit(OWN + "privacyUnit", "eq", "whole-record"),
            limit(OWN + "rounds", "lteq", "20"),
            limit(OWN + "algorithm", "isAnyOf", ["logistic-newton", "histogram-gbdt"]),
            limit(OWN + "cohortPlatform", "isAnyOf", [f"urn:uscc:{ASSIGNER}", f"urn:uscc:{OTHER}"]),
            limit(OWN + "minCohort", "gteq", "2"),
            limit(OWN + "feature", "isAnyOf", ["age", "household_size", "收入"]),
            limit(OWN + "label", "eq", "redeemed"),
        ],
    }


def message() -> dict[str, Any]:
    """A fresh copy of the message."""
    return {
        "@context": [CONTEXT],
        "@type": "ContractAgreementMessage",
        "providerPid": "urn:uuid:5e0f0a52-93a7-4b0e-a0a6-5ef0f0a3c001",
        "consumerPid": "urn:uuid:5e0f0a52-93a7-4b0e-a0a6-5ef0f0a3c002",
        "agreement": {
            "@type": "Agreement",
            "@id": "urn:uuid:0b6e5b5e-6b0e-4f0d-9f7a-5c1f8c0f6a01",
            "profile": "urn:sluice:odrl:1",
            "target": "urn:sluice:contract:grocery:1.0.0",
            "assigner": f"urn:uscc:{ASSIGNER}",
            "assignee": f"urn:uscc:{ASSIGNEE}",
            "timestamp": "2026-12-20T09:00:00+08:00",
            "permission": [_release(), _query(), _train()],
            "prohibition": [
                {"action": OWN + "reidentify"},
                {"action": "odrl:distribute"},
                {"action": OWN + "combine", "constraint": [limit(OWN + "dataset", "isAnyOf", ["credit-scores", "人口"])]},
            ],
            "obligation": [
                {"action": "odrl:delete", "constraint": [limit("odrl:elapsedTime", "lteq", "P90D")]},
                {"action": OWN + "reportUse", "constraint": [limit("odrl:timeInterval", "eq", "P1M")]},
            ],
        },
    }  # fmt: skip


_SAID: dict[str, dict[str, Any]] = {
    "release": {"minGroupSize": 10, "diversity": 2},
    "query": {
        "minGroupSize": 12,
        "epsilonPerQuestion": "0.5",
        "epsilonPerPeriod": 2,
        "epsilonPeriod": "P1M",
        "epsilonForLife": 7.5,
        "deltaForLife": 1e-6,
        "privacyUnit": "month-of-unit",
    },
    "train": {
        "epsilonForLife": 8,
        "deltaForLife": "0.0000001",
        "privacyUnit": "whole-record",
        "rounds": 20,
        "algorithm": "logistic-newton",
        "cohortPlatform": frozenset({ASSIGNER, OTHER}),
        "minCohort": 2,
        "feature": ["age", "收入"],
        "label": "redeemed",
    },
}


def request(door: str = "release", **changes: Any) -> Request:
    """What the message permits at a door; `demands` given here replaces single demands."""
    demands = {**_SAID.get(door, {}), **changes.pop("demands", {})}
    given: dict[str, Any] = {
        "door": door,
        "assignee": ASSIGNEE,
        "grade": "SME",
        "purpose": "demand-forecast",
        "territory": "CN",
        **changes,
    }
    return Request(demands=demands, **given)


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The message with one place set (or added)."""
    document = message()
    put(document, path, to)
    return document


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    if isinstance(document, list) and path[-1] == len(document):
        document.append(value)
    else:
        document[path[-1]] = value


def clone(document: Any) -> Any:
    return copy.deepcopy(document)


_STEP = re.compile(r'\.?([A-Za-z_@][A-Za-z0-9_@:-]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\]')


def at(document: Any, clause: str) -> Any:
    """What stands at a clause; raises when nothing does."""
    if clause == "$":
        return document
    place = 0
    while place < len(clause):
        found = _STEP.match(clause, place)
        assert found, (clause, place)
        step: Any = found[1] or (int(found[2]) if found[2] else json.loads(found[3]))
        document = document[step]
        place = found.end()
    return document
