"""Personal and sensitive personal information: said of each column, with a purpose, a basis and an assessment.

Source: Personal Information Protection Law (PIPL), articles 6, 13, 15, 28 to 31, 55 and 56; GB/T 45574-2025, Data security
technology: security requirements for processing sensitive personal information.
"""

from __future__ import annotations

from contracts.carried import OF_FIRMS
from contracts.declared import Basis, Sensitivity
from contracts.model import Column, Role, Table
from contracts.regimes.finding import Facts, Finding, Severity, name_of

_OF_PERSONS = (Role.IDENTIFIER, Role.QUASI_IDENTIFIER, Role.SENSITIVE)
# On these nobody is asked; on every other basis a parent is.
_WITHOUT_A_GUARDIAN = (Basis.GUARDIAN_CONSENT, Basis.DUTY, Basis.EMERGENCY, Basis.LAW)


def undeclared(facts: Facts) -> tuple[Finding, ...]:
    """Each column of a table about persons that doesn't say whether it's personal. Source: GB/T 45574-2025; PIPL, article 28."""
    return tuple(
        _of_column(
            "personal.undeclared", clause, f"{name_of(table, column)} doesn't say whether it's personal information.",
            "Add the customProperty sluiceSensitivity: none, personal or sensitive:<kind>.", "GB/T 45574-2025; PIPL, article 28",
        )
        for clause, table, column in facts.columns_of_persons()
        if column.sensitivity is None
    )  # fmt: skip


def denied(facts: Facts) -> tuple[Finding, ...]:
    """Each column that is called impersonal and whose role, declared content or table says otherwise. Source: PIPL, article 4."""
    found = []
    for clause, table, column in facts.columns_of_persons():
        if column.sensitivity is Sensitivity.NONE and column.role in _OF_PERSONS:
            what = f"{name_of(table, column)} is called impersonal, and its role is {column.role.value}."
            found.append(_of_column("personal.denied", clause, what,
                                    "Set sluiceSensitivity: personal or sensitive:<kind>.", "PIPL, article 4"))  # fmt: skip
        elif column.sensitivity is Sensitivity.NONE and (kinds := _of_persons(column)):
            what = f"{name_of(table, column)} is called impersonal, and is said to carry {kinds}."
            found.append(_of_column("personal.denied", clause, what,
                                    "Set sluiceSensitivity: personal or sensitive:<kind>.", "PIPL, article 4"))  # fmt: skip
    about = {id(column) for _, _, column in facts.columns_of_persons()}
    for clause, table, column in facts.columns():
        if id(column) not in about and column.sensitivity not in (None, Sensitivity.NONE):
            what = f"{name_of(table, column)} is called personal, and its table is said to hold no persons."
            found.append(_of_column("personal.denied", clause, what,
                                    "Set sluiceKind: subjects or facts for the table.", "PIPL, article 4"))  # fmt: skip
    return tuple(found)


def basis(facts: Facts) -> tuple[Finding, ...]:
    """Personal information without a basis to process it. Source: PIPL, article 13."""
    if facts.compliance.basis is not None or not facts.about_persons:
        return ()
    return (
        _of_contract(
            facts, "personal.basis", "The contract is about persons, and names no basis for processing their information.",
            f"Write `basis` in sluiceCompliance: {', '.join(word.value for word in Basis)}.", "PIPL, article 13",
        ),
    )  # fmt: skip


def purpose(facts: Facts) -> tuple[Finding, ...]:
    """Sensitive columns without a purpose. Source: PIPL, articles 6 and 28."""
    first = _first_sensitive(facts)
    if first is None or (facts.compliance.purpose or facts.contract.purpose).strip():
        return ()
    return (
        _of_contract(
            facts, "personal.purpose", f"{name_of(*first)} is sensitive, and the contract names no purpose.",
            "Write `purpose` in sluiceCompliance: specific, and why it needs this column.", "PIPL, articles 6 and 28",
        ),
    )  # fmt: skip


def assessment(facts: Facts) -> tuple[Finding, ...]:
    """Sensitive columns without the reference of an impact assessment. Source: PIPL, articles 55 and 56."""
    first = _first_sensitive(facts)
    if first is None or facts.compliance.impact_assessment is not None:
        return ()
    return (
        _of_contract(
            facts, "personal.assessment", f"{name_of(*first)} is sensitive, and no impact assessment is named.",
            "Write its reference as `impactAssessment` in sluiceCompliance.", "PIPL, articles 55 and 56",
        ),
    )  # fmt: skip


def minors(facts: Facts) -> tuple[Finding, ...]:
    """Information of persons under 14 without their guardians' consent. Source: PIPL, article 31; GB/T 45574-2025."""
    first = _first_sensitive(facts, Sensitivity.MINOR)
    if first is None or facts.compliance.basis in _WITHOUT_A_GUARDIAN:
        return ()
    return (
        _of_contract(
            facts, "personal.minors", f"{name_of(*first)} is about persons under 14, and no guardian's consent is the basis.",
            "Write `basis: guardianConsent` in sluiceCompliance once it was given.", "PIPL, article 31; GB/T 45574-2025",
        ),
    )  # fmt: skip


def withdrawal(facts: Facts) -> tuple[Finding, ...]:
    """Consent as the basis, and no list of those who took it back. Source: PIPL, articles 15 and 47."""
    declared = facts.compliance
    if declared.basis is None or not declared.basis.is_consent or declared.exclusions is not None:
        return ()
    return (
        _of_contract(
            facts, "personal.withdrawal", "Persons consented and may take it back, and no list of those who did is named.",
            "Write `exclusions` in sluiceCompliance: a CSV or Parquet file of their ids.", "PIPL, articles 15 and 47",
        ),
    )  # fmt: skip


def _of_persons(column: Column) -> str:
    """The kinds of persons' data that a column is said to carry, for a sentence."""
    return ", ".join(kind for kind in column.carries if kind not in OF_FIRMS)


def _first_sensitive(facts: Facts, kind: Sensitivity | None = None) -> tuple[Table, Column] | None:
    """The first sensitive column, also one that is dropped: it is processed before it goes."""
    for _, table, column in facts.columns():
        said = column.sensitivity
        if said is not None and said.is_sensitive and kind in (None, said):
            return table, column
    return None


def _of_column(rule: str, clause: str, what: str, remedy: str, source: str) -> Finding:
    return Finding(rule=rule, severity=Severity.REFUSE, clause=f"{clause}.customProperties", what=what, remedy=remedy,
                   source=source)  # fmt: skip


def _of_contract(facts: Facts, rule: str, what: str, remedy: str, source: str) -> Finding:
    return Finding(rule=rule, severity=Severity.REFUSE, clause=facts.compliance.clause, what=what, remedy=remedy,
                   source=source)  # fmt: skip
