"""How the values of one quasi-identifier are ordered, coded and named when they are coarsened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.protection import HierarchySpec
from core.errors import PrivacyError
from privacy.hierarchies.built import Built
from privacy.hierarchies.dates import Dates
from privacy.hierarchies.declared import Declared
from privacy.hierarchies.intervals import Intervals
from privacy.hierarchies.leaves import Codes, Leaves
from privacy.hierarchies.natural import Natural
from privacy.hierarchies.prefixes import Prefixes
from privacy.hierarchies.values import finite, plain, readable

MISSING = "(missing)"
ALL = "*"


_DIGITS = 9  # what a division by another scale leaves in the last ones would tell of it


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What of a hierarchy is shown. positions, ends: (n,) the stretch from 0 to 1 that each leaf covers. factor: of a stretch on the
    column's own scale. nullable: the last leaf is NULL's. first, last: of the leaves shown; top: the last of them but NULL's.
    """

    positions: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    factor: float
    nullable: bool
    first: int
    top: int
    last: int

    def loss(
        self, of_own: npt.NDArray[np.float64], runs: tuple[Codes, Codes] | None
    ) -> npt.NDArray[np.float64]:
        """What labels lose, (labels,), from what they lose on the column's own scale. runs: the first and the last leaf of each;
        None: each is all, or holds no NULL beside others."""
        if self.factor == 1.0:
            return of_own
        told = np.where(of_own >= 1.0, 1.0, np.minimum(np.round(of_own * self.factor, _DIGITS), 1.0))
        if runs is not None and self.nullable:
            low, high = runs
            last = len(self.ends) - 1
            mixed = (high == last) & (low < last)
            told[mixed] = np.maximum(self.ends[high] - self.positions[low], 0.0)[mixed]
        return np.asarray(told, np.float64)


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """The leaves of one quasi-identifier in the order in which they may be merged; a class is a run of leaves.

    leaves: (n,) Arrow array, the last is null when `nullable`; values, or the names of groups of values: `20..24` holds
    whole numbers from 20 to 24, `20..25` numbers from 20 to below 25, `2026-03`, `2026-Q1`, `2026` and `2020s` days, `10*`
    texts that begin with 10 however long they are; for those built from the data see `built`.
    positions, ends: (n,) the stretch of the column's scale, from 0 to 1, that each leaf covers: a point for a single
    value. By value for numbers and dates, by rank otherwise. A run of leaves covers ends[last] - positions[first].
    grouped: what the leaves other than NULL's are, and how they go together.
    NULL is a leaf of its own, after the others, and is called `(missing)`: a label, because many tools drop or trip over
    NULLs when they group.
    """

    leaves: pa.Array
    positions: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    nullable: bool
    kind: pa.DataType
    grouped: Leaves = field(repr=False)

    @classmethod
    def of(
        cls,
        spec: HierarchySpec,
        values: pa.ChunkedArray | pa.Array,
        *,
        column: str,
        counts: npt.NDArray[np.int64] | None = None,
    ) -> Hierarchy:
        """The hierarchy of a column's `values`, which may repeat.

        counts: (values,) how many persons have each, where groups are built from the data; 1 where None.
        Raises PrivacyError when a declared hierarchy lacks some of them (how many, never which), when they are not of
        the type that the hierarchy is for, or are no finite numbers.
        """
        values = plain(values)
        if pa.types.is_null(values.type):
            values = values.cast(pa.string())
        distinct, weights = _distinct(values, counts if spec.kind == "built" else None)
        nullable = distinct.null_count > 0
        if nullable:
            there = distinct.is_valid()
            weights = weights[there.to_numpy(zero_copy_only=False)]
            distinct = distinct.drop_null()
        grouped = _grouped(spec, finite(distinct, column=column), weights, column=column)
        leaves = grouped.names
        if nullable:
            leaves = pa.concat_arrays([leaves, pa.nulls(1, leaves.type)])
        positions, ends = _scale(grouped, nullable=nullable)
        return cls(
            leaves=leaves,
            positions=positions,
            ends=ends,
            nullable=nullable,
            kind=distinct.type,
            grouped=grouped,
        )

    def __len__(self) -> int:
        return len(self.leaves)

    def lookup(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """The code of each of some distinct values, (n,) int32. Raises PrivacyError where one has no leaf."""
        return _every(self._codes(values))

    def encode(self, values: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int32]:
        """The code of each value, (rows,) int32. Raises PrivacyError where one has no leaf."""
        chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
        return np.concatenate([np.empty(0, np.int32), *map(self._encoded, chunks)])

    def _encoded(self, values: pa.Array) -> npt.NDArray[np.int32]:
        whole = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        of_value = self._codes(whole.dictionary)  # entries that no row has may lie beyond the hierarchy
        missing = len(self) - 1 if self.nullable else -1
        indices = whole.indices.fill_null(len(of_value)).to_numpy(zero_copy_only=False)
        return _every(np.append(of_value, np.int32(missing))[indices])

    def _codes(self, values: pa.Array) -> npt.NDArray[np.int32]:
        """The code of each of some distinct values, -1 where there is none."""
        values = plain(values)
        if values.type != self.kind:
            try:
                values = values.cast(self.kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise PrivacyError(
                    f"Values of type {values.type} have no place in a hierarchy of {self.kind}.",
                    remedy="Validate the table first.",
                ) from None
        codes = np.full(len(values), -1, np.int32)
        if self.nullable:
            codes[values.is_null().to_numpy(zero_copy_only=False)] = len(self) - 1
        # What isn't finite has no leaf, and no group could be computed for it.
        there = (
            pc.is_finite(values).fill_null(False) if pa.types.is_floating(values.type) else values.is_valid()
        )
        codes[there.to_numpy(zero_copy_only=False)] = self.grouped.find(values.filter(there))
        return codes

    def shown(self, codes: npt.NDArray[Any]) -> Scale:
        """The scale over the leaves that some codes name, as if there were no others: one that is made of the data tells by its ends
        of those who aren't shown. A scale that the contract declares stays as it is."""
        if isinstance(self.grouped, Declared) or not len(codes):
            return self._all
        first, last = int(codes.min()), int(codes.max())
        beside = self.nullable and last == len(self) - 1
        top, count = last, 0
        if beside:  # how many others there are says how far from them NULL stands
            marked = np.zeros(len(self), np.bool_)
            marked[codes] = True
            own = np.flatnonzero(marked[:-1])
            top, count = int(own[-1]) if len(own) else first, len(own)
        if (first, last) == (0, len(self) - 1) and count in (0, len(self) - 1):
            return self._all
        low = float(self.positions[first])
        stretch = float(self.ends[top]) - low
        whole = _beside_missing(count, stretch) if beside else 1.0
        factor = whole / stretch if stretch else 1.0
        positions, ends = (
            np.clip(np.round((each - low) * factor, _DIGITS), 0.0, whole)
            for each in (self.positions, self.ends)
        )
        if self.nullable:
            positions[-1] = ends[-1] = 1.0
        return Scale(
            positions=positions,
            ends=ends,
            factor=factor,
            nullable=self.nullable,
            first=first,
            top=top,
            last=last,
        )

    @property
    def _all(self) -> Scale:
        last = len(self) - 1
        return Scale(
            positions=self.positions,
            ends=self.ends,
            factor=1.0,
            nullable=self.nullable,
            first=0,
            top=last - self.nullable,
            last=last,
        )

    @property
    def whole(self) -> float:
        """The share of the scale that the leaves other than NULL's cover together."""
        last = len(self) - 1 - self.nullable
        return float(self.ends[last]) if last >= 0 else 0.0

    def labels(self, first: Sequence[int], last: Sequence[int]) -> pa.DictionaryArray:
        """The labels of many runs as a dictionary array of strings."""
        return self.runs(np.asarray(first, np.int32), np.asarray(last, np.int32))[0].dictionary_encode()

    def loss(self, first: Sequence[int], last: Sequence[int]) -> npt.NDArray[np.float64]:
        """Normalised certainty penalty of many runs of leaves: 0 for a value, 1 for all. Source: Xu et al. 2006."""
        return self.runs(np.asarray(first, np.int32), np.asarray(last, np.int32))[1]

    def runs(
        self, first: Codes, last: Codes, shown: Scale | None = None
    ) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        """What many runs of leaves are called, and the shares of the scale that the names cover.

        shown: what is shown at all; a run is called as if there were no other leaves, whose values its name would tell.
        """
        seen = shown or self._all
        mixed = self.nullable & (last == len(self) - 1) & (first < last)
        top = np.where(mixed, np.maximum(first, seen.top), last).astype(np.int32)
        single = first == last
        whole = (first <= seen.first) & (last >= seen.last) & ~single
        wide = (first < top) & ~whole
        place = np.empty(len(first), np.int64)
        losses = np.empty(len(first), np.float64)
        names: list[pa.Array] = []
        known = 0
        beside = ~(single | whole | wide)  # one leaf and NULL's
        for chosen, named in (
            (single, self._singles),
            (wide, self._wide),
            (beside, self._beside),
            (whole, self._wholes),
        ):
            at = np.flatnonzero(chosen)
            told, losses[at] = named(first[at], top[at], last[at])
            names.append(told)
            place[at] = known + np.arange(len(at))
            known += len(at)
        return pa.concat_arrays(names).take(pa.array(place)), losses

    def _singles(self, first: Codes, top: Codes, last: Codes) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        """Runs of one leaf."""
        texts = readable(self.leaves.take(pa.array(first)))
        names = pa.array([MISSING if text is None else str(text) for text in texts], pa.string())
        return names, self.ends[last] - self.positions[first]

    def _wide(self, first: Codes, top: Codes, last: Codes) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        """Runs of some leaves beside NULL's, which may be among them."""
        missing = self.nullable & (last == len(self) - 1)
        names, covers = self.grouped.runs(first, top)
        if missing.any():
            names = pc.if_else(pa.array(missing), pc.binary_join_element_wise(names, MISSING, " | "), names)
        return names, np.maximum(self.ends[last] - self.positions[first], covers * self.whole)

    def _beside(self, first: Codes, top: Codes, last: Codes) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        """Runs of one leaf and NULL's."""
        names, _ = self._singles(first, top, first)
        return pc.binary_join_element_wise(names, MISSING, " | "), self.ends[last] - self.positions[first]

    def _wholes(self, first: Codes, top: Codes, last: Codes) -> tuple[pa.Array, npt.NDArray[np.float64]]:
        """Runs of all leaves."""
        return pa.repeat(pa.scalar(ALL), len(first)), np.ones(len(first))


def _distinct(values: pa.Array, counts: npt.NDArray[np.int64] | None) -> tuple[pa.Array, npt.NDArray[Any]]:
    """Each value once, NULL too, and its weight."""
    if counts is None:
        distinct = values.unique()
        return distinct, np.ones(len(distinct), np.int64)
    if len(counts) != len(values):
        raise ValueError("one count for each value")
    encoded = values.dictionary_encode(null_encoding="encode")
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    weights = np.bincount(indices, weights=counts, minlength=len(encoded.dictionary))
    return encoded.dictionary, weights


def _grouped(spec: HierarchySpec, values: pa.Array, weights: npt.NDArray[Any], *, column: str) -> Leaves:
    """The leaves of distinct values without NULL."""
    if spec.kind == "intervals":
        return Intervals.of(spec, values, column=column)
    if spec.kind == "dates":
        return Dates.of(spec, values, column=column)
    if spec.kind == "prefix":
        return Prefixes.of(spec, values, column=column)
    if spec.kind == "built":
        return Built.of(spec, values, weights, column=column)
    if spec.kind == "natural":
        return Natural.of(values, column=column)
    return Declared.of(spec, values, column=column)


def _every(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    if (codes < 0).any():
        raise PrivacyError("A value has no place in its hierarchy.", remedy="Validate the table first.")
    return codes


def _beside_missing(count: int, stretch: float) -> float:
    """What is left of a scale for so many leaves where NULL stands one mean step after the last."""
    return 1 / (1 + 1 / max(1, count - 1)) if stretch else 0.0


def _scale(leaves: Leaves, *, nullable: bool) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where each leaf begins and ends, from 0 to 1; NULL stands one mean step after the last."""
    count = len(leaves.names)
    if count == 0:
        nothing = np.zeros(1 if nullable else 0, np.float64)
        return nothing, nothing
    begins, ends = leaves.share(leaves.low[0], leaves.low), leaves.share(leaves.low[0], leaves.high)
    if nullable:
        shrunk = _beside_missing(count, ends[-1])
        begins, ends = np.append(begins * shrunk, 1.0), np.append(ends * shrunk, 1.0)
    return begins, ends
