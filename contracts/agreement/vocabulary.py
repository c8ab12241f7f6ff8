"""The words of an agreement that are understood. Everything else is a refusal.

One table of operands: how each is written, which operators it takes, what its values are, at which doors it's enforced,
and at which it has to stand. Sources: ODRL 2.2 vocabulary; our own terms are the profile `urn:sluice:odrl:1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.agreement.values import (
    AMOUNT,
    CALENDAR_PERIOD,
    COUNT,
    DAYS,
    GRADE,
    NAME,
    PARTY,
    PERIOD,
    PROTECTS,
    TERRITORY,
    TIME,
    TOKEN,
    Kind,
)

PROFILE = "urn:sluice:odrl:1"
ODRL = "http://www.w3.org/ns/odrl/2/"
DSPACE = "https://w3id.org/dspace/2025/1/"
OWN = "urn:sluice:odrl:"
CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
# The protocol's context brings the second one in by itself; naming it changes no meaning. Any other could.
CONTEXTS = (CONTEXT, "https://w3id.org/dspace/2025/1/odrl-profile.jsonld")
_PREFIXES = {"odrl:": ODRL, "dspace:": DSPACE, "xsd:": "http://www.w3.org/2001/XMLSchema#"}


class Door(StrEnum):
    """What a permission opens."""

    RELEASE = "release"
    QUERY = "query"
    TRAIN = "train"


class Operator(StrEnum):
    """ODRL's operators that are understood."""

    EQ = "eq"
    IS_ANY_OF = "isAnyOf"
    GTEQ = "gteq"
    LTEQ = "lteq"
    LT = "lt"


AMONG = (Operator.IS_ANY_OF, Operator.EQ)
AT_LEAST = (Operator.GTEQ,)
AT_MOST = (Operator.LTEQ,)
ALL = tuple(Door)
COUNTED = (Door.RELEASE, Door.QUERY)
BUDGETED = (Door.QUERY, Door.TRAIN)


@dataclass(frozen=True, kw_only=True)
class Operand:
    """One left operand. name: what requests call it. iri: how documents do, expanded. doors: where it's enforced.

    needed: the doors whose permissions aren't whole without it. label: what the diff calls it. many: whether it may name
    several values. What is tighter follows from the operator: more with gteq, less with lteq and lt, fewer with isAnyOf.
    """

    name: str
    iri: str
    kind: Kind
    operators: tuple[Operator, ...]
    doors: tuple[Door, ...]
    needed: tuple[Door, ...]
    label: str


def _of(iri: str, kind: Kind, operators: tuple[Operator, ...], doors: tuple[Door, ...], needed: tuple[Door, ...], label: str) -> Operand:  # fmt: skip
    return Operand(
        name=iri.rpartition(":" if iri.startswith("urn:") else "/")[2],
        iri=iri,
        kind=kind,
        operators=operators,
        doors=doors,
        needed=needed,
        label=label,
    )


_QUERY, _TRAIN, _NONE = (Door.QUERY,), (Door.TRAIN,), ()
_ONE = (Operator.EQ,)
_SPAN = (Operator.GTEQ, Operator.LTEQ, Operator.LT)

PERMISSION_OPERANDS: tuple[Operand, ...] = (
    _of(ODRL + "purpose", TOKEN, AMONG, ALL, ALL, "purposes"),
    _of(ODRL + "dateTime", TIME, _SPAN, ALL, ALL, "time"),
    _of(ODRL + "spatial", TERRITORY, AMONG, ALL, ALL, "territory"),
    _of(OWN + "recipientGrade", GRADE, AMONG, ALL, ALL, "recipients' grades"),
    _of(OWN + "minGroupSize", COUNT, AT_LEAST, COUNTED, COUNTED, "k"),
    _of(OWN + "diversity", COUNT, AT_LEAST, COUNTED, _NONE, "l"),
    _of(OWN + "epsilonPerQuestion", AMOUNT, AT_MOST, BUDGETED, _QUERY, "epsilon per question"),
    _of(OWN + "epsilonPerPeriod", AMOUNT, AT_MOST, BUDGETED, _QUERY, "epsilon per period"),
    _of(OWN + "epsilonPeriod", CALENDAR_PERIOD, _ONE, BUDGETED, _QUERY, "the period of epsilon"),
    _of(OWN + "epsilonForLife", AMOUNT, AT_MOST, BUDGETED, BUDGETED, "epsilon for life"),
    _of(OWN + "deltaPerQuestion", AMOUNT, AT_MOST, BUDGETED, _NONE, "delta per question"),
    _of(OWN + "deltaPerPeriod", AMOUNT, AT_MOST, BUDGETED, _NONE, "delta per period"),
    _of(OWN + "deltaForLife", AMOUNT, AT_MOST, BUDGETED, BUDGETED, "delta for life"),
    _of(OWN + "privacyUnit", PROTECTS, _ONE, BUDGETED, BUDGETED, "what epsilon protects"),
    _of(OWN + "rounds", COUNT, AT_MOST, _TRAIN, _TRAIN, "rounds"),
    _of(OWN + "algorithm", TOKEN, AMONG, _TRAIN, _TRAIN, "algorithms"),
    _of(OWN + "cohortPlatform", PARTY, AMONG, _TRAIN, _TRAIN, "platforms in the cohort"),
    _of(OWN + "minCohort", COUNT, AT_LEAST, _TRAIN, _TRAIN, "minimum cohort"),
    _of(OWN + "feature", NAME, AMONG, _TRAIN, _TRAIN, "features"),
    _of(OWN + "label", NAME, AMONG, _TRAIN, _TRAIN, "label"),
)
# In prohibitions and obligations; no door compares them with a request.
DATASET = _of(OWN + "dataset", NAME, AMONG, _NONE, _NONE, "datasets")
ELAPSED = _of(ODRL + "elapsedTime", DAYS, AT_MOST, _NONE, _NONE, "deletion")
DELETE_BY = _of(ODRL + "dateTime", TIME, AT_MOST, _NONE, _NONE, "deletion")
INTERVAL = _of(ODRL + "timeInterval", PERIOD, _ONE, _NONE, _NONE, "reports of use")

