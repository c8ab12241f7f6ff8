"""Full-domain search: of all ways to give each quasi-identifier one level of its hierarchy, the one that loses least.

A node of the lattice is a level for each dimension. At a node tuples with the same generalised codes are a class; a person
whose tuples stand in two classes is left out with all of them, then each class that breaks k or a rule is left out. A
node's loss is the mean over rows: of a kept row the mean share of the scales that its groups cover (NCP), of a row left out
1. The search returns the node that leaves out at most `max_suppressed` persons and loses least; among equals the one that
leaves out fewest persons, then the one with the lowest sum of levels, then the first in lexicographic order. None of that
depends on the order of the tuples. Losses are whole steps (of 2**-40 where the rows leave room), so sums and comparisons
are exact.

Why no better node is missed: a node is passed over only when a bound says that it breaks the limit or can't win.

1. A node's generalisation loss alone follows from the marginals: G(v) = sum over rows of g(v, row), the row's NCP at v.
2. Let v be finer than or equal to w, and M(w) the persons who stand astride at w or in a class that breaks k or another
   monotone rule there. Then M(w) is a part of M(v). Who stands astride at w does so at v. A class at v that keeps the
   monotone rules has persons who are astride nowhere coarser, and whose rows all go to one class at w; that class has them
   all, with the same values, and perhaps others. So it has k, its values, and for each value at least as many persons
   without it, which is what `DISTINCT` asks. Whoever is left out for other reasons comes on top. Hence
   loss(v) >= G(v) + sum over the rows of M(w) of (1 - g(v, row)), and that sum too is one of marginals.
3. Rules that aren't monotone (entropy, closeness) say nothing about who of a class is left out further down: of a class
   that breaks one at w, a part may keep it at v, so those persons are in no bound of loss. But if nobody of the class were
   left out at v, it would be a union of classes that keep the rule, and such a union keeps it (entropy is concave, the
   distances are convex; up to a rounding at the rules' own tolerance of 1e-9). So at least one person of each such class
   is left out at v.

From 2 and 3: v leaves out at least |M(w)| persons plus one for each other class that breaks a rule at w. Coarse nodes are
looked at first, each rules out what it can of all below it, and a quick descent beforehand finds a good node to beat.

Source: LeFevre, DeWitt, Ramakrishnan 2005 (Incognito); Kohlmayer, Prasser et al. 2012 (Flash); NCP, Xu et al. 2006.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.errors import InternalError, PrivacyError
from core.progress import Progress, silent
from privacy.models.rules import MONOTONE, RULES, SPARSE, Asked
from privacy.search.lattice_kernel import (
    FAILS,
    FAILS_OTHER,
    KEPT,
    Cells,
    Grouped,
    Longs,
    fates,
    fold,
    group,
    left_out,
    nested,
)
from privacy.search.lattice_kernel import judge as judge_column
from privacy.search.tuples import Codes, Floats, Tuples

LARGEST = 2**20  # nodes of a lattice that is searched
_THREADS = 2
_WORTH = 1 << 15  # cells from which on two nodes are looked at side by side
_BITS = 40
Node = tuple[int, ...]


class Levels(Protocol):
    """What the search asks of a hierarchy's levels: for each level, finest first, each leaf's group and the share of the
    scale that this group covers (0..1). Groups of a level are unions of groups of the level before."""

    @property
    def groups(self) -> tuple[Codes, ...]: ...

    @property
    def losses(self) -> tuple[Floats, ...]: ...


@dataclass(frozen=True)
class FullDomain:
    """The node that loses least.

    node: level of each dimension. loss: 0..1. suppressed: persons left out. kept: (n,) whether a tuple stays. part: (n,)
    class of each tuple from 0 in the order of their codes, -1 where left out. evaluated: nodes looked at, of `nodes`.
    """

    node: Node
    loss: float
    suppressed: int
    kept: npt.NDArray[np.bool_]
    part: Codes
    evaluated: int
    nodes: int


def lattice_nodes(levels: Sequence[Levels]) -> int:
    """How many nodes the lattice has; from LARGEST on it isn't searched."""
    count = 1
    for each in levels:
        count *= len(each.groups)
    return count


