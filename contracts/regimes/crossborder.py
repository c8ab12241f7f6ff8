"""Data that leaves the mainland: what is filed, held against whose data it is and how many persons' it was since 1 January.

Source: Provisions on Promoting and Regulating Cross-Border Data Flows (Cyberspace Administration of China, order 16, in force
since 22 March 2024), articles 5, 7, 8, 9 and 10; PIPL, articles 38, 39 and 55. In Chinese law "100,000 or more" includes
100,000 (Civil Code, article 1259).

What the provisions exempt by purpose (a contract with the person, staff, emergencies, transit, free trade zones: articles 3
to 6) isn't judged here: such a case is an operator's override, with its reason. Everyone counts until then.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.declared import Filing, FilingKind, Grade
from contracts.regimes.finding import Facts, Finding, Headcount, Severity, name_of

SOURCE = "Provisions on cross-border data flows (CAC order 16, 2024)"
# ISO 3166-1, and 3166-2 with today's letters or the numbers of before. Named one by one: CN-HK, CN-MO and CN-TW (91, 92 and 71)
# are parts of CN in that list and abroad to the provisions, and what isn't in it is nowhere.
_LETTERS = "AH BJ CQ FJ GD GS GX GZ HA HB HE HI HL HN JL JS JX LN NM NX QH SC SD SH SN SX TJ XJ XZ YN ZJ"
_NUMBERS = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65"
_HOME = {"CN", *(f"CN-{part}" for part in f"{_LETTERS} {_NUMBERS}".split())}
# Their results and certificates are given for years: one without an end would count for ever.
_END = {
    FilingKind.SECURITY_ASSESSMENT: "article 9: three years",
    FilingKind.CERTIFICATION: "certificates are given for three years",
}
_LESSER = (FilingKind.STANDARD_CONTRACT, FilingKind.CERTIFICATION, FilingKind.SECURITY_ASSESSMENT)
_GREATER = (FilingKind.SECURITY_ASSESSMENT,)


def is_abroad(territories: Iterable[str]) -> bool:
    """Whether data may leave the mainland: any code but CN and its own parts, a code that nobody knows, or no code at all."""
    codes = tuple(territories)
    return not codes or any(code not in _HOME for code in codes)


def territory(facts: Facts) -> tuple[Finding, ...]:
    """Nobody said where the data goes; the other rules take it for abroad. Source: PIPL, article 39."""
    if facts.territories:
        return ()
    return (
        Finding(
            rule="crossborder.territory",
            severity=Severity.REFUSE,
            clause="agreement.permission",
            what="Nothing says in which territory the data is used, nor where the recipient has its seat.",
            remedy='Constrain the permission by odrl:spatial, "CN" for the mainland.',
            source="PIPL, article 39",
        ),
    )


def operator(facts: Facts) -> tuple[Finding, ...]:
    """Abroad, and nobody said whether the provider runs critical infrastructure. Source: articles 5(4) and 7(1)."""
    if not is_abroad(facts.territories) or facts.compliance.critical_infrastructure_operator is not None:
        return ()
    return (
        _refusal(
            "crossborder.operator", facts.compliance.clause,
            "The data goes abroad, and the contract doesn't say whether its provider operates critical infrastructure.",
            "Write `criticalInfrastructureOperator: false` (or true) in sluiceCompliance.", "articles 5(4) and 7(1)",
        ),
    )  # fmt: skip


def counted(facts: Facts) -> tuple[Finding, ...]:
    """Persons go abroad, and nobody counted them, or nobody said how many a unit holds. Source: articles 5(4), 7 and 8."""
    if not _persons_leave(facts):
        return ()
    found = []
    if facts.headcount is None:
        found.append(
            _refusal(
                "crossborder.counted", "schema", "Persons' data goes abroad, and the persons weren't counted.",
                "Ask the meter before the data goes.", "articles 5(4), 7 and 8",
            )
        )  # fmt: skip
    if facts.compliance.members_per_unit is None:
        found.append(
            _refusal(
                "crossborder.members", facts.compliance.clause,
                "Persons' data goes abroad, and nothing says how many persons a privacy unit holds.",
                "Write `membersPerUnit` in sluiceCompliance: 1 where a unit is one person, or the column that counts them.",
                "articles 5(4), 7 and 8",
            )
        )  # fmt: skip
    return tuple(found)


def assessed(facts: Facts) -> tuple[Finding, ...]:
    """What needs a security assessment and has none. Source: articles 7 and 9."""
    if not is_abroad(facts.territories):
        return ()
    reasons = _greater(facts)
    return _lacking(facts, "crossborder.assessed", reasons, _GREATER, "articles 7 and 9") if reasons else ()


def filed(facts: Facts) -> tuple[Finding, ...]:
    """What needs a standard contract or a certification and has neither. Source: articles 5(4) and 8."""
    if not is_abroad(facts.territories) or _greater(facts) or not _persons_leave(facts):
        return ()
    count, limits = facts.headcount, facts.thresholds
    if count is None:
        return ()  # `counted` refuses
    reasons = []
    if count.persons >= limits["filedFromPersons"]:
        reasons.append(
            f"{_counted(count.persons, count)} since 1 January, and the limit is {limits.count('filedFromPersons'):,}"
        )
    if count.sensitive >= limits["filedFromSensitive"]:
        reasons.append(f"{_counted(count.sensitive, count)} with sensitive information since 1 January")
    return _lacking(facts, "crossborder.filed", reasons, _LESSER, "articles 5(4) and 8") if reasons else ()


def consequences(facts: Facts) -> tuple[Finding, ...]:
    """Abroad, personal information is assessed and told of whatever its amount. Source: article 10; PIPL, articles 39 and 55."""
    if not _persons_leave(facts) or facts.compliance.impact_assessment is not None:
        return ()
    return (
        _refusal(
            "crossborder.assessment", facts.compliance.clause,
            "Persons' data goes abroad, and no impact assessment is named.",
            "Write its reference as `impactAssessment` in sluiceCompliance.", "article 10; PIPL, articles 39 and 55",
        ),
    )  # fmt: skip


def _greater(facts: Facts) -> list[str]:
    """Why a security assessment is needed; empty when it isn't."""
    count, limits = facts.headcount, facts.thresholds
    leaving = [(table, column) for _, table, column in facts.columns() if column.passes(facts.door)]
    heavy = [(t, c) for t, c in leaving if c.grade in (Grade.IMPORTANT, Grade.CORE)]
    unknown = [(t, c) for t, c in leaving if c.grade is None]
    reasons = []
    if heavy:
        reasons.append(f"{name_of(*heavy[0])} is {heavy[0][1].grade} data")
    elif unknown:
        reasons.append(f"{name_of(*unknown[0])} has no grade, so that it may be important data")
    if facts.compliance.critical_infrastructure_operator and facts.about_persons:
        reasons.append("the provider operates critical infrastructure")
    if count is not None and _persons_leave(facts):
        if count.persons >= limits["assessedFromPersons"]:
            reasons.append(
                f"{_counted(count.persons, count)} since 1 January, and the limit is {limits.count('assessedFromPersons'):,}"
            )
        if count.sensitive >= limits["assessedFromSensitive"]:
            reasons.append(
                f"{_counted(count.sensitive, count)} with sensitive information since 1 January, "
                f"and the limit is {limits.count('assessedFromSensitive'):,}"
            )
    return reasons


