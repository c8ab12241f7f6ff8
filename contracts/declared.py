"""What a contract declares about the rules of the land: frozen values that `contracts.compliance` reads and `contracts.regimes` judges.

All of it is optional to read and nothing of it is a default: what a contract doesn't say is None, and a rule that needs it
says so. A default would be an answer that nobody gave.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

DOORS = ("release", "query", "train")


class Grade(StrEnum):
    """How much harm a column's data could do. Source: GB/T 43697-2024; Data Security Law, article 21."""

    GENERAL = "general"
    IMPORTANT = "important"
    CORE = "core"


class Sensitivity(StrEnum):
    """Whether a column is personal information, and which sensitive kind. Source: PIPL, article 28; GB/T 45574-2025."""

    NONE = "none"
    PERSONAL = "personal"
    BIOMETRIC = "sensitive:biometric"
    RELIGIOUS = "sensitive:religious"
    IDENTITY = "sensitive:identity"
    MEDICAL = "sensitive:medical"
    FINANCIAL = "sensitive:financial"
    WHEREABOUTS = "sensitive:whereabouts"
    MINOR = "sensitive:minor"  # of persons under 14
    OTHER = "sensitive:other"  # the law's list is open

    @property
    def is_sensitive(self) -> bool:
        """Whether it's one of the sensitive kinds."""
        return self not in (Sensitivity.NONE, Sensitivity.PERSONAL)


class Basis(StrEnum):
    """Why the personal information may be processed. Source: PIPL, articles 13, 29 and 31."""

    CONSENT = "consent"
    GUARDIAN_CONSENT = "guardianConsent"  # of a parent, for persons under 14
    CONTRACT = "contract"  # one with the person, or employment
    DUTY = "duty"  # one that a law lays down
    EMERGENCY = "emergency"
    PUBLIC_INTEREST = "publicInterest"
    DISCLOSED = "disclosed"  # made public, lawfully
    LAW = "law"  # another case that a law names

    @property
    def is_consent(self) -> bool:
        """Whether a person can take it back."""
        return self in (Basis.CONSENT, Basis.GUARDIAN_CONSENT)


class FilingKind(StrEnum):
    """What the cross-border provisions ask for."""

    STANDARD_CONTRACT = "standardContract"
    CERTIFICATION = "certification"
    SECURITY_ASSESSMENT = "securityAssessment"


@dataclass(frozen=True, kw_only=True)
class Filing:
    """A filing with the authority. reference: its number there. until: its last day, both whole days in China's time."""

    kind: FilingKind
    reference: str
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """The list of persons who took their consent back. path: from the contract's folder on. column: of the list.

    may_be_empty: whether a list without a single person is taken for one; else it's taken for a broken one.
    """

    path: str
    column: str
    may_be_empty: bool = False


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """sluiceCompliance. members_per_unit: how many persons a privacy unit holds, or the column that says it.

    clause: where it stands in the document, for messages.
    """

    basis: Basis | None = None
    purpose: str | None = None
    impact_assessment: str | None = None
    approval: str | None = None
    deidentification_level: int | None = None
    critical_infrastructure_operator: bool | None = None
    subject_namespace: str | None = None
    members_per_unit: int | str | None = None
    filings: tuple[Filing, ...] = ()
    exclusions: Exclusions | None = None
    clause: str = field(default="customProperties", compare=False)


@dataclass(frozen=True, kw_only=True)
class ProvisionTerms:
    """sluiceProvision: what a contract on the provision of data says besides. notice: how persons were told, PIPL article 23."""

    description: str | None = None
    rights: str | None = None
    use: str | None = None
    delivery: str | None = None
    payment: str | None = None
    acceptance: str | None = None
    notice: str | None = None
    clause: str = field(default="customProperties", compare=False)
