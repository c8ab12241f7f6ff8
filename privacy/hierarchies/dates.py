"""Days and moments by parts of the calendar: 2026-03, 2026-Q1, 2026, 2020s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.calendar import first_days, ordinals, part_names
from privacy.hierarchies.labels import Named, day_namer
from privacy.hierarchies.leaves import Codes, Floats, Leaves, Places, Step, found
from privacy.hierarchies.natural import calendar_step, runs_of_days
from privacy.hierarchies.values import days, is_day

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True)
class Dates(Leaves):
    """Parts of the calendar in which there are values. keys: (n,) their numbers. parts: from fine to coarse.

    moments: whether the values are moments; a part then ends where the next one begins, else with its last day. Moments
    that have a zone are counted by their days there.
    """

    keys: Places
    parts: tuple[str, ...]
    moments: bool

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, *, column: str) -> Dates:
        """values: distinct, without NULL."""
        if not is_day(values.type):
            raise PrivacyError(
                f"`{column}` holds neither days nor moments ({values.type}), so it can't be coarsened by dates.",
                remedy="Use a hierarchy of another kind: intervals, prefix, ordered or tree.",
                column=column,
            )
        moments, finest = bool(pa.types.is_timestamp(values.type)), spec.parts[0]
        keys = np.unique(ordinals(days(values), finest))
        low, after = first_days(keys, finest), first_days(keys + 1, finest)
        return cls(
            names=pa.array(part_names(keys, finest), pa.string()),
            low=low.astype(np.float64),
            high=(after if moments else after - 1).astype(np.float64),
            keys=keys,
            parts=spec.parts,
            moments=moments,
        )

    def find(self, values: pa.Array) -> Codes:
        """The part that each value is in."""
        return found(self.keys, ordinals(days(values), self.parts[0]))

    def run(self, first: int, last: int) -> Named:
        """Named by its first and last part; single days, which may be one person's, by months or years."""
        covers = float(self.between(first, last))
        if self.parts[0] != "day":
            return Named(f"{self.names[first].as_py()}..{self.names[last].as_py()}", covers)
        named = day_namer(_date(self.keys[0]), _date(self.keys[-1]))(
            _date(self.keys[first]), _date(self.keys[last])
        )
        return Named(named.label, max(covers, named.covers))

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """What `run` says of each."""
        covers = self.between(first, last)
        if self.parts[0] != "day":
            ends = (self.names.take(pa.array(each)) for each in (first, last))
            return pc.binary_join_element_wise(*ends, ".."), covers
        names, shares = runs_of_days(self.keys, first, last)
        return names, np.maximum(covers, shares)

    def steps(self) -> Iterator[Step]:
        """The coarser parts."""
        at = first_days(self.keys, self.parts[0])
        for part in self.parts[1:]:
            yield calendar_step(self, at, part, moments=self.moments)


def _date(day: int) -> date:
    return date.fromordinal(int(day) + _EPOCH)
