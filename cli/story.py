"""What the ledger tells of a release's making: the window, the rows that came, those set aside, the warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from audit.events import EventKind
from catalog.release import Release
from pipeline.home import Home


@dataclass(frozen=True, kw_only=True)
class Story:
    """rows_in, quarantined: by table. failed_warnings: None when the ledger doesn't say. window: None for all there was."""

    rows_in: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    failed_warnings: int | None = None
    window: Mapping[str, str | None] | None = None

    def as_json(self) -> dict[str, object]:
        """The story as `sluice catalog show --json` gives it."""
        return asdict(self)


def story(release: Release, home: Home) -> Story:
    """The story of a release, by the events of the run that staged it. Raises LedgerError when one isn't as it was signed."""
    staged = home.ledger.receipt_for(EventKind.RELEASE_STAGED, release.release, digest=release.digest)
    if staged is None:
        return Story()
    event = home.ledger.event(staged.index)
    received = _facts(EventKind.DATA_RECEIVED, event.run_id, home)
    validated = _facts(EventKind.DATA_VALIDATED, event.run_id, home)
    rows_in, quarantined = received.get("rows", {}), validated.get("quarantined", {})
    return Story(
        rows_in=rows_in,
        quarantined={**(dict.fromkeys(rows_in, 0) if validated else {}), **quarantined},
        failed_warnings=validated.get("failed_warnings"),
        window=_window(event.facts.get("window", received.get("window", {}))),
    )


def in_words(window: Mapping[str, str | None]) -> str:
    """A window for people: whole days as days."""
    start, end = (_moment(window[side]) for side in ("start", "end"))
    if start and end:
        return f"from {start}, before {end}"
    return f"from {start}" if start else f"before {end}"


def in_short(window: Mapping[str, str | None]) -> str:
    """A window for a narrow column, its bounds as they were asked for; the end is out."""
    start, end = (_moment(window[side]) for side in ("start", "end"))
    return " ".join([start or "all", *(["to", end] if end else ["on"])])


def _facts(kind: EventKind, run_id: str, home: Home) -> Mapping[str, Any]:
    receipt = home.ledger.receipt_for(kind, run_id)
    return home.ledger.event(receipt.index).facts if receipt else {}


def _window(fact: Mapping[str, str | None]) -> Mapping[str, str | None] | None:
    """The fact with both its sides; None when neither bounds anything."""
    return {side: fact.get(side) for side in ("start", "end")} if any(fact.values()) else None


def _moment(text: str | None) -> str:
    return (text or "").removesuffix("+00:00").removesuffix("T00:00:00").replace("T", " ")
