"""How a contract stands, from what has happened to it: pure, so that an auditor comes to the same answer from the log alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from contracts.life.negotiation import Act, Phase, Side, advance
from contracts.life.version import order
from core.errors import ContractError


class Turn(StrEnum):
    """What may happen to a contract after it's concluded."""

    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "end"


def after(last: Turn | None, what: Turn, by: Side) -> Turn:
    """The turn of a side after its last one. Raises ContractError for one that can't follow: each lifts only what it set itself."""
    why = ""
    if last is Turn.TERMINATE:
        why = f"The {by} has terminated this contract: it's over for good."
    elif what is Turn.SUSPEND and last is Turn.SUSPEND:
        why = f"The {by} has suspended this contract already."
    elif what is Turn.RESUME and last is not Turn.SUSPEND:
        why = f"The {by} hasn't suspended this contract: only who suspended it resumes it."
    if why:
        raise ContractError(
            why,
            where="contract",
            remedy="`sluice contract show` tells how it stands, and by whom.",
            turn=str(what),
        )
    return what


class Standing(StrEnum):
    """How a contract stands. Only one that is in force opens a door."""

    NEGOTIATED = "negotiated"  # not concluded yet
    ABANDONED = "abandoned"  # the negotiation ended without an agreement
    AHEAD = "not yet in force"
    IN_FORCE = "in force"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that was recorded of a contract. index: its place in the log; at: when the log took it.

    negotiation: the UUID that all messages about one agreement share. digest: SHA-256 of the signed message. agreement:
    SHA-256 of the agreement's RFC 8785 form, from the moment there is one.
    """

    index: int
    at: datetime
    what: Act | Turn
    by: Side
    negotiation: str
    contract_id: str
    version: str
    contract_digest: str
    digest: str
    agreement: str = ""


@dataclass(frozen=True, kw_only=True)
class Period:
    """The moments between which an agreement permits anything: start <= t <= end; None on a side means no bound."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ContractState:
    """How one negotiated contract stands. since: when what made it so was recorded; of a period's bound, that bound.

    suspended_by: the sides whose suspension isn't lifted.
    """

    contract_id: str
    version: str
    contract_digest: str
    agreement: str
    negotiation: str
    phase: Phase
    standing: Standing
    since: datetime
    by: Side
    suspended_by: frozenset[Side] = frozenset()
    concluded_at: datetime | None = None
    concluded_index: int | None = None


@dataclass
class _Story:
    """A negotiation while it's read."""

    first: Happening
    last: Happening
    phase: Phase | None = None
    agreement: str = ""
    concluded: Happening | None = None
    ended: Happening | None = None
    suspensions: dict[Side, Happening] = field(default_factory=dict)
    broken: bool = False

    def take(self, happening: Happening) -> None:
        self.last = happening
        if self.broken or (happening.contract_id != self.first.contract_id):
            self.broken = True
            return
        if isinstance(happening.what, Act):
            try:
                self.phase = advance(self.phase, happening.what, happening.by)
            except ContractError:
                self.broken = True
                return
            self.agreement = happening.agreement or self.agreement
            if self.phase is Phase.FINALIZED:
                self.concluded = happening
            return
        if happening.what is Turn.TERMINATE:
            self.ended = self.ended or happening
        elif happening.what is Turn.SUSPEND:
            self.suspensions.setdefault(happening.by, happening)
        else:
            self.suspensions.pop(happening.by, None)


def states(
    happenings: Iterable[Happening], periods: Mapping[str, Period], now: datetime
) -> tuple[ContractState, ...]:
    """How each negotiated contract stands at `now`, in the order in which they began.

    happenings: in the log's order. periods: of each concluded agreement, by its digest; one that isn't there permits
    nothing, and counts as expired. Never raises: a negotiation whose happenings can't follow each other counts as abandoned,
    and harms no other.

    A clock set back opens nothing again: what is asked for is never earlier than the last thing recorded.
    """
    stories: dict[str, _Story] = {}
    latest = now
    for happening in happenings:
        latest = max(latest, happening.at)
        story = stories.setdefault(happening.negotiation, _Story(first=happening, last=happening))
        story.take(happening)
    found = {name: _state(story, periods, latest) for name, story in stories.items()}
    for name, story in stories.items():
        later = _superseded_by(story, stories.values(), periods, latest)
        if later is not None and found[name].standing not in (Standing.TERMINATED, Standing.EXPIRED):
            at, by = later
            found[name] = replace(found[name], standing=Standing.SUPERSEDED, since=at, by=by)
    return tuple(found.values())


def _state(story: _Story, periods: Mapping[str, Period], now: datetime) -> ContractState:
    phase = story.phase or Phase.TERMINATED
    standing, since, by = _standing(story, phase, periods, now)
    return ContractState(
        contract_id=story.first.contract_id,
        version=story.last.version,
        contract_digest=story.last.contract_digest,
        agreement=story.agreement,
        negotiation=story.first.negotiation,
        phase=phase,
        standing=standing,
        since=since,
        by=by,
        suspended_by=frozenset(story.suspensions),
        concluded_at=story.concluded.at if story.concluded else None,
        concluded_index=story.concluded.index if story.concluded else None,
    )


def _standing(
    story: _Story, phase: Phase, periods: Mapping[str, Period], now: datetime
) -> tuple[Standing, datetime, Side]:
    concluded = story.concluded
    if story.broken:
        return Standing.ABANDONED, story.last.at, story.last.by
    if concluded is None:
        over = phase is Phase.TERMINATED
        return (Standing.ABANDONED if over else Standing.NEGOTIATED), story.last.at, story.last.by
    if story.ended is not None:
        return Standing.TERMINATED, story.ended.at, story.ended.by
    period = periods.get(story.agreement)
    if period is None:
        return Standing.EXPIRED, concluded.at, concluded.by
    if period.end is not None and now > period.end:
        return Standing.EXPIRED, period.end, concluded.by
    if story.suspensions:
        first = min(story.suspensions.values(), key=lambda each: each.index)
        return Standing.SUSPENDED, first.at, first.by
    if period.start is not None and now < period.start:
        return Standing.AHEAD, concluded.at, concluded.by
    return Standing.IN_FORCE, max(concluded.at, period.start or concluded.at), concluded.by


def _rank(version: str) -> tuple[int, ...]:
    """A version as something to compare; one that can't be compared, which none is let in as, comes before all."""
    try:
        return order(version)
    except ContractError:
        return ()


def _superseded_by(
    story: _Story, stories: Iterable[_Story], periods: Mapping[str, Period], now: datetime
) -> tuple[datetime, Side] | None:
    """When, and by whose act, a later version of the contract took the place of this one; None when none has.

    It does once it is concluded and its own time has begun. The highest version that ever did holds, whatever is concluded
    after it and whatever became of it: an older one never comes back.
    """
    mine = story.concluded
    if mine is None:
        return None
    found = []
    for other in stories:
        theirs = other.concluded
        if theirs is None or theirs.contract_id != mine.contract_id:
            continue
        if (_rank(theirs.version), theirs.index) <= (_rank(mine.version), mine.index):
            continue
        # Where its agreement can't be read any more, it counts as begun: to lose a file brings no older version back.
        period = periods.get(other.agreement, Period())
        at = max(theirs.at, period.start or theirs.at)
        ended = other.ended.at if other.ended else None
        if at <= now and (ended is None or at < ended):
            found.append((at, theirs.by))
    return min(found, key=lambda each: each[0], default=None)