def full_domain(
    tuples: Tuples,
    levels: Sequence[Levels],
    *,
    k: int,
    asked: Sequence[Asked] = (),
    max_suppressed: int,
    below: float | None = None,
    progress: Progress = silent,
) -> FullDomain | None:
    """The best node, see above; None when each leaves out more than `max_suppressed` persons.

    levels: one a dimension, over the codes of the tuples. below: None too when no node loses less than that (0..1), which is
    found out sooner than which node is best. With max_suppressed at all persons the answer may be to keep nobody. Raises
    PrivacyError when the lattice is larger than LARGEST.
    """
    nodes = lattice_nodes(levels)
    if nodes > LARGEST:
        raise PrivacyError(
            f"The hierarchies have {nodes:,} combinations of levels, more than a full-domain search looks at ({LARGEST:,}).",
            remedy="Give the hierarchies fewer levels, or ask for the multidimensional search.",
            nodes=nodes,
            largest=LARGEST,
        )
    search = _Search(tuples, levels, k=k, asked=asked, max_suppressed=max_suppressed, below=below)
    size = _THREADS if search.cells.bundles.shape[1] >= _WORTH else 1
    with ThreadPoolExecutor(size) as pool:
        for batch, done in itertools.chain(search.descent(size), search.candidates(size)):
            progress("full-domain search", done)
            # Bounds are taken in after all came back, in a fixed order: what is looked at doesn't hang on the clock.
            for seen in (
                list(pool.map(search.look, batch)) if size > 1 else [search.look(each) for each in batch]
            ):
                search.take(seen)
    return search.answer()


@dataclass(frozen=True)
class _Seen:
    """What a look at a node brought. need: persons that this and all finer nodes leave out at least. out, others: losses
    that leaving out adds, by dimension and level, of persons in M and of the rest; rows: how many rows those are.
    suppressed: persons left out, None when the look ended early, at k."""

    node: Node
    need: int
    rows: tuple[int, int]
    out: list[Longs]
    others: list[Longs]
    suppressed: int | None


