"""Values that may be merged in their own order: numbers, days and moments, texts. Each value is a leaf."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import PrivacyError
from privacy.hierarchies.calendar import PARTS, first_days, ordinals, part_names
from privacy.hierarchies.grid import Grid
from privacy.hierarchies.labels import Named, Namer, day_namer, number_namer, shared_length, text_namer
from privacy.hierarchies.leaves import Codes, Floats, Leaves, Places, Step, numbered, placed
from privacy.hierarchies.values import days, is_day, is_number, is_text, ordered, places, readable

_YEARS_FROM = 730  # days; a run as long is called by its years
_SMALL = 1 << 60  # so that neither a difference nor a multiple of a step overflows
_STEPS = np.array([factor * 10**power for power in range(17) for factor in (1, 2, 5)], np.int64)
_WORTH = 0.9  # a level is one when it leaves at most so large a part of the groups before it
_WIDTHS = (
    1,
    5,
)  # times a power of ten; 2 is no divisor of 5, and each level must be a coarsening of the one before


@dataclass(frozen=True, kw_only=True)
class Natural(Leaves):
    """Distinct values in their own order; runs are named by `namer`, see `labels`."""

    namer: Namer = field(compare=False)

    @classmethod
    def of(cls, values: pa.Array, *, column: str) -> Natural:
        """values: distinct, without NULL."""
        sortable = is_number(values.type) or is_day(values.type) or is_text(values.type)
        if not sortable and not pa.types.is_boolean(values.type):
            raise PrivacyError(
                f"Values of `{column}` ({values.type}) have no order of their own that they could be merged in.",
                remedy="Write an ordered hierarchy or a tree.",
                column=column,
            )
        names = ordered(values)
        low = places(names)
        return _class(names)(names=names, low=low, high=low, namer=_namer(names))

    def find(self, values: pa.Array) -> Codes:
        """The place of each value."""
        return placed(values, self.names)

    def run(self, first: int, last: int) -> Named:
        """Named by round ends, never by its own."""
        low, high = readable(self.names.take(pa.array([first, last])))
        return self.namer(low, high)

    def steps(self) -> Iterator[Step]:
        """None beside all."""
        yield from ()


class Numbers(Natural):
    """Coarser levels are grids from 0 with widths of 1 or 5 times a power of ten, from the smallest that merges anything."""

    def steps(self) -> Iterator[Step]:
        """Grids up to the span."""
        if len(self.low) < 2:
            return
        whole = pa.types.is_integer(self.names.type)
        widths = _widths(
            float(np.diff(self.low / 2).min()) * 2, (self.low[-1] / 2 - self.low[0] / 2) * 2, whole=whole
        )
        if not widths:
            return
        finest = Grid.of(self.names.type, widths[0], Decimal(0))
        keys, before = finest.keys(self.names), len(self.low)
        for width in widths:
            grid = Grid.of(self.names.type, width, Decimal(0))
            of_width = keys // int(width / widths[0])
            groups, first, last = numbered(of_width)
            if len(first) > _WORTH * before:
                continue
            before = len(first)
            names, edges = grid.described(of_width[first].tolist())
            yield Step(
                groups=groups,
                names=names,
                shares=np.maximum(self.share(edges[:, 0], edges[:, 1]), self.between(first, last)),
            )


class Integers(Numbers):
    """Whole numbers small enough for arithmetic in 64 bits: many runs are named at once."""

    def run(self, first: int, last: int) -> Named:
        """As `runs` has it."""
        return _one(self, first, last)

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """What `labels.number_namer` says of each."""
        if not len(first):
            return super().runs(first, last)
        values = self.names.cast(pa.int64()).to_numpy()
        low, high = values[first], values[last]
        step = _STEPS[np.maximum(np.searchsorted(2 * _STEPS, high - low, side="right") - 1, 0)]
        low, high = low // step * step, -(-high // step) * step
        covers = (np.minimum(high, values[-1]) - np.maximum(low, values[0])) / (values[-1] - values[0])
        texts = (pa.array(ends).cast(pa.string()) for ends in (low, high))
        return pc.binary_join_element_wise(*texts, ".."), covers


class Days(Natural):
    """Coarser levels are months, quarters, years and decades; of moments, days before them."""

    def run(self, first: int, last: int) -> Named:
        """As `runs` has it."""
        return _one(self, first, last)

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """By months, from two years on by years; moments of one day by it."""
        return runs_of_days(np.maximum.accumulate(days(self.names)), first, last)

    def steps(self) -> Iterator[Step]:
        """Parts of the calendar."""
        moments = pa.types.is_timestamp(self.names.type)
        # Where clocks go back over midnight a later moment may be of an earlier day: it goes with those before it.
        at = np.maximum.accumulate(days(self.names))
        for part in PARTS if moments else PARTS[1:]:
            yield calendar_step(self, at, part, moments=moments)


class Texts(Natural):
    """Coarser levels are what texts begin with, from long to short."""

    def run(self, first: int, last: int) -> Named:
        """As `runs` has it."""
        return _one(self, first, last)

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """By what all of a run begin with: `10*` for 1001 to 1087. Covered are all values that begin so."""
        values = self.names.to_pylist()
        shared = self._shared(values)
        lengths = _least(shared, first, last)
        names, number = list[str](), np.empty(len(first), np.int64)
        covers = np.empty(len(first), np.float64)
        for length in np.flatnonzero(np.bincount(lengths)).tolist():
            chosen = np.flatnonzero(lengths == length)
            group = np.append(0, np.cumsum(shared < length))
            used = np.bincount(group[first[chosen]], minlength=group[-1] + 1) > 0
            here = np.flatnonzero(used)
            of_run = (np.cumsum(used) - 1)[group[first[chosen]]]
            begin = np.searchsorted(group, here)
            number[chosen] = len(names) + of_run
            names += [f"{values[at][:length]}*" for at in begin.tolist()]
            sizes = np.searchsorted(group, here, side="right") - begin
            covers[chosen] = ((sizes - 1) / max(1, len(values) - 1))[of_run]
        return pa.array(names, pa.string()).take(pa.array(number)), covers

    @staticmethod
    def _shared(values: list[str]) -> npt.NDArray[np.int64]:
        """How many characters each value shares with the next."""
        pairs = (shared_length(*pair) for pair in pairwise(values))
        return np.fromiter(pairs, np.int64, max(0, len(values) - 1))

    def steps(self) -> Iterator[Step]:
        """Shared beginnings."""
        values = self.names.to_pylist()
        shared = self._shared(values)
        before = len(values)
        for length in np.unique(shared[shared > 0])[::-1].tolist():
            count = 1 + int((shared < length).sum())
            if count > _WORTH * before:
                continue
            before = count
            groups = np.append(0, np.cumsum(shared < length)).astype(np.int32)
            _, first, last = numbered(groups)
            alone = first == last
            names = [
                values[at] if one and len(values[at]) <= length else f"{values[at][:length]}*"
                for at, one in zip(first.tolist(), alone.tolist(), strict=True)
            ]
            yield Step(groups=groups, names=names, shares=self.between(first, last))


def runs_of_days(at: Places, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
    """What `labels.day_namer` says of each of many runs. at: (n,) the day of each leaf, never falling."""
    width = at[last] - at[first]
    begin, end, place = (np.empty(len(first), np.int64) for _ in range(3))
    names = [pa.array([], pa.string())]
    known = 0
    for part, chosen in (
        ("day", np.flatnonzero(width == 0)),
        ("month", np.flatnonzero((width > 0) & (width < _YEARS_FROM))),
        ("year", np.flatnonzero(width >= _YEARS_FROM)),
    ):
        if not len(chosen):
            continue
        numbers = ordinals(at, part)
        of_leaf, heads, _ = numbered(numbers)
        numbers = numbers[heads]
        one, other = of_leaf[first[chosen]], of_leaf[last[chosen]]
        begin[chosen] = first_days(numbers, part)[one]
        end[chosen] = (first_days(numbers + 1, part) - 1)[other]
        texts = pa.array(part_names(numbers, part), pa.string())
        left, right = texts.take(pa.array(one)), texts.take(pa.array(other))
        names.append(pc.if_else(pa.array(one == other), left, pc.binary_join_element_wise(left, right, "..")))
        place[chosen] = known + np.arange(len(chosen))
        known += len(chosen)
    whole = at[-1] - at[0] if len(at) else 0
    covers = np.minimum(end, at[-1:]) - np.maximum(begin, at[:1])
    return pa.concat_arrays(names).take(pa.array(place)), np.clip(covers / max(1, whole), 0.0, 1.0)


def _one(leaves: Leaves, first: int, last: int) -> Named:
    labels, covers = leaves.runs(np.array([first], np.int32), np.array([last], np.int32))
    return Named(labels[0].as_py(), float(covers[0]))


def _least(numbers: npt.NDArray[np.int64], first: Codes, last: Codes) -> npt.NDArray[np.int64]:
    """The least of numbers[first:last] for many runs that aren't empty, by a table of the leasts of 2, 4, 8, ... in a row."""
    table = [numbers]
    while 2 ** len(table) <= len(numbers):
        half = table[-1]
        table.append(np.minimum(half[: len(half) - 2 ** (len(table) - 1)], half[2 ** (len(table) - 1) :]))
    power = np.frexp((last - first).astype(np.float64))[1] - 1
    least = np.empty(len(first), np.int64)
    for each in np.flatnonzero(np.bincount(power)).tolist():
        chosen = np.flatnonzero(power == each)
        ends = last[chosen] - 2**each
        least[chosen] = np.minimum(table[each][first[chosen]], table[each][ends])
    return least


