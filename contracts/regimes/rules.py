"""All rules of the land, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Callable

from contracts.regimes import crossborder, deidentification, grading, personal, provision
from contracts.regimes.finding import Facts, Finding, Severity

Rule = Callable[[Facts], tuple[Finding, ...]]
RULES: tuple[Rule, ...] = (
    grading.core, grading.important, grading.ungraded,
    personal.basis, personal.purpose, personal.assessment, personal.minors, personal.withdrawal,
    personal.denied, personal.undeclared,
    crossborder.territory, crossborder.assessed, crossborder.filed, crossborder.counted, crossborder.operator,
    crossborder.consequences,
    deidentification.asked, deidentification.reached,
    provision.fields, provision.notice,
)  # fmt: skip


def findings(facts: Facts) -> tuple[Finding, ...]:
    """What every rule finds, refusals first. Not legal advice, and an empty answer is none either."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.REFUSE))


def refusals(facts: Facts) -> tuple[Finding, ...]:
    """What stands against moving the data."""
    return tuple(finding for finding in findings(facts) if finding.severity is Severity.REFUSE)