@dataclass
class _Search:
    """The lattice as arrays with an axis for each dimension, and the best node so far."""

    tuples: Tuples
    levels: Sequence[Levels]
    k: int = field(kw_only=True)
    asked: Sequence[Asked] = field(kw_only=True)
    max_suppressed: int = field(kw_only=True)
    below: float | None = field(kw_only=True, default=None)
    evaluated: int = 0
    best: tuple[int, int, int] | None = None  # what is to be beaten: loss in steps, persons left out, rank
    best_node: Node | None = None

    def __post_init__(self) -> None:
        d = len(self.levels)
        if d != self.tuples.codes.shape[1]:
            raise InternalError("Each dimension needs its levels.")
        self.groups = [nested(each.groups) for each in self.levels]
        self.counts = [[int(at.max(initial=0)) + 1 for at in each] for each in self.groups]
        self.shape = tuple(len(each) for each in self.groups)
        sizes = [len(each[0]) for each in self.groups]
        self.cells: Cells = fold(self.tuples, sizes)
        self.total = int(self.tuples.weights.sum(dtype=np.int64))
        one = 1 << min(_BITS, 61 - (max(1, self.total) * max(1, d)).bit_length())
        self.whole = one * max(1, d)  # the loss of a row left out
        self.steps = [
            np.stack([np.rint(np.clip(loss, 0, 1) * one).astype(np.int64) for loss in each.losses])
            for each in self.levels
        ]
        self.offsets = np.append(
            0, np.cumsum([np.prod([sizes[j] for j in bundle], dtype=np.int64) for bundle in self.cells.dimensions])
        ).astype(np.int64)  # fmt: skip
        self.columns = [self._column(column) for column in sorted({each.column for each in self.asked})]
        self.general = self._outer(self._losses(self._marginals_of_all()), self.shape)
        self.bound = self.general.copy()
        self.need = np.zeros(self.shape, np.int64)
        self.done = np.zeros(self.shape, np.bool_)
        self.height = self._outer([np.arange(length) for length in self.shape], self.shape)
        self.by_height = np.argsort(self.height, axis=None, kind="stable")
        rank = np.empty(self.height.size, np.int64)
        rank[self.by_height] = np.arange(rank.size)
        self.rank = rank.reshape(self.shape)
        if self.below is not None:  # nobody left out and the first of all: what loses as much doesn't beat it
            self.best = (math.ceil(Fraction(self.below) * self.whole * self.total), -1, -1)

    def _column(self, column: int) -> tuple[Any, ...]:
        """What the kernel needs to ask the rules of one sensitive column."""
        rules = sorted(
            (each for each in self.asked if each.column == column), key=lambda each: each.rule not in MONOTONE
        )
        order = self.cells.order
        shares, known_share = self.tuples.everyone(column)
        return (
            np.ascontiguousarray(self.tuples.sensitive[order, column]),
            np.ascontiguousarray(self.tuples.known[order, column]),
            np.ascontiguousarray(self.tuples.counted[order, column]),
            shares,
            known_share,
            all(each.rule in SPARSE for each in rules),
            RULES,
            np.array([each.rule for each in rules], np.int64),
            np.array([each.limit for each in rules], np.float64),
            np.array([each.rule in MONOTONE for each in rules], np.bool_),
        )

    def _outer(self, parts: Sequence[Longs], shape: Node) -> Longs:
        """The sum of one entry of each part, for all combinations."""
        total = np.zeros(shape, np.int64)
        for j, part in enumerate(parts):
            total += part.reshape((-1,) + (1,) * (len(shape) - 1 - j))
        return total

    def _marginals_of_all(self) -> Longs:
        """Everyone's rows by joint code."""
        cells = self.cells
        found = np.zeros(int(self.offsets[-1]), np.int64)
        for q, joint in enumerate(cells.bundles):
            np.add.at(found, self.offsets[q] + joint.astype(np.int64), cells.rows)
            np.add.at(found, self.offsets[q] + joint[cells.roam_cells].astype(np.int64), cells.roam_rows)
        return found

    def _losses(self, marginals: Longs) -> list[Longs]:
        """Of rows given by joint code: what they lose in each dimension at each level, in steps."""
        found: list[Longs] = []
        for q, bundle in enumerate(self.cells.dimensions):
            table = marginals[self.offsets[q] : self.offsets[q + 1]].reshape(
                [self.steps[j].shape[1] for j in bundle]
            )
            for place, j in enumerate(bundle):
                others = tuple(axis for axis in range(len(bundle)) if axis != place)
                found.append(self.steps[j] @ (table.sum(axis=others) if others else table))
        return found

    def group(self, node: Node) -> Grouped:
        """The classes at a node."""
        picked = [self.groups[j][level] for j, level in enumerate(node)]
        return group(self.cells, picked, [self.counts[j][level] for j, level in enumerate(node)])

    def judge(self, grouped: Grouped, fate: npt.NDArray[np.uint8]) -> None:
        """Adds to the fates by k what the rules say."""
        for column in self.columns:
            judge_column(
                fate, grouped.at, grouped.persons, grouped.astride, self.cells.starts, self.cells.who, *column
            )

    def _left_out(self, grouped: Grouped, fate: npt.NDArray[np.uint8]) -> tuple[Longs, Longs]:
        cells = self.cells
        found: tuple[Longs, Longs] = left_out(
            cells.bundles, self.offsets, grouped.at, fate, grouped.persons, cells.heads, cells.rows, cells.roam,
            cells.roam_cells, cells.roam_rows, grouped.astride,
        )  # fmt: skip
        return found

    def look(self, node: Node) -> _Seen:
        """Groups a node and says what it and all finer nodes lose at least; asks the rules only if k leaves it a chance."""
        grouped = self.group(node)
        fate = fates(grouped.persons, self.k)
        totals, marginals = self._left_out(grouped, fate)
        judged = not self.columns
        if self.columns and totals[FAILS, 0] <= self.max_suppressed:
            out = self._losses(marginals[0])
            least = int(self.general[node]) + int(totals[FAILS, 1]) * self.whole - _at(out, node)
            if self.best is None or least <= self.best[0]:
                self.judge(grouped, fate)
                totals, marginals = self._left_out(grouped, fate)
                judged = True
        out = self._losses(marginals[0])
        others = self._losses(marginals[1]) if totals[FAILS_OTHER, 1] else []
        return _Seen(
            node=node,
            need=int(totals[FAILS, 0] + totals[FAILS_OTHER, 2]),
            rows=(int(totals[FAILS, 1]), int(totals[FAILS_OTHER, 1])),
            out=out,
            others=others,
            suppressed=int(totals[FAILS, 0] + totals[FAILS_OTHER, 0]) if judged else None,
        )

    def take(self, seen: _Seen) -> None:
        """Raises the bounds of all nodes below; keeps the node if it's the best so far."""
        node = seen.node
        self.evaluated += 1
        self.done[node] = True
        below = tuple(slice(0, level + 1) for level in node)
        shape = tuple(level + 1 for level in node)
        raised = self.general[below] + seen.rows[0] * self.whole
        raised -= self._outer([out[: level + 1] for out, level in zip(seen.out, node, strict=True)], shape)
        self.bound[below] = np.maximum(self.bound[below], raised)
        self.need[below] = np.maximum(self.need[below], seen.need)
        if seen.suppressed is None or seen.suppressed > self.max_suppressed:
            return
        loss = int(self.general[node]) + sum(seen.rows) * self.whole - _at(seen.out, node)
        found = (loss - (_at(seen.others, node) if seen.others else 0), seen.suppressed, int(self.rank[node]))
        if self.best is None or found < self.best:
            self.best, self.best_node = found, node

    def alive(self, nodes: Longs) -> npt.NDArray[np.bool_]:
        """Which nodes (flat numbers) may still be the answer and haven't been looked at."""
        need = self.need.ravel()[nodes]
        possible = ~self.done.ravel()[nodes] & (need <= self.max_suppressed)
        if self.best is None:
            return possible
        loss, persons, rank = self.best
        bound = self.bound.ravel()[nodes]
        first = (need < persons) | ((need == persons) & (self.rank.ravel()[nodes] < rank))
        found: npt.NDArray[np.bool_] = possible & ((bound < loss) | ((bound == loss) & first))
        return found

    def descent(self, size: int) -> Iterator[tuple[list[Node], float]]:
        """Batches of nodes from the top down, always on to the best child within the limit, while that is better."""
        node = tuple(length - 1 for length in self.shape)
        if not self._flat_alive(node):
            return
        yield [node], 0.0
        before = None
        while self.best is None or self.best != before:
            before = self.best
            node = node if self.best_node is None else self.best_node
            children = [(*node[:j], node[j] - 1, *node[j + 1 :]) for j in range(len(node)) if node[j]]
            queue = [child for child in children if self._flat_alive(child)]
            while queue:
                yield queue[:size], 0.0
                queue = [child for child in queue[size:] if self._flat_alive(child)]
            if self.best is None:
                return

    def _flat_alive(self, node: Node) -> bool:
        return bool(self.alive(np.array([np.ravel_multi_index(node, self.shape)]))[0])

    def candidates(self, size: int) -> Iterator[tuple[list[Node], float]]:
        """Batches of nodes that may still be the answer, from coarse to fine, lowest bound first, and how far that is.

        Nodes of one height are not below each other, so that within a height only the best loss so far can rule out more.
        """
        heights = self.height.ravel()[self.by_height]
        ends = np.searchsorted(heights, np.arange(int(heights[-1]) + 2))
        for height in range(int(heights[-1]), -1, -1):
            layer = self.by_height[ends[height] : ends[height + 1]]
            layer = layer[self.alive(layer)]
            queue = layer[np.lexsort((layer, self.bound.ravel()[layer]))]
            while len(queue):
                batch = [self._node(flat) for flat in queue[:size]]
                yield batch, 1 - ends[height] / self.height.size
                queue = queue[size:][self.alive(queue[size:])]

    def _node(self, flat: np.int64) -> Node:
        return tuple(int(level) for level in np.unravel_index(flat, self.shape))

    def answer(self) -> FullDomain | None:
        """The best node with its classes."""
        if self.best is None or self.best_node is None:
            return None
        grouped = self.group(self.best_node)
        fate = fates(grouped.persons, self.k)
        self.judge(grouped, fate)
        cells = self.cells
        kept_cells = fate[grouped.at] == KEPT
        slots, first, part = np.unique(grouped.at[kept_cells], return_index=True, return_inverse=True)
        rank = np.empty(len(slots), np.int32)
        rank[np.argsort(first)] = np.arange(len(slots))
        numbers = np.full(len(kept_cells), -1, np.int32)
        numbers[kept_cells] = rank[part]
        by_tuple = np.repeat(numbers, np.diff(cells.starts))
        if len(grouped.astride):
            by_tuple[(cells.who >= 0) & grouped.astride[cells.who]] = -1
        found = np.empty(len(cells.order), np.int32)
        found[cells.order] = by_tuple
        return FullDomain(
            node=self.best_node,
            loss=self.best[0] / (self.whole * self.total) if self.total else 0.0,
            suppressed=self.best[1],
            kept=found >= 0,
            part=found,
            evaluated=self.evaluated,
            nodes=self.height.size,
        )


def _at(losses: list[Longs], node: Node) -> int:
    return sum(int(loss[level]) for loss, level in zip(losses, node, strict=True))
