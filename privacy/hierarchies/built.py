"""Groups that are built from the data: about equally many persons in each, cut where no label shows a person's value.

The rule. Distinct values are put in their order, each with the number of persons that have it. `groups` - 1 cuts are wanted,
after each equal share of the persons; each goes between the two neighbouring values where the number of persons before it
comes nearest. Cuts that fall together are one, so a value that very many have makes groups fewer.

numbers  A cut is moved to the roundest number strictly between its two neighbours: the multiple of the largest 1, 2 or 5
         times a power of ten that lies there (24.5 between 24 and 25). Groups are called `<20`, `20..24.5`, `>=24.5`:
         neither the least nor the greatest value is told.
days     (moments by their days) A cut is moved to the beginning of a calendar part: of the coarsest of decade, year,
         quarter or month that begins after the neighbour before and not after the neighbour behind; where none does, to
         the beginning of the month of the neighbour behind, be it before other values. Groups are called
         `<=1961-02`, `1961-03..1974-12`, `>=1975-01`, by months, both included.
texts    A cut is looked for within half a group's share around its place, where the beginnings that tell the neighbours
         apart are shortest, and only where they are not whole texts. Groups are called `A*..Fa*`, both included. Short
         codes may have no such place: an ordered hierarchy is the one for them.

A group of one value is called by it: everyone in it has it. Where there are no more distinct numbers or texts than
`groups`, each is a group. Source of the texts' rule: Bayer and Unterauer 1977, prefix B-trees (shortest separators).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.calendar import first_days, ordinals, part_names
from privacy.hierarchies.labels import EXACT, Named, shared_length, text_namer, written
from privacy.hierarchies.leaves import Codes, Floats, Leaves, Places, Step, found, numbered
from privacy.hierarchies.values import days, decimal, is_day, is_number, is_text, ordered, places, readable

Namer = Callable[[int, int], Named]
_STEPS = (5, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Built(Leaves):
    """Groups of about equally many persons. values: sorted distinct ones; starts: (n,) the place in them of each group's first.

    line: (n + 1,) the places of the cuts, with the least and the greatest value at its ends. namer: names a run of groups.
    """

    values: pa.Array
    starts: Places
    fan: int
    line: Floats
    namer: Namer = field(compare=False)

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, counts: npt.NDArray[Any], *, column: str) -> Built:
        """values: distinct, without NULL. counts: (n,) persons who have each."""
        kind = values.type
        if is_text(kind):
            make: Callable[..., tuple[Places, Namer, Floats]] = _texts
        elif is_day(kind):
            make = _days
        elif is_number(kind):
            make = _numbers
        else:
            raise PrivacyError(
                f"Values of `{column}` ({kind}) have no order that groups could be built by.",
                remedy="Use an ordered hierarchy or a tree.",
                column=column,
            )
        every = values
        values = ordered(every.unique() if not is_day(kind) else pa.array(days(every), pa.int64()).unique())
        at = _at(every, values)
        weights = np.bincount(at, weights=counts, minlength=len(values))
        starts, namer, line = make(values, weights, spec.groups)
        ends = np.append(starts[1:], len(values)) - 1 if len(starts) else starts
        single = starts == ends
        own = places(values)
        if pa.types.is_timestamp(kind):  # a day holds many moments, the last one too
            single, line[-1:] = np.zeros(len(starts), np.bool_), line[-1:] + 1
        names = _singles(values, starts, kind)
        names = [
            own_name if begin == end else namer(i, i).label if len(starts) > 1 else "*"
            for i, (own_name, begin, end) in enumerate(
                zip(names, starts.tolist(), ends.tolist(), strict=True)
            )
        ]
        return cls(
            names=pa.array(names, pa.string()),
            low=np.where(single, own[starts], line[:-1]) if len(starts) else own,
            high=np.where(single, own[ends], line[1:]) if len(starts) else own,
            values=values,
            starts=starts,
            fan=spec.fan,
            line=line,
            namer=namer,
        )

    def find(self, values: pa.Array) -> Codes:
        """The group of each value; -1 for values that the groups weren't built from."""
        at = _at(values, self.values)
        return np.where(at < 0, -1, np.searchsorted(self.starts, at, side="right") - 1).astype(np.int32)

    def run(self, first: int, last: int) -> Named:
        """Named by its outer cuts; `*` where there are none."""
        if last - first == len(self.starts) - 1:
            return Named("*", 1.0)
        named = self.namer(first, last)
        covers = self.share(self.line[first], self.line[last + 1])
        return Named(named.label, max(named.covers, float(covers), float(self.between(first, last))))

    def steps(self) -> Iterator[Step]:
        """`fan` groups together, then `fan` of these, and so on."""
        width = self.fan
        while width < len(self.starts):
            groups, first, last = numbered(np.arange(len(self.starts)) // width)
            runs = list(zip(first.tolist(), last.tolist(), strict=True))
            named = [
                Named(self.names[a].as_py(), float(self.between(a, a))) if a == b else self.run(a, b)
                for a, b in runs
            ]
            yield Step(
                groups=groups,
                names=[each.label for each in named],
                shares=np.array([each.covers for each in named]),
            )
            width *= self.fan


def _at(values: pa.Array, among: pa.Array) -> Codes:
    """The place of each value among the sorted ones that groups were built from, -1 where it isn't there."""
    if is_day(values.type):
        return found(among.to_numpy(), days(values))
    return np.asarray(
        pc.index_in(values, value_set=among).fill_null(-1).to_numpy(zero_copy_only=False), np.int32
    )


def _singles(values: pa.Array, starts: Places, kind: pa.DataType) -> list[str]:
    """The first value of each group as text."""
    firsts = values.take(pa.array(starts))
    if is_day(kind):
        return part_names(firsts.to_numpy(), "day")
    return list(map(str, readable(firsts)))


def _cuts(weights: Floats, groups: int) -> Places:
    """Where each group begins but the first: places among the values, ascending, each once."""
    if len(weights) <= groups:
        return np.arange(1, len(weights))
    total = np.cumsum(weights)
    before = total[:-1]  # persons before a cut at 1, 2, ...
    wanted = total[-1] * np.arange(1, groups) / groups
    right = np.clip(np.searchsorted(before, wanted), 0, len(before) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(wanted - before[left] <= np.abs(before[right] - wanted), left, right)
    return np.asarray(np.unique(nearer) + 1, np.int64)


def _starts(cuts: Places, count: int) -> Places:
    return np.concatenate([np.zeros(min(count, 1), np.int64), cuts]).astype(np.int64)


def _numbers(values: pa.Array, weights: Floats, groups: int) -> tuple[Places, Namer, Floats]:
    cuts = _cuts(weights, groups)
    sides = zip(readable(values.take(pa.array(cuts - 1))), readable(values.take(pa.array(cuts))), strict=True)
    round_ones = [roundest(decimal(a), decimal(b)) for a, b in sides]
    line = np.concatenate(
        [places(values)[:1], np.array(list(map(float, round_ones)), np.float64), places(values)[-1:]]
    )

    def name(first: int, last: int) -> Named:
        ends = [round_ones[first - 1]] if first else []
        ends += [round_ones[last]] if last < len(round_ones) else []
        texts = list(map(written, ends))
        if len(texts) == 2:
            return Named("..".join(texts), 0.0)
        return Named(f">={texts[0]}" if first else f"<{texts[0]}", 0.0)

    return _starts(cuts, len(values)), name, line


def roundest(low: Decimal, high: Decimal) -> Decimal:
    """The multiple of the largest 1, 2 or 5 times a power of ten strictly between two numbers; 0 where it lies there."""
    if low < 0 < high:
        return Decimal(0)
    if low < 0:
        return -roundest(-high, -low)
    power = high.adjusted() + 1
    while True:
        for factor in _STEPS:
            step = Decimal(factor).scaleb(power)
            multiple = EXACT.divide(low, step).to_integral_value(ROUND_FLOOR, EXACT) + 1
            if (number := EXACT.multiply(multiple, step)) < high:
                return number
        power -= 1


def _days(values: pa.Array, weights: Floats, groups: int) -> tuple[Places, Namer, Floats]:
    there = values.to_numpy()
    cuts = _cuts(weights, groups)
    begins = np.array([_begin(int(there[cut - 1]), int(there[cut])) for cut in cuts.tolist()], np.int64)
    # A month's beginning may lie before other values: the cut goes before them.
    begins = np.unique(begins[begins > there[0]]) if len(there) else begins
    cuts, first = np.unique(np.searchsorted(there, begins), return_index=True)
    months = ordinals(begins[first], "month")
    line = np.concatenate([there[:1], begins[first], there[-1:]]).astype(np.float64)

    def name(first: int, last: int) -> Named:
        if first == 0:
            return Named(f"<={part_names(months[last : last + 1] - 1, 'month')[0]}", 0.0)
        if last == len(months):
            return Named(f">={part_names(months[first - 1 : first], 'month')[0]}", 0.0)
        ends = part_names(np.array([months[first - 1], months[last] - 1]), "month")
        return Named("..".join(dict.fromkeys(ends)), 0.0)

    return _starts(cuts, len(there)), name, line


def _begin(before: int, behind: int) -> int:
    """The beginning of the coarsest calendar part that begins between two days, or that of the later one's month."""
    for part in ("decade", "year", "quarter", "month"):
        [begin] = first_days(ordinals(np.array([behind]), part), part).tolist()
        if begin > before:
            return int(begin)
    return int(begin)


def _texts(values: pa.Array, weights: Floats, groups: int) -> tuple[Places, Namer, Floats]:
    texts = values.to_pylist()
    few = len(texts) <= groups
    cuts = list(range(1, len(texts))) if few else _short_cuts(texts, weights, groups)
    starts = _starts(np.array(cuts, np.int64), len(texts))
    last_of = [*(cut - 1 for cut in cuts), len(texts) - 1]

    shared = text_namer(texts)

    def name(first: int, last: int) -> Named:
        begin, end = int(starts[first]), last_of[last]
        low = _apart(texts[begin - 1], texts[begin]) if begin else 1
        high = _apart(texts[end], texts[end + 1]) if end + 1 < len(texts) else 1
        if low >= len(texts[begin]) or high >= len(texts[end]):  # a whole text would be shown
            return shared(texts[begin], texts[end])
        return Named("..".join(dict.fromkeys([f"{texts[begin][:low]}*", f"{texts[end][:high]}*"])), 0.0)

    line = np.concatenate([starts, [max(0, len(texts) - 1)]]).astype(np.float64)
    return starts, name, line


def _short_cuts(texts: list[str], weights: Floats, groups: int) -> list[int]:
    """Cuts near equal shares of the persons, where the neighbours differ early and no whole text would be shown."""
    before = np.cumsum(weights)[:-1]
    share = float(before[-1] + weights[-1]) / groups
    cuts = set[int]()
    for number in range(1, groups):
        near = np.searchsorted(before, [(number - 0.5) * share, (number + 0.5) * share])
        best: tuple[int, float, int] | None = None
        for cut in range(int(near[0]) + 1, int(near[1]) + 1):
            shown = _apart(texts[cut - 1], texts[cut])
            if len(texts[cut - 1]) > shown < len(texts[cut]):
                rank = (shown, abs(float(before[cut - 1]) - number * share), cut)
                best = rank if best is None else min(best, rank)
        if best is not None:
            cuts.add(best[2])
    return sorted(cuts)


def _apart(text: str, other: str) -> int:
    """How many characters tell two texts apart."""
    return shared_length(text, other) + 1
