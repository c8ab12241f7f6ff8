"""Numbers in runs of the contract's widths: 20..24 of whole numbers, 20..25 of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.grid import Grid
from privacy.hierarchies.labels import Named, number_namer, written
from privacy.hierarchies.leaves import Codes, Floats, Leaves, Step, found, numbered
from privacy.hierarchies.values import is_number


@dataclass(frozen=True, kw_only=True)
class Intervals(Leaves):
    """Runs of the finest width in which there are values. keys: (n,) their numbers. grids: by width, from fine to coarse.

    single: the finest width is the least step of the column's type, so that each leaf is one value.
    """

    keys: npt.NDArray[Any]
    grids: tuple[Grid, ...]
    single: bool

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, *, column: str) -> Intervals:
        """values: distinct, without NULL."""
        kind = values.type
        if not is_number(kind):
            raise PrivacyError(
                f"`{column}` holds no numbers ({kind}), so it can't be coarsened by intervals.",
                remedy="Use a hierarchy of another kind: dates, prefix, ordered or tree.",
                column=column,
            )
        grids = tuple(Grid.of(kind, width, spec.origin) for width in spec.widths)
        keys = np.unique(grids[0].keys(values))
        names, edges = grids[0].described(keys.tolist())
        least = Decimal(1).scaleb(-kind.scale) if pa.types.is_decimal(kind) else Decimal(grids[0].whole)
        return cls(
            names=pa.array(names, pa.string()),
            low=edges[:, 0].copy(),
            high=edges[:, 1].copy(),
            keys=keys,
            grids=grids,
            single=spec.widths[0] <= least,
        )

    def find(self, values: pa.Array) -> Codes:
        """The run that each value is in."""
        return found(self.keys, self.grids[0].keys(values))

    def run(self, first: int, last: int) -> Named:
        """Named by its outer edges, which the contract draws; where leaves are single values, by round ones."""
        a, b = int(self.keys[first]), int(self.keys[last])
        if self.single:
            bottom, top = self.grids[0].edges(int(self.keys[0]), int(self.keys[-1]))
            low, high = self.grids[0].edges(a, b)
            return number_namer(bottom, top, whole=self.grids[0].whole)(low, high)
        return Named(self.grids[0].name(a, b), float(self.between(first, last)))

    def runs(self, first: Codes, last: Codes) -> tuple[pa.Array, Floats]:
        """What `run` says of each."""
        if self.single:
            return super().runs(first, last)
        edges = [self.grids[0].edges(key, key) for key in map(int, self.keys)]
        ends = (
            pa.array([written(edge[side]) for edge in edges], pa.string()).take(pa.array(at))
            for side, at in ((0, first), (1, last))
        )
        return pc.binary_join_element_wise(*ends, ".."), self.between(first, last)

    def steps(self) -> Iterator[Step]:
        """The wider widths."""
        for grid in self.grids[1:]:
            keys = self.keys // int(grid.width / self.grids[0].width)
            groups, first, last = numbered(keys)
            names, edges = grid.described(keys[first].tolist())
            yield Step(
                groups=groups,
                names=names,
                shares=np.maximum(self.share(edges[:, 0], edges[:, 1]), self.between(first, last)),
            )
