"""The numbers of the rules in force in a hall; the ledger is told when an operator changes them."""

from __future__ import annotations

from audit.events import Event, EventKind
from contracts.regimes.thresholds import DEFAULT, Thresholds, load_thresholds
from core.ids import uuid_of
from pipeline.home import Home

_BELOW = "thresholds/"


def thresholds_of(home: Home) -> Thresholds:
    """The table with the operator's changes. Raises ContractError when the operator's file can't be used."""
    path = home.settings.thresholds
    found = load_thresholds(path) if path is not None else DEFAULT
    told = home.ledger.told(EventKind.THRESHOLDS_CHANGED, _BELOW)
    last = told[-1].recorded.event.digest if told else DEFAULT.digest
    if found.digest != last:
        # Numbered, so that numbers that come back are told again; two processes that see one change tell it once.
        subject = f"{_BELOW}{len(told) + 1:06d}"
        home.ledger.append(
            Event(
                kind=EventKind.THRESHOLDS_CHANGED,
                run_id=uuid_of(subject),
                subject=subject,
                facts={
                    "digest": found.digest,
                    "values": {key: each.value for key, each in sorted(found.overrides.items())},
                },
            )
        )
    return found
