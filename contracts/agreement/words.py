"""An agreement in plain words, clause by clause: what a person reads before signing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from contracts.agreement.model import Agreement, Constraint, Permission
from contracts.agreement.vocabulary import Operator
from contracts.parties.model import Parties

_HOW = {
    Operator.GTEQ: "at least",
    Operator.LTEQ: "at most",
    Operator.LT: "under",
    Operator.EQ: "",
    Operator.IS_ANY_OF: "",
}


def in_words(agreement: Agreement, parties: Parties | None = None) -> Iterator[tuple[str, str]]:
    """(label, sentence) for each thing that is agreed. parties: gives the firms' names beside their codes."""
    yield "provider", _who(agreement.assigner, parties)
    yield "recipient", _who(agreement.assignee, parties)
    for permission in agreement.permissions:
        yield str(permission.door or "unknown"), _permission(permission)
    for prohibition in agreement.prohibitions:
        sets = ", ".join(sorted(prohibition.datasets or ())) or "any other data"
        yield "never", f"{prohibition.act} with {sets}" if prohibition.act == "combine" else prohibition.act
    for duty in agreement.obligations:
        yield "duty", f"{duty.duty} {_limit(duty.limit, duty.duty)}"
    for unknown in agreement.all_unknown:
        yield "refused", f"{unknown.clause}: `{unknown.name}` isn't understood. {unknown.why}"


def _permission(permission: Permission) -> str:
    said = [_constraint(constraint) for constraint in permission.constraints]
    return "; ".join(said) if said else "without any limit"


def _constraint(constraint: Constraint) -> str:
    how = _HOW[constraint.operator]
    if isinstance(constraint.value, datetime):
        how = "from" if constraint.operator is Operator.GTEQ else "until"
        return f"{how} {_value(constraint.value)}"
    return " ".join(part for part in (constraint.operand.label, how, _value(constraint.value)) if part)


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    return f"{value:f}" if hasattr(value, "is_finite") else str(value)


def _limit(limit: object, duty: str) -> str:
    if isinstance(limit, datetime):
        return f"by {_value(limit)}"
    return f"within {_value(limit)} days" if duty == "delete" else f"every {limit}"


def _who(code: str, parties: Parties | None) -> str:
    party = parties.get(f"urn:uscc:{code}") if parties else None
    return f"{party.name}, {code} ({party.grade})" if party else code or "nobody"
