"""How the values of one quasi-identifier are ordered, coded and named when they are coarsened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import HierarchySpec
from core.errors import PrivacyError
from privacy.labels import Named, Namer, day_namer, number_namer, text_namer

MISSING = "(missing)"
ALL = "*"


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """The leaves of one quasi-identifier in the order in which they may be merged; a class is a run of leaves.

    leaves: (n,) Arrow array, the last is null when `nullable`. positions: (n,) places on a scale from 0 to 1, by value for
    numbers and dates, by rank otherwise. nodes: names for runs of leaves, (name, first, last), where the contract
    declares leaves; natural: names runs where it doesn't.
    NULL is a leaf of its own, after the others, and is called `(missing)`: a label, because many tools drop or trip over
    NULLs when they group.
    """

    leaves: pa.Array
    positions: npt.NDArray[np.float64]
    nullable: bool
    nodes: tuple[tuple[str, int, int], ...] = ()
    natural: Namer | None = None
    _named: dict[tuple[int, int], Named] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, spec: HierarchySpec, values: pa.Array, *, column: str) -> Hierarchy:
        """The hierarchy of a column's distinct `values`.

        Raises PrivacyError when a declared hierarchy lacks some of them (how many, never which).
        """
        values = values.unique()
        nullable = values.null_count > 0
        present = values.drop_null()
        if spec.kind == "natural":
            leaves = present.take(pc.sort_indices(present))
        else:
            try:
                leaves = pa.array(spec.leaves, pa.string()).cast(present.type)
            except pa.ArrowInvalid:
                raise PrivacyError(
                    f"The leaves of `{column}`'s hierarchy are not of the column's type ({present.type}).",
                    remedy="Write each leaf as a value of that type.",
                    column=column,
                ) from None
            lacking = (
                len(present) - pc.sum(pc.is_in(present, value_set=leaves)).as_py() if len(present) else 0
            )
            if lacking:
                raise PrivacyError(
                    f"The hierarchy of `{column}` lacks {lacking} of the values that came.",
                    remedy="Add them to sluiceHierarchy, or let validation set their rows aside.",
                    column=column,
                    lacking=lacking,
                )
        scale = _scale(leaves, nullable=nullable)
        if nullable:
            leaves = pa.concat_arrays([leaves, pa.nulls(1, leaves.type)])
        natural = _namer(leaves.drop_null()) if spec.kind == "natural" else None
        return cls(leaves=leaves, positions=scale, nullable=nullable, nodes=spec.nodes, natural=natural)

    def __len__(self) -> int:
        return len(self.leaves)

    def encode(self, values: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int32]:
        """The code of each value, (rows,) int32; every value must be a leaf."""
        codes = pc.index_in(values, value_set=self.leaves)
        if codes.null_count:
            raise PrivacyError("A value has no place in its hierarchy.", remedy="Validate the table first.")
        return np.asarray(codes.to_numpy(zero_copy_only=False) if isinstance(codes, pa.Array) else codes.to_numpy(),
                          dtype=np.int32)  # fmt: skip

    def named(self, first: int, last: int) -> Named:
        """What a run of leaves [first, last] is called, and the share of the whole that the name covers."""
        if (first, last) not in self._named:
            self._named[first, last] = self._name(first, last)
        return self._named[first, last]

    def _name(self, first: int, last: int) -> Named:
        if first == last:
            return Named(_text(self.leaves[first].as_py()), 0.0)
        if first == 0 and last == len(self) - 1:
            return Named(ALL, 1.0)
        top = last - 1 if self.nullable and last == len(self) - 1 else last
        missing = [MISSING] if top != last else []
        covers = float(self.positions[last] - self.positions[first])
        if first == top:
            parts = [_text(self.leaves[first].as_py())]
        elif self.natural is not None:
            named = self.natural(self.leaves[first].as_py(), self.leaves[top].as_py())
            parts, covers = [named.label], max(covers, named.covers)
        else:
            exact = [name for name, low, high in self.nodes if (low, high) == (first, top)]
            parts = exact[:1] or (self._cover(first, top) if self.nodes else [self._run(first, top)])
        return Named(" | ".join(parts + missing), covers)

    def _run(self, first: int, last: int) -> str:
        if first == last:
            return _text(self.leaves[first].as_py())
        return f"{_text(self.leaves[first].as_py())}..{_text(self.leaves[last].as_py())}"

    def _cover(self, first: int, last: int) -> list[str]:
        """The fewest nodes and leaves that make up the run, in order (largest node that fits at each place)."""
        parts, at = [], first
        while at <= last:
            fitting = [node for node in self.nodes if node[1] == at and node[2] <= last]
            if fitting:
                name, _, high = max(fitting, key=lambda node: node[2])
                parts.append(name)
                at = high + 1
            else:
                parts.append(_text(self.leaves[at].as_py()))
                at += 1
        return parts

    def labels(self, first: Sequence[int], last: Sequence[int]) -> pa.DictionaryArray:
        """The labels of many runs as a dictionary array of strings."""
        names = [self.named(a, b).label for a, b in zip(first, last, strict=True)]
        return pa.array(names, pa.string()).dictionary_encode()

    def loss(self, first: Sequence[int], last: Sequence[int]) -> npt.NDArray[np.float64]:
        """Normalised certainty penalty of many runs of leaves: 0 for a leaf, 1 for all. Source: Xu et al. 2006."""
        return np.array([self.named(a, b).covers for a, b in zip(first, last, strict=True)], np.float64)


def _namer(leaves: pa.Array) -> Namer | None:
    """How runs of these values, in their natural order, are named; None where there are fewer than two."""
    if len(leaves) < 2:
        return None
    kind, lowest, highest = leaves.type, leaves[0].as_py(), leaves[-1].as_py()
    if pa.types.is_temporal(kind):
        return day_namer(lowest, highest)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return text_namer(leaves.to_pylist())
    return number_namer(lowest, highest, whole=not (pa.types.is_floating(kind) or pa.types.is_decimal(kind)))


def _text(value: Any) -> str:
    return MISSING if value is None else str(value)


def _scale(leaves: pa.Array, *, nullable: bool) -> npt.NDArray[np.float64]:
    """Places of the leaves from 0 to 1; NULL stands one mean step after the last."""
    count = len(leaves)
    if count == 0:
        return np.zeros(1 if nullable else 0, np.float64)
    if (
        pa.types.is_integer(leaves.type)
        or pa.types.is_floating(leaves.type)
        or pa.types.is_decimal(leaves.type)
    ):
        places = leaves.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
    elif pa.types.is_temporal(leaves.type):
        places = np.asarray(leaves.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(), dtype=np.float64)
    else:
        places = np.arange(count, dtype=np.float64)
    largest = np.abs(places).max()
    places = (
        places / largest if largest > 0 else places
    )  # first, so that no difference of two large ones overflows
    places = places - places[0]
    if nullable:
        step = places[-1] / (count - 1) if count > 1 else 1.0
        places = np.append(places, places[-1] + step)
    return np.asarray(places / places[-1] if places[-1] > 0 else places, np.float64)
