"""The effect of de-identification: the level that the contract asks for, held against what was measured.

Source: GB/T 42460-2023, Information security technology: guide for evaluating the effectiveness of de-identification of
personal information. Four levels: 1 names persons; 2 doesn't, and the risk of finding them isn't low; 3 the risk is low; 4 no
rows of persons at all. The standard's own numbers weren't at hand: ours stand in `contracts.regimes.thresholds`.
"""

from __future__ import annotations

from contracts.regimes.finding import Facts, Finding, Measured, Severity
from contracts.regimes.thresholds import Thresholds

SOURCE = "GB/T 42460-2023 (thresholds ours)"


def level_of(measured: Measured, thresholds: Thresholds) -> int:
    """The level that what is published reaches, 1 to 4."""
    if measured.direct:
        return 1
    cell = measured.smallest_cell
    if not measured.rows and (cell is None or cell >= thresholds["level4SmallestCell"]):
        return 4
    # A cell tells of its persons what a row tells of its class. Written so that a NaN, which compares as false, is no low risk.
    low = cell is None or (cell > 0 and 1 / cell <= thresholds["level3LargestRisk"])
    if measured.rows:
        low = low and (
            measured.largest_risk <= thresholds["level3LargestRisk"]
            and measured.mean_risk <= thresholds["level3MeanRisk"]
            and measured.unique <= thresholds["level3Unique"]
        )
    return 3 if low else 2


def asked(facts: Facts) -> tuple[Finding, ...]:
    """No level asked for, or one that names persons to others. Source: GB/T 42460-2023; PIPL, article 51."""
    level = facts.compliance.deidentification_level
    if not facts.about_persons or (level is not None and level > 1):
        return ()
    what = (
        "asks for no level of de-identification"
        if level is None
        else "asks for level 1, at which persons are named"
    )
    return (
        Finding(
            rule="deidentification.asked",
            severity=Severity.WARN,
            clause=facts.compliance.clause,
            what=f"The contract {what}.",
            remedy="Write `deidentificationLevel` in sluiceCompliance: 2, 3 or 4.",
            source="GB/T 42460-2023; PIPL, article 51",
        ),
    )


def reached(facts: Facts) -> tuple[Finding, ...]:
    """A measured level below the one that is asked for. Source: GB/T 42460-2023, with our thresholds."""
    level, measured = facts.compliance.deidentification_level, facts.measured
    if level is None or measured is None:
        return ()
    got = level_of(measured, facts.thresholds)
    if got >= level:
        return ()
    return (
        Finding(
            rule="deidentification.reached",
            severity=Severity.REFUSE,
            clause=f"{facts.compliance.clause}.deidentificationLevel",
            what=f"The contract asks for level {level}, and what was measured reaches level {got}.",
            remedy="Raise k, drop a quasi-identifier or publish cells only; or agree on a lower level.",
            source=SOURCE,
        ),
    )
