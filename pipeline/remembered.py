"""Where the hall keeps what it remembers of a release, under which key, and what the log and the shelf say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audit.events import EventKind
from catalog.release import Release
from contracts.model import Contract
from contracts.shelf import find_contract
from contracts.through import through
from core.errors import PrivacyError, SluiceError
from core.keys import ContractKeys, FileKey
from pipeline.home import Home
from privacy.subjects.names import KEY_BYTES


def keys_of(home: Home) -> tuple[bytes, FileKey]:
    """The hall's key for numbers of persons, and that of the files. Not a contract's: other contracts' releases are held
    against these, also after its own key was destroyed."""
    _, secret = home.keys.make_sealed("memory.json", "memory", "persons")
    keys = ContractKeys("memory", secret)
    return keys.derive("names", length=KEY_BYTES), FileKey(keys.derive("files"))


def folder_of(release: str, home: Home) -> Path:
    """Where what is remembered of a release lies."""
    return home.settings.memory / release


def staged(release: Release, home: Home) -> Mapping[str, Any]:
    """What the log says of a release's staging; {} when it says nothing."""
    receipt = home.ledger.receipt_for(EventKind.RELEASE_STAGED, release.release, digest=release.digest)
    return home.ledger.event(receipt.index).facts if receipt is not None else {}


def live_but(release: str, home: Home) -> Iterator[Release]:
    """All releases but one that aren't deleted: a withheld one counts, for its readers had it."""
    for each in home.catalog.releases(all=True):
        if each.release != release and not (each.withheld is not None and each.withheld.deleted):
            yield each


def contract_of(release: Release, contract: Contract, home: Home) -> Contract:
    """The contract that says what a release's tables hold. contract: the one of this run. Raises PrivacyError when none does."""
    if release.contract_id != contract.id:
        try:
            contract = find_contract(release.contract_id, home.settings.contracts)
        except SluiceError:
            raise _unknown(release) from None
    contract = through(contract, "release")
    if not {each.name for each in release.tables} <= {each.name for each in contract.tables}:
        raise _unknown(release)
    return contract


def _unknown(release: Release) -> PrivacyError:
    return PrivacyError(
        f"Release refused: {release.release} was published before the hall kept account of whom a release shows, and no "
        f"contract {release.contract_id} says what its tables hold, so that nobody knows whether a further one would undo it.",
        remedy="Put the contract as it was back in SLUICE_CONTRACTS; or suspend or terminate it and delete that release.",
    )
