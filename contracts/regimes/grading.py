"""Classification and grading: core data stays, important data needs an approval.

Source: GB/T 43697-2024, Data security technology: rules for data classification and grading (the dataset's grade is the
highest of what is in it); Data Security Law, article 21.
"""

from __future__ import annotations

from contracts.declared import Grade
from contracts.regimes.finding import Facts, Finding, Severity, name_of

SOURCE = "GB/T 43697-2024"
_ORDER = {Grade.GENERAL: 0, Grade.IMPORTANT: 1, Grade.CORE: 2}


def dataset_grade(facts: Facts) -> Grade | None:
    """The highest grade of any column, also of those that are dropped: they come to us too. None when one has none."""
    grades = [column.grade for _, _, column in facts.columns()]
    known = [grade for grade in grades if grade is not None]
    if len(known) < len(grades) or not known:
        return None
    return max(known, key=_ORDER.__getitem__)


def ungraded(facts: Facts) -> tuple[Finding, ...]:
    """Each column without a grade. Source: GB/T 43697-2024."""
    return tuple(
        Finding(
            rule="grading.ungraded",
            severity=Severity.REFUSE,
            clause=f"{clause}.customProperties",
            what=f"{name_of(table, column)} has no grade.",
            remedy="Add the customProperty sluiceGrade: general, important or core.",
            source=SOURCE,
        )
        for clause, table, column in facts.columns()
        if column.grade is None
    )


def core(facts: Facts) -> tuple[Finding, ...]:
    """Each column of core data, which isn't shared by any contract. Source: GB/T 43697-2024; Data Security Law, article 21."""
    return tuple(
        Finding(
            rule="grading.core",
            severity=Severity.REFUSE,
            clause=f"{clause}.customProperties",
            what=f"{name_of(table, column)} is core data, and so is then the whole dataset.",
            remedy="Take the column out of the contract.",
            source=f"{SOURCE}; Data Security Law, article 21",
        )
        for clause, table, column in facts.columns()
        if column.grade is Grade.CORE
    )


def important(facts: Facts) -> tuple[Finding, ...]:
    """Important data without evidence of an approval. Source: GB/T 43697-2024; Data Security Law, articles 21 and 30."""
    first = next((entry for entry in facts.columns() if entry[2].grade is Grade.IMPORTANT), None)
    if first is None or facts.compliance.approval is not None:
        return ()
    _, table, column = first
    return (
        Finding(
            rule="grading.important",
            severity=Severity.REFUSE,
            clause=facts.compliance.clause,
            what=f"The dataset holds important data ({name_of(table, column)}), and no approval is named.",
            remedy="Write the approval's reference as `approval` in sluiceCompliance.",
            source=f"{SOURCE}; Data Security Law, articles 21 and 30",
        ),
    )
