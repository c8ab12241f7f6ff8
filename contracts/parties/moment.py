"""When a signature counts as made: the first checkpoint that holds it, or now when none does yet.

What a signature says of its own time is worth nothing: a thief of the key writes any date. The log can't be dated back,
since its checkpoints have gone to others by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from core.errors import LedgerError, StateError, UsageError


@dataclass(frozen=True, kw_only=True)
class LogPosition:
    """A checkpoint of a log. origin: the log's name; size: how many leaves it holds, at least one."""

    origin: str
    size: int

    def __post_init__(self) -> None:
        if not self.origin or isinstance(self.size, bool) or self.size < 1:
            raise UsageError("A checkpoint is named by its log and a size of at least 1.")


@dataclass(frozen=True, kw_only=True)
class Held(LogPosition):
    """The first checkpoint that holds a signature, proved to its reader. time: when the log signed it."""

    time: datetime

    def __post_init__(self) -> None:
        super().__post_init__()
        check_moment(self.time)


@dataclass(frozen=True, kw_only=True)
class Unheld:
    """No checkpoint holds the signature yet. now: the present; newest: the newest checkpoint that the reader has seen.

    Raises StateError when the clock stands before that checkpoint: with a clock set back, a key that has ended looks valid.
    """

    now: datetime
    newest: Held | None = None

    def __post_init__(self) -> None:
        check_moment(self.now)
        if self.newest is not None and self.now < self.newest.time:
            raise StateError(
                "This machine's clock stands before the log's newest checkpoint.",
                where=f"{self.newest.origin}, size {self.newest.size}, {self.newest.time.isoformat()}",
                remedy="Set the clock right, then try again.",
            )


Moment = Held | Unheld


def first_held(positions: Iterable[Held]) -> Held:
    """The earliest of several checkpoints that hold one signature; the only one that counts.

    Raises LedgerError for none, for checkpoints of several logs, and for a later size with an earlier time.
    """
    ordered = sorted(positions, key=lambda held: held.size)
    if not ordered or len({held.origin for held in ordered}) != 1:
        raise LedgerError(
            "Which checkpoint holds this signature first can't be told.",
            remedy="Bring checkpoints of the one log that the contract was recorded in.",
        )
    if any(after.time < before.time for before, after in pairwise(ordered)):
        raise LedgerError("The log's checkpoints run backwards in time.", where=ordered[0].origin)
    return ordered[0]


def check_moment(moment: datetime) -> None:
    """Raises UsageError for a time without a zone."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise UsageError("A moment needs a time zone.", remedy="Write 2026-01-01T00:00:00Z.")
