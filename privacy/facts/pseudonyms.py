"""Pseudonyms of a column that may change from period to period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.facts.coded import Coded
from privacy.subjects.grouping import distinct
from privacy.transforms.pseudonym import pseudonymize


@dataclass(frozen=True)
class Named:
    """names: a pseudonym for each pair of a value and a period that occurs. of_row: (rows,) places among them, -1 for NULL."""

    names: pa.Array
    of_row: npt.NDArray[np.int32]


def named(column: Coded, period_of_row: npt.NDArray[np.int32], keys: Sequence[bytes]) -> Named:
    """Each row's pseudonym under the key of its period. keys: by period, 32 bytes each."""
    values, codes = column
    known = codes >= 0
    of_row = np.full(len(codes), -1, np.int32)
    pairs = period_of_row[known].astype(np.int64) * max(1, len(values)) + codes[known]
    number, first = distinct([pairs])
    period, value = pairs[first] // max(1, len(values)), pairs[first] % max(1, len(values))
    order = np.argsort(period, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    of_row[known] = place[number]
    cuts = np.searchsorted(period[order], np.arange(len(keys) + 1))
    parts = [
        pseudonymize(values.take(pa.array(value[order[start:end]])), key)
        for key, start, end in zip(keys, cuts[:-1], cuts[1:], strict=True)
    ]
    whole = pa.chunked_array(parts, pa.binary(16)).combine_chunks()
    return Named(names=whole, of_row=of_row)
