"""Who gains and who loses what between two versions of a sharing, worst first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.agreement.model import Agreement
from contracts.changes.change import Change, Who, in_order, narrower
from contracts.changes.data import data_changes
from contracts.changes.terms import terms_changes
from contracts.model import Contract

__all__ = ["Change", "Sharing", "Who", "diff", "widens"]


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """A contract and the agreement on it; None while there is none, and nothing is permitted."""

    contract: Contract
    agreement: Agreement | None = None


def diff(old: Sharing, new: Sharing) -> tuple[Change, ...]:
    """All changes, what widens before what doesn't, and the weightiest first. Empty for two equal ones.

    Whatever can't be judged widens: another wording of the purpose, another source, a word that isn't understood.
    """
    changes = list(data_changes(old.contract, new.contract))
    changes.extend(terms_changes(old.agreement, new.agreement))
    if not changes and _digests(old) != _digests(new):
        changes.append(narrower("wording", "Only the wording changes, nothing that is enforced."))
    return in_order(changes)


def widens(changes: Iterable[Change]) -> bool:
    """Whether any of the changes allows something that wasn't allowed before."""
    return any(change.widens for change in changes)


def _digests(sharing: Sharing) -> tuple[str, str]:
    return sharing.contract.digest, sharing.agreement.digest if sharing.agreement else ""