def calendar_step(leaves: Leaves, at: Places, part: str, *, moments: bool) -> Step:
    """The level on which leaves go together by a part of the calendar. at: (n,) the day of each, never falling.

    moments: the line is that of moments, so a part ends where the next one begins; else with its last day.
    """
    numbers = ordinals(at, part)
    groups, first, last = numbered(numbers)
    begin, end = first_days(numbers[first], part), first_days(numbers[first] + 1, part)
    shares = leaves.share(begin.astype(np.float64), (end if moments else end - 1).astype(np.float64))
    return Step(
        groups=groups,
        names=part_names(numbers[first], part),
        shares=np.maximum(
            shares, leaves.between(first, last)
        ),  # places of moments are universal, days are local
    )


def _class(names: pa.Array) -> type[Natural]:
    kind = names.type
    if pa.types.is_integer(kind) and all(abs(end.as_py()) <= _SMALL for end in (*names[:1], *names[-1:])):
        return Integers
    if is_number(kind):
        return Numbers
    return Days if is_day(kind) else Texts if is_text(kind) else Natural


def _namer(leaves: pa.Array) -> Namer:
    """How runs of these values are named."""
    kind = leaves.type
    if len(leaves) < 2:
        return _nameless
    if is_day(kind):
        return day_namer(*readable(leaves.take(pa.array([0, len(leaves) - 1]))))
    if is_number(kind):
        return number_namer(leaves[0].as_py(), leaves[-1].as_py(), whole=pa.types.is_integer(kind))
    if pa.types.is_boolean(kind):
        return lambda first, last: Named(f"{first}..{last}", 1.0)
    return text_namer(leaves.to_pylist())


def _nameless(first: Any, last: Any) -> Named:
    raise ValueError("a single leaf has no runs")


def _widths(least: float, span: float, *, whole: bool) -> list[Decimal]:
    """The widths over `least` up to and including the first of at least `span`."""
    if not (0 < least < math.inf and span < math.inf):
        return []
    power, found = math.floor(math.log10(least)), list[Decimal]()
    while not found or found[-1] < span:
        for factor in _WIDTHS:
            width = Decimal(factor).scaleb(power)
            if width > least and (not whole or width > 1) and not (found and found[-1] >= span):
                found.append(width)
        power += 1
    return found