def _counted(persons: int, count: Headcount) -> str:
    return f"{'at least ' if count.fewest else ''}{persons:,} person{'' if persons == 1 else 's'}"


def _persons_leave(facts: Facts) -> bool:
    """Whether anything about persons goes abroad; facts of persons do as cells, even where every column of theirs is dropped."""
    return is_abroad(facts.territories) and facts.about_persons


def _lacking(
    facts: Facts, rule: str, reasons: list[str], kinds: tuple[FilingKind, ...], article: str
) -> tuple[Finding, ...]:
    """A refusal, unless a filing of one of the kinds is in force; filings that don't count are named with their reason."""
    declared = facts.compliance
    whys = []
    for i, filing in enumerate(declared.filings):
        if filing.kind not in kinds:
            continue
        why = _void(filing, facts)
        if why is None:
            return ()
        whys.append(f"{declared.clause}.filings[{i}] {why}")
    clause = f"{declared.clause}.filings" if declared.filings else declared.clause
    needed = " or ".join(kind.value for kind in kinds)
    void = f" ({'; '.join(whys)})" if whys else ""
    return (
        _refusal(
            rule, clause, f"The data goes abroad and needs a filing in force, {needed}: {'; '.join(reasons)}{void}.",
            "Write its `kind`, `reference` and `until` under `filings` in sluiceCompliance once the authority gave it.", article,
        ),
    )  # fmt: skip


def _void(filing: Filing, facts: Facts) -> str | None:
    """Why a filing doesn't count today; None when it does."""
    if filing.until is None:
        return f"has no `until` ({_END[filing.kind]})" if filing.kind in _END else None
    return f"ended with {filing.until}" if facts.today > filing.until else None


def _refusal(rule: str, clause: str, what: str, remedy: str, article: str) -> Finding:
    return Finding(
        rule=rule,
        severity=Severity.REFUSE,
        clause=clause,
        what=what,
        remedy=remedy,
        source=f"{SOURCE}, {article}",
    )
