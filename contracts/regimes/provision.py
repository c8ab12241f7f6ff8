"""What a contract on the provision of data says: present, or named as missing.

Source: the National Data Administration's model contract for the provision of data (2025), its headings in our words; PIPL,
article 23, for the notice to persons.
"""

from __future__ import annotations

from contracts.regimes.finding import Facts, Finding, Severity

SOURCE = "Model contract for the provision of data (National Data Administration, 2025)"
FIELDS = {
    "description": "what the data is, its range and its amount",
    "rights": "by which right the provider holds it and may let it be used",
    "use": "what the recipient may do with it and operate on it",
    "delivery": "how and when it's delivered",
    "payment": "what is paid, how and when",
    "acceptance": "how and until when the recipient accepts it or objects",
}


def fields(facts: Facts) -> tuple[Finding, ...]:
    """Each field of a provision contract that is missing. Source: the model contract for the provision of data, 2025."""
    return tuple(
        Finding(
            rule=f"provision.{key}",
            severity=Severity.REFUSE,
            clause=facts.provision.clause,
            what=f"The terms of provision lack `{key}`: {meaning}.",
            remedy="Write it in sluiceProvision.",
            source=SOURCE,
        )
        for key, meaning in FIELDS.items()
        if getattr(facts.provision, key) is None
    )


def notice(facts: Facts) -> tuple[Finding, ...]:
    """Persons who weren't told of the recipient. Source: PIPL, article 23."""
    if facts.provision.notice is not None or not facts.about_persons:
        return ()
    return (
        Finding(
            rule="provision.notice",
            severity=Severity.REFUSE,
            clause=facts.provision.clause,
            what="The terms of provision don't say how persons were told of the recipient, the purpose and the kinds of information.",
            remedy="Write `notice` in sluiceProvision: when and how they were told, and where the text stands.",
            source="PIPL, article 23",
        ),
    )
