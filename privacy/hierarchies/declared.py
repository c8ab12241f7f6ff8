"""Leaves that the contract lists, in its order, and the names that its tree has for runs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.labels import Named
from privacy.hierarchies.leaves import Codes, Floats, Leaves, Step, numbered, placed
from privacy.hierarchies.values import is_day, is_number, places, readable

Node = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class Declared(Leaves):
    """The contract's leaves. nodes: (name, first, last) for runs of them, outer ones before those inside.

    in_order: the leaves' order means something, and there are no nodes.
    """

    nodes: tuple[Node, ...]
    in_order: bool

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, *, column: str) -> Declared:
        """values: distinct, without NULL. Raises PrivacyError when the hierarchy lacks some (how many, never which)."""
        if spec.unread:
            raise PrivacyError(
                f"The tree of `{column}`'s hierarchy stands in a file that isn't here.",
                remedy="Put the file beside the contract, as the contract's digest names it.",
                column=column,
            )
        try:
            names = pa.array(spec.leaves, pa.string()).cast(values.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise PrivacyError(
                f"The leaves of `{column}`'s hierarchy are not of the column's type ({values.type}).",
                remedy="Write each leaf as a value of that type.",
                column=column,
            ) from None
        lacking = len(values) - (pc.sum(pc.is_in(values, value_set=names)).as_py() or 0)
        if lacking:
            raise PrivacyError(
                f"The hierarchy of `{column}` lacks {lacking} of the values that came.",
                remedy="Add them to sluiceHierarchy, or let validation set their rows aside.",
                column=column,
                lacking=lacking,
            )
        low = places(names)
        # The contract's order counts: where it isn't that of the values, places are ranks.
        if not (is_number(values.type) or is_day(values.type)) or bool((np.diff(low) <= 0).any()):
            low = np.arange(len(names), dtype=np.float64)
        nodes = tuple(sorted(spec.nodes, key=lambda node: (node[1], -node[2])))
        return cls(names=names, low=low, high=low, nodes=nodes, in_order=spec.kind == "ordered")

    def find(self, values: pa.Array) -> Codes:
        """The place of each value in the contract's order."""
        return placed(values, self.names)

    def run(self, first: int, last: int) -> Named:
        """Named by the fewest nodes and leaves that make it up, else by its ends."""
        names, covers = self.runs(np.array([first], np.int32), np.array([last], np.int32))
        return Named(names[0].as_py(), float(covers[0]))

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        named = self._made_up(first, last) if self.nodes else self._by_ends(first, last)
        return named, self.between(first, last)

    def steps(self) -> Iterator[Step]:
        """Of a tree by height: a leaf stands at its highest ancestor whose height is at most the level, so that a short
        branch waits until its level is reached. Of an order runs of 2, 4, 8, ... leaves.
        """
        if self.nodes:
            heights = _heights(self.nodes)
            for height in range(1, max(heights) + 1):
                yield self._cut(
                    [node for node, own in zip(self.nodes, heights, strict=True) if own <= height]
                )
        elif self.in_order:
            width = 2
            while width < len(self.names):
                groups, first, last = numbered(np.arange(len(self.names)) // width)
                names = [
                    self.run(a, b).label if a < b else self._texts[a]
                    for a, b in zip(first.tolist(), last.tolist(), strict=True)
                ]
                yield Step(groups=groups, names=names, shares=self.between(first, last))
                width *= 2

    def _cut(self, nodes: Sequence[Node]) -> Step:
        """The level of the outermost of these nodes; leaves under none of them stay as they are."""
        owner, names, until = np.arange(len(self.names)), self._texts.copy(), -1
        for name, begin, end in nodes:
            if begin > until:
                owner[begin : end + 1], names[begin], until = begin, name, end
        groups, first, last = numbered(owner)
        named = [names[at] for at in first.tolist()]
        return Step(groups=groups, names=named, shares=self.between(first, last))

    def _by_ends(self, first: Codes, last: Codes) -> pa.Array:
        texts = pa.array(self._texts, pa.string())
        return pc.binary_join_element_wise(texts.take(pa.array(first)), texts.take(pa.array(last)), "..")

    def _made_up(self, first: Codes, last: Codes) -> pa.Array:
        """The widest node that fits stands at each place, a leaf where none does."""
        names, ends, keys = self._nodes
        leaves = len(self.names)
        runs, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        run, at = np.arange(len(first)), first.astype(np.int64)
        while len(run):
            node = np.searchsorted(keys, at * leaves + (leaves - 1 - last[run]))
            runs.append(run)
            found.append(node)
            goes_on = ends[node] < last[run]
            run, at = run[goes_on], ends[node[goes_on]] + 1
        run, node = np.concatenate(runs), np.concatenate(found)
        offsets = np.append(0, np.cumsum(np.bincount(run, minlength=len(first))))
        texts = names.take(pa.array(node[np.argsort(run, kind="stable")]))
        parts = pa.LargeListArray.from_arrays(pa.array(offsets), texts)
        return pc.binary_join(parts, " | ")

    @cached_property
    def _texts(self) -> list[str]:
        """(n,) what each leaf is called."""
        return list(map(str, readable(self.names)))

    @cached_property
    def _nodes(self) -> tuple[pa.Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Nodes, and leaves as nodes of themselves, by where they begin, wider ones first: their names, their last leaves, and
        numbers in that order (first leaf, leaves that are missing after the last one)."""
        leaves = len(self.names)
        nodes = [*self.nodes, *((text, at, at) for at, text in enumerate(self._texts))]
        first, last = (np.array([node[place] for node in nodes], np.int64) for place in (1, 2))
        keys = first * leaves + (leaves - 1 - last)
        order = np.argsort(keys, kind="stable")
        return pa.array([nodes[at][0] for at in order.tolist()], pa.string()), last[order], keys[order]


def _heights(nodes: Sequence[Node]) -> list[int]:
    """The height of each node, 1 over leaves alone. nodes: outer ones before those inside."""
    heights, above = [1] * len(nodes), list[int]()
    for at, (_, first, last) in enumerate(nodes):
        while above and not (nodes[above[-1]][1] <= first and last <= nodes[above[-1]][2]):
            above.pop()
        for depth, outer in enumerate(reversed(above), 2):
            heights[outer] = max(heights[outer], depth)
        above.append(at)
    return heights
