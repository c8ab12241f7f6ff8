"""Which windows of one contract may stand beside each other."""

from __future__ import annotations

from audit.events import EventKind
from contracts.model import Contract
from core.errors import PrivacyError
from core.proof import Window
from pipeline.home import Home


def refuse_overlap(contract: Contract, window: Window, home: Home) -> None:
    """Raises PrivacyError when a release of the contract holds a window that overlaps this one without being the same.

    The difference between the two would be the facts of the time between their ends, often of one person.
    """
    for release in home.catalog.releases(all=True):
        staged = home.ledger.receipt_for(EventKind.RELEASE_STAGED, release.release, digest=release.digest)
        if release.contract_id != contract.id or staged is None:
            continue
        earlier = Window.from_json(home.ledger.event(staged.index).facts.get("window", {}))
        if earlier != window and earlier.overlaps(window):
            raise PrivacyError(
                f"Release refused: its window overlaps that of {release.release} and isn't the same, so that one could be "
                "subtracted from the other.",
                where=f"window {window}, earlier {earlier}",
                remedy="Take the same window, or one that begins where the earlier one ends.",
            )
