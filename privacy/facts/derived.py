"""What can be had by adding and subtracting the cells of several tables of the same facts: whether it's ever of too few persons.

Whatever a reader adds up, each fact counts with a factor that is the sum of one number for its cell in each table. It tells of the
persons whose facts have a factor other than 0. Suppose that these are fewer than k. Then, of two cells of one table:

- where both have facts that lie alike in all other tables, all of the one's such facts or all of the other's have a factor other
  than 0, unless the two cells have the same number;
- so if there are such facts, in places enough, of k persons whichever one takes, they have the same number.

Cells that must have the same number are one from then on, so that more facts lie alike. If in the end all facts that hang together
lie in one place, all of them have one factor: they are told of as a whole, or not at all. Of several places, those with k persons or
more may be told of; fewer are in doubt: they may be told of, or it couldn't be ruled out. A cell may also be told of as a whole, though
it has fewer than k: it's published anyway.

Of two tables, that is asking for the smallest cut of a graph whose edges are persons (Gusfield 1988 for cells that follow exactly).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.subjects.grouping import distinct, packed

_Ints = npt.NDArray[np.int64]
_NEAR = 1e-9
_CHOICES = range(17)  # of a cell to be held against, the first ones whenever something has changed
_FIRST = 1
_ALIKE = 1.1  # pairs of cells that two tables have for each cell, up to which they're taken as one


@dataclass(frozen=True)
class Doubt:
    """rows: (n,) which are in places of fewer than k persons that might be told of without all they hang together with. apart: (n,)
    those of them whose cell in the last table isn't one with that of most."""

    rows: npt.NDArray[np.bool_]
    apart: npt.NDArray[np.bool_]


def doubtful(persons: _Ints, cells: _Ints, ks: Sequence[int]) -> Doubt:
    """persons: (n,) from 0, who stands behind each row. cells: (n, tables) in which cell a person's facts lie in each table, -1 in none;
    a row for each way in which some do. ks: (tables,) fewest persons who may be told of; where several tables show a fact, the most."""
    k = max(ks)
    if not len(persons):
        none = np.zeros(0, np.bool_)
        return Doubt(none, none)
    codes, sizes = _tables(persons, cells, k)
    tables, whole = len(codes), int(persons.max()) + 1
    one = [np.arange(len(each)) for each in sizes]
    while True:
        places = _distinct([*(each[code] for each, code in zip(one, codes, strict=True)), persons])
        alike, who = places[:-1], places[-1]
        merged = False
        for choice in _CHOICES:
            for j in range(tables):
                pairs = _same(alike, who, whole, j, sizes[j], choice, k=k)
                if len(pairs[0]):
                    joined = _joined(len(sizes[j]), *pairs)
                    np.maximum.at(sizes[j], joined, sizes[j].copy())
                    one[j], alike[j] = joined[one[j]], joined[alike[j]]
                    merged = True
            if merged and choice >= _FIRST:
                break
        if not merged:
            break
    at = [each[code] for each, code in zip(one, codes, strict=True)]
    asked = np.where(cells >= 0, np.asarray(ks), 0).max(axis=1)
    return _left_apart(at, persons, [size[where] for size, where in zip(sizes, at, strict=True)], asked)


def _tables(persons: _Ints, cells: _Ints, k: int) -> tuple[list[_Ints], list[_Ints]]:
    """(rows,) codes of each table's cells, and (cells,) how few may be told of where the cell goes as a whole: k at most.

    Tables that are the same but for a few cells are taken as one of the cells in both: to be told apart by two numbers whose sum
    counts is no more than by one. A part of a cell isn't published, and may not be told of.
    """
    codes: list[_Ints] = []
    sizes: list[_Ints] = []
    for j in range(cells.shape[1]):
        known, code = np.unique(cells[:, j], return_inverse=True)
        size = np.minimum(_persons_of(code, persons, len(known)), k)
        size[known < 0] = k  # nobody publishes these
        codes.append(code.astype(np.int64))
        sizes.append(size)
    last = 0
    while last + 1 < len(codes):
        for j in range(last + 1, len(codes)):
            pairs, code = np.unique(codes[last] * len(sizes[j]) + codes[j], return_inverse=True)
            if len(pairs) > _ALIKE * max(len(sizes[last]), len(sizes[j])):
                continue
            left, right = np.divmod(pairs, len(sizes[j]))
            behind = np.minimum(_persons_of(code, persons, len(pairs)), k)
            least = np.minimum(sizes[last][left], sizes[j][right])
            codes[j], sizes[j] = code.astype(np.int64), np.where(behind == least, behind, k)
            del codes[last], sizes[last]
            break
        else:
            last += 1
    return codes, sizes