OPERANDS = {operand.iri: operand for operand in PERMISSION_OPERANDS}
BY_NAME = {operand.name: operand for operand in PERMISSION_OPERANDS}
DOORS = {OWN + door: door for door in Door}

REIDENTIFY, DISTRIBUTE, COMBINE, USE = "reidentify", "distribute", "combine", "use"
PROHIBITABLE = {
    OWN + REIDENTIFY: REIDENTIFY,
    ODRL + DISTRIBUTE: DISTRIBUTE,
    OWN + COMBINE: COMBINE,
    ODRL + USE: USE,
    **{OWN + door: str(door) for door in Door},
}
DELETE, REPORT_USE = "delete", "reportUse"
# Each duty says by when or how often, in one constraint.
DUTIES: dict[str, tuple[str, dict[str, Operand]]] = {
    ODRL + DELETE: (DELETE, {ELAPSED.iri: ELAPSED, DELETE_BY.iri: DELETE_BY}),
    OWN + REPORT_USE: (REPORT_USE, {INTERVAL.iri: INTERVAL}),
}

# What the protocol's context gives a bare word for. Any other bare word, `purpose` too, vanishes when the document is
# expanded, and with it the limit.
_BARE_VALUES = frozenset(
    [
        "use",
        "eq",
        "gt",
        "gteq",
        "lt",
        "lteq",
        "neq",
        "isA",
        "hasPart",
        "isPartOf",
        "isAllOf",
        "isAnyOf",
        "isNoneOf",
        "Agreement",
        "Offer",
        "Set",
        "Policy",
        "Rule",
        "Permission",
        "Prohibition",
        "Duty",
        "Constraint",
        "Asset",
        "Action",
    ]
)
_BARE_KEYS = frozenset(
    [
        "profile",
        "target",
        "assigner",
        "assignee",
        "permission",
        "prohibition",
        "obligation",
        "duty",
        "action",
        "constraint",
        "leftOperand",
        "operator",
        "rightOperand",
        "and",
        "andSequence",
        "or",
        "xone",
        "hasPolicy",
    ]
)
_MESSAGE_KEYS = frozenset(["providerPid", "consumerPid", "agreement", "timestamp"])


def expand(word: str) -> str:
    """A prefixed word as the IRI it stands for; any other as it is."""
    prefix, colon, rest = word.partition(":")
    base = _PREFIXES.get(prefix + colon)
    return base + rest if base is not None and not rest.startswith("//") else word


def expand_value(word: str) -> str:
    """The IRI of an action, an operator, an operand or a type, as a document may write it."""
    return ODRL + word if word in _BARE_VALUES else expand(word)


def key_name(key: str) -> str | None:
    """The short name of a key: `permission` for `permission`, `odrl:permission` or its IRI. None for any other word."""
    if key.startswith("@"):
        return key
    if key in _BARE_KEYS or key in _MESSAGE_KEYS:
        return key
    iri = expand(key)
    for base, keys in ((ODRL, _BARE_KEYS), (DSPACE, _MESSAGE_KEYS)):
        if iri.startswith(base) and iri.removeprefix(base) in keys:
            return iri.removeprefix(base)
    return None
