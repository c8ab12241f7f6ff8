"""Whose budget, who spends from it, and under which caps."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from contracts.agreement.codes import bare_name
from contracts.agreement.vocabulary import Door
from core.digest import document_digest
from core.errors import ContractError
from privacy.budget.amounts import Limit
from privacy.budget.periods import Period

_LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Account:
    """A dataset of the platform, under every contract, and the privacy unit whose losses are added up.

    unit: the namespace of the units with what of them is protected, e.g. "household/whole-record". Losses for one unit say
    nothing of another, so that a dataset with two units has two accounts.
    """

    dataset: str
    unit: str

    def __post_init__(self) -> None:
        _check_name(self.dataset, "dataset")
        _check_name(self.unit, "privacy unit")

    @cached_property
    def digest(self) -> str:
        """The account's name as a key, hex."""
        return document_digest({"dataset": self.dataset, "unit": self.unit})


@dataclass(frozen=True, kw_only=True)
class Spender:
    """Who learns: a contract, in all its versions, and every beneficial owner behind its recipient.

    Owners are kept as their letters and digits alone, sorted: neither a dot, a space nor a capital makes another owner,
    with a budget of its own, out of one.
    """

    contract: str
    owners: tuple[str, ...]
    door: Door

    def __post_init__(self) -> None:
        _check_name(self.contract, "contract")
        for owner in self.owners:
            _check_name(owner, "beneficial owner", folded=True)
        owners = tuple(sorted({bare_name(owner) for owner in self.owners}))
        if not owners or not all(owners):
            raise ContractError(
                "A spender needs the beneficial owners behind it, and each needs letters or digits.",
                where=self.contract,
                remedy="Name every beneficial owner of the recipient, as the party registry does.",
            )
        object.__setattr__(self, "owners", owners)


class Scope(StrEnum):
    """Over what a cap counts. ACCOUNT: everything, under all contracts."""

    CONTRACT = "contract"
    OWNER = "owner"
    ACCOUNT = "account"


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The most that may be spent in one scope: in each period, or over the account's life (None).

    finite: the guarantee must stay finite there, so that one release without differential privacy uses the cap up. Otherwise
    the cap holds for the part with differential privacy, whatever else was released.
    """

    scope: Scope
    limit: Limit
    period: Period | None = None
    finite: bool = False


@dataclass(frozen=True)
class Caps:
    """All caps that a reservation has to keep. One of them counts the whole account over its life.

    Without that one the sum over contracts, owners and periods would have no end. Raises ContractError when it's missing,
    and when two caps speak of the same thing.
    """

    each: tuple[Cap, ...]

    def __post_init__(self) -> None:
        kinds = [(cap.scope, cap.period) for cap in self.each]
        if len(set(kinds)) != len(kinds):
            raise ContractError(
                "Two caps speak of the same scope and period.", remedy="Keep the smaller one."
            )
        if (Scope.ACCOUNT, None) not in kinds:
            raise ContractError(
                "No cap counts the whole dataset over its life.",
                remedy="Set the platform's cap for it; a limit of 0 lets nothing with differential privacy through.",
            )
        # One order, so that equal caps are equal however they were listed. What waiting can't mend comes first.
        ordered = sorted(
            self.each,
            key=lambda cap: (cap.period is not None, list(Scope).index(cap.scope), cap.period or ""),
        )
        object.__setattr__(self, "each", tuple(ordered))


def _check_name(text: str, what: str, *, folded: bool = False) -> None:
    """Refuses what could be one name in two spellings, or can't stand in a message."""
    if (
        not 0 < len(text) <= _LONGEST
        or not text.isprintable()
        or text != text.strip()
        or (not folded and text != unicodedata.normalize("NFKC", text))
    ):
        raise ContractError(
            f"The {what} of a budget has no usable name.",
            remedy=f"Give 1 to {_LONGEST} printable characters in Unicode's plain form (NFKC), without blanks at the ends.",
        )