def _same(
    alike: list[_Ints], who: _Ints, whole: int, j: int, sizes: _Ints, choice: int, *, k: int
) -> tuple[_Ints, _Ints]:
    """Pairs of cells of table j that must have the same number. Each is held against one other cell of each place: by `choice` the one
    with most persons there (0), in all (1), or second most (2), and so on."""
    cell = alike[j]
    others = _coded([each for i, each in enumerate(alike) if i != j], len(cell))
    rows = _distinct([others, cell, who])
    place, cell, who = rows
    total = len(sizes)
    at, first = distinct(packed([place, cell], [int(place.max()) + 1, total]))
    piece_place, piece_cell = place[first], cell[first]
    behind = np.bincount(at)
    everywhere = _persons_of(cell, who, total)
    order = np.lexsort((piece_cell, everywhere[piece_cell] if choice else behind, piece_place))
    ends = np.cumsum(np.bincount(piece_place))  # each place has a piece
    starts = np.append(0, ends[:-1])
    taken = order[np.maximum(ends - max(choice, 1), starts)]
    hub, hub_behind = piece_cell[taken], behind[taken]
    # In how many places a person stands behind a cell: each counts for as much less.
    held, which, times = np.unique(cell * whole + who, return_inverse=True, return_counts=True)
    elsewhere = _most_elsewhere(held % whole, times, whole)
    its_hub = hub[place]
    is_hub = cell == its_hub
    hub_weight = np.bincount(place[is_hub], 1.0 / (times + elsewhere)[which[is_hub]], minlength=len(hub))
    found = np.minimum(np.searchsorted(held, its_hub * whole + who), len(held) - 1)
    at_hub = np.where(held[found] == its_hub * whole + who, times[found], 0)
    weight = np.bincount(at[~is_hub], 1.0 / (times[which[~is_hub]] + at_hub[~is_hub]), minlength=len(first))
    small = piece_cell != hub[piece_place]
    if not small.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pair, of_piece = np.unique(piece_cell[small] * total + hub[piece_place[small]], return_inverse=True)
    left, right = np.divmod(pair, total)
    need = np.minimum(np.minimum(sizes[left], sizes[right]), k)
    told = np.bincount(of_piece, np.minimum(weight[small], hub_weight[piece_place[small]]))
    pair_of_piece = np.full(len(first), -1)
    pair_of_piece[small] = of_piece
    of_row = pair_of_piece[at]
    strong = ~is_hub & (hub_behind[place] >= need[np.maximum(of_row, 0)])
    surely = _persons_of(of_row[strong], who[strong], len(pair))
    same = np.maximum(told + _NEAR, surely) >= need
    return left[same], right[same]


def _most_elsewhere(who: _Ints, times: _Ints, whole: int) -> _Ints:
    """(n,) for each of a person's numbers the largest of the others, 0 where there's none."""
    order = np.lexsort((times, who))
    person, number = who[order], times[order]
    last = np.append(person[1:] != person[:-1], True)
    most, next_most = np.zeros(whole, np.int64), np.zeros(whole, np.int64)
    most[person[last]] = number[last]
    before = np.flatnonzero(last) - 1
    before = before[(before >= 0) & ~last[np.maximum(before, 0)]]
    next_most[person[before]] = number[before]
    return np.where(times == most[who], next_most[who], most[who])


def _left_apart(at: list[_Ints], persons: _Ints, sizes: list[_Ints], asked: _Ints) -> Doubt:
    """Which rows lie in a place of too few persons that is no whole cell and all that hangs together with it. sizes: (rows,) of the
    cell in each table, how few may be told of as a whole. asked: (rows,) how many are asked for else."""
    starts = np.cumsum([0, *(int(each.max()) + 1 for each in at)])
    first = at[0] + starts[0]
    links = [(first, each + start) for each, start in zip(at[1:], starts[1:], strict=False)]
    none = np.empty(0, np.int64)
    left, right = (np.concatenate([none, *(link[side] for link in links)]) for side in (0, 1))
    component = _joined(int(starts[-1]), left, right)[first]
    place = _coded(at, len(persons))
    behind = _persons_of(place, persons, int(place.max()) + 1)[place]
    most = np.zeros(int(place.max()) + 1, np.int64)
    np.maximum.at(most, place, asked)
    order = np.lexsort((place, behind, component))
    last = np.append(component[order][1:] != component[order][:-1], True)
    main = np.empty(int(component.max()) + 1, np.int64)
    main[component[order][last]] = order[last]
    main_row = main[component]
    alone = np.ones(len(main), np.bool_)
    alone[component[place != place[main_row]]] = False
    rows = (behind < most[place]) & (~alone[component] | (behind < np.minimum.reduce(sizes)))
    return Doubt(rows, rows & (at[-1] != at[-1][main_row]))


def _persons_of(groups: _Ints, persons: _Ints, count: int) -> _Ints:
    """(count,) the distinct persons of each group."""
    pairs = _distinct([groups, persons])
    return np.bincount(pairs[0], minlength=count).astype(np.int64)


def _coded(columns: list[_Ints], rows: int) -> _Ints:
    """(rows,) one code from 0 for each distinct tuple."""
    if not columns:
        return np.zeros(rows, np.int64)
    return distinct(packed(columns, [int(column.max(initial=0)) + 1 for column in columns]))[0].astype(
        np.int64
    )


def _distinct(columns: list[_Ints]) -> list[_Ints]:
    """The distinct tuples, by columns."""
    _, first = distinct(packed(columns, [int(column.max(initial=0)) + 1 for column in columns]))
    return [column[first] for column in columns]


def _joined(count: int, left: _Ints, right: _Ints) -> _Ints:
    """(count,) the least of those that each number from 0 hangs together with."""
    label = np.arange(count)
    while True:
        least = np.minimum(label[left], label[right])
        before = label.copy()
        np.minimum.at(label, left, least)
        np.minimum.at(label, right, least)
        np.minimum.at(label, before[left], least)
        np.minimum.at(label, before[right], least)
        label = label[label]
        if np.array_equal(label, before):
            return label
