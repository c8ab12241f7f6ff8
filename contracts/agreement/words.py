"""An agreement in plain words, clause by clause: what a person reads before signing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from contracts.agreement.model import Agreement, Constraint, Permission
from contracts.agreement.vocabulary import Operator
from contracts.model import Contract
from contracts.parties.model import Parties
from contracts.protection import PrivacyTerms, RowPlan, Transform

_BECOMES = {
    Transform.DROP: "left out",
    Transform.PSEUDONYM: "as pseudonyms",
    Transform.TOKEN: "as tokens that two holders together can undo",
    Transform.GENERALIZE: "generalised",
    Transform.KEEP: "kept",
    Transform.REDACT: "redacted",
    Transform.ROUND: "rounded",
    Transform.CLAMP: "clamped",
    Transform.NOISE: "made noisy",
    Transform.SHIFT: "shifted in time",
}
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


def facts_in_words(contract: Contract) -> Iterator[tuple[str, str]]:
    """(label, sentence) for what the contract itself says: its tables, what becomes of their columns, its limits and terms."""
    for table in contract.tables:
        kinds = Counter(_BECOMES[column.transform] for column in table.columns)
        become = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        yield "table", f"{table.name} ({table.kind}): {len(table.columns)} columns, {become}"
        if table.rows is not None:
            yield "rows", f"{table.name}: {_rows(table.rows)}"
        for column in table.columns:
            if column.treatment is not None and column.treatment.holder is not None:
                yield (
                    "holder",
                    f"{table.name}.{column.name}: `{column.treatment.holder}` holds the second key of its tokens",
                )
            if column.hierarchy is not None and column.hierarchy.file is not None:
                file = column.hierarchy.file
                yield (
                    "tree",
                    f"{table.name}.{column.name}: {file.path}, SHA-256 {file.sha256}; ask for the file and read it",
                )
    if contract.privacy is not None:
        yield "limits", _limits(contract.privacy)
    yield "term", f"{contract.term.start} to {contract.term.end}"
    said = contract.compliance
    if said is not None:
        yield from _given("basis", said.basis)
        yield from _given("assessed", said.impact_assessment)
        yield from _given("approval", said.approval)
        for filing in said.filings:
            until = f", until {filing.until}" if filing.until else ""
            yield "filing", f"{filing.kind} {filing.reference}{until}"
    for name in ("description", "rights", "use", "delivery", "payment", "acceptance", "notice"):
        yield from _given(name, getattr(contract.provision, name, None))


def _limits(limits: PrivacyTerms) -> str:
    asked = [f"k {limits.k}", f"l {limits.l}"]
    asked += [f"entropy l {limits.entropy_l:g}"] if limits.entropy_l is not None else []
    asked += [f"t {limits.t:g}"] if limits.t is not None else []
    narrowed = (
        f", and {limits.max_intersected:.0%} narrowed down by all releases together"
        if limits.max_intersected
        else ""
    )
    return f"{', '.join(asked)}, counted over `{limits.unit}`; at most {limits.max_suppressed:.0%} of them left out{narrowed}"


def _rows(plan: RowPlan) -> str:
    """How facts go out row by row, for people."""
    pseudonym = "one that lasts" if plan.period is None else f"another each {plan.period}"
    most = f", at most {plan.max_rows} rows of each" if plan.max_rows is not None else ""
    return (
        f"row by row under a pseudonym, {pseudonym}{most}; "
        f"{plan.points} known rows single out at most {plan.max_unicity:.0%} of them"
    )


def _given(label: str, value: object) -> Iterator[tuple[str, str]]:
    if value is not None:
        yield label[:9], str(value)


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
