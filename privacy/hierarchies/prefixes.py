"""Texts by what they begin with: `10*` for all that begin with 10, however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.labels import Named, Namer, text_namer
from privacy.hierarchies.leaves import Codes, Leaves, Step, numbered, placed
from privacy.hierarchies.values import is_text, ordered


@dataclass(frozen=True, kw_only=True)
class Prefixes(Leaves):
    """Beginnings of the longest length. keys: (n,) those, in code point order. Places are ranks among the values.

    A leaf is called by its beginning and `*`, which doesn't tell how long the rest is; by the beginning alone where that
    is the whole of the only text in it. whole: (n,) marks these. lengths: in characters, from long to short.
    """

    keys: pa.Array
    whole: npt.NDArray[np.bool_]
    lengths: tuple[int, ...]
    namer: Namer = field(compare=False)

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, *, column: str) -> Prefixes:
        """values: distinct, without NULL."""
        if not is_text(values.type):
            raise PrivacyError(
                f"`{column}` holds no texts ({values.type}), so it can't be coarsened by what they begin with.",
                remedy="Use a hierarchy of another kind: intervals, dates, ordered or tree.",
                column=column,
            )
        values = ordered(values.cast(pa.large_string()))
        _, first, last = numbered(pc.utf8_slice_codeunits(values, 0, spec.lengths[0]))
        keys = pc.utf8_slice_codeunits(values.take(pa.array(first)), 0, spec.lengths[0])
        short = pc.equal(keys, values.take(pa.array(first))).to_numpy(zero_copy_only=False)
        whole = np.asarray(short & (first == last), np.bool_)
        return cls(
            names=_named(keys, whole),
            low=first.astype(np.float64),
            high=last.astype(np.float64),
            keys=keys,
            whole=whole,
            lengths=spec.lengths,
            namer=text_namer(values.to_pylist()),
        )

    def find(self, values: pa.Array) -> Codes:
        """The beginning of each value."""
        return placed(pc.utf8_slice_codeunits(values.cast(pa.large_string()), 0, self.lengths[0]), self.keys)

    def run(self, first: int, last: int) -> Named:
        """Named by what all of it begins with."""
        named = self.namer(self.keys[first].as_py(), self.keys[last].as_py())
        return Named(named.label, max(named.covers, float(self.between(first, last))))

    def steps(self) -> Iterator[Step]:
        """The shorter lengths."""
        sizes = pc.utf8_length(self.keys).to_numpy(zero_copy_only=False)
        for length in self.lengths[1:]:
            shorter = pc.utf8_slice_codeunits(self.keys, 0, length)
            groups, first, last = numbered(shorter)
            whole = (first == last) & self.whole[first] & (sizes[first] <= length)
            names = _named(shorter.take(pa.array(first)), whole)
            yield Step(groups=groups, names=names.to_pylist(), shares=self.between(first, last))


def _named(keys: pa.Array, whole: npt.NDArray[np.bool_]) -> pa.Array:
    masked = pc.binary_join_element_wise(keys, pa.scalar("*", keys.type), pa.scalar("", keys.type))
    return pc.if_else(pa.array(whole), keys, masked).cast(pa.string())
