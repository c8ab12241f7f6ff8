"""What rows of facts give away, as numbers for the disclosure report: apart from the engine that measures them."""

from __future__ import annotations

from dataclasses import dataclass

from privacy.facts.attackers import Found
from privacy.facts.relink import Relinked
from privacy.facts.unicity import Share, Unicity


@dataclass(frozen=True, kw_only=True)
class RowsBeside:
    """What a reader of `live` other tables and of this one singles out by so many known rows; points and limit are those of the
    contract that bears it least."""

    live: int
    points: int
    limit: float
    reached: Share


@dataclass(frozen=True, kw_only=True)
class RowRisk:
    """What rows of facts give away, measured on the written file.

    units, rows: published; capped_rows: left out by the cap. traces: pseudonyms of a unit, one a period where they change.
    smallest: fewest units in a period, or in all. before: unicity of the raw rows, all columns that stay together. after:
    the same as published, and for who knows one column only.
    in_classes: whether candidates were told apart by their class in the subject table. points, limit: the contract's;
    reached: the share of the strongest attacker. relinked: None where pseudonyms last, or nobody is in two periods.
    beside: with the tables of others that hold the same facts, None where there are none. earlier: with the contract's earlier
    releases, None where no pseudonym of theirs is here again.
    """

    table: str
    units: int
    rows: int
    capped_rows: int
    traces: int
    smallest: int
    before: Unicity
    after: Found
    in_classes: bool
    points: int
    limit: float
    reached: Share
    relinked: Relinked | None
    beside: RowsBeside | None = None
    earlier: RowsBeside | None = None
