"""Rows of facts as a reader sees them, and what attackers of several kinds single out there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import PrivacyError
from core.parquet import batches
from core.progress import Progress, silent
from privacy.facts.coded import ranked, together
from privacy.facts.unicity import Share, Unicity, unicity
from privacy.measures.written import whole
from privacy.subjects.encode import Encoder
from privacy.subjects.grouping import distinct, packed

_Codes = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What attackers single out. whole: who knows all columns of a fact. by_column: who knows one of them, where there are
    several."""

    whole: Unicity
    by_column: Mapping[str, Unicity]

    def strongest(self, points: int) -> tuple[str | None, Share]:
        """Who singles out most by so many points, by the upper end: the column that he knows, None for all; and the share."""
        kinds = [(None, self.whole), *self.by_column.items()]
        shares = [(kind, found.shares[points - 1]) for kind, found in kinds]
        return max(shares, key=lambda item: item[1].high)


@dataclass(frozen=True)
class Seen:
    """A written table of rows. trace_of_row: (rows,) places in `pseudonyms`, which are in order. owner, period: (traces,) whose
    each is, and of when. columns: (rows,) codes of each fact column that stays."""

    pseudonyms: pa.Array
    trace_of_row: npt.NDArray[np.int32]
    owner: npt.NDArray[np.int32]
    period: npt.NDArray[np.int32]
    columns: Mapping[str, _Codes]


def seen(
    path: Path,
    *,
    unit: str,
    columns: Sequence[str],
    owner_of_row: npt.NDArray[np.int32],
    period_of_row: npt.NDArray[np.int32],
) -> Seen:
    """The written rows, read back. owner_of_row, period_of_row: (rows,) what no reader is told, in the order as written.

    Raises PrivacyError when a pseudonym is two persons', or lasts longer than its period.
    """
    encoders = {name: Encoder() for name in (unit, *columns)}
    for batch in batches(whole(path), list(encoders)):
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
    values, codes = encoders.pop(unit).finish()
    sorted_at = pc.sort_indices(values).to_numpy() if len(values) else np.empty(0, np.int64)
    place = np.empty(len(values), np.int32)
    place[sorted_at] = np.arange(len(values), dtype=np.int32)
    trace_of_row = place[codes]
    owner, period = np.zeros((2, len(values)), np.int32)
    owner[trace_of_row], period[trace_of_row] = owner_of_row, period_of_row
    if (
        (codes < 0).any()
        or (owner[trace_of_row] != owner_of_row).any()
        or (period[trace_of_row] != period_of_row).any()
    ):
        raise PrivacyError(
            f"The pseudonyms in `{unit}` as written are not those of one person and period each.",
            remedy="Report this: it's a defect.",
        )
    return Seen(
        pseudonyms=values.take(pa.array(sorted_at)),
        trace_of_row=trace_of_row,
        owner=owner,
        period=period,
        columns={name: ranked(encoder.finish()) for name, encoder in encoders.items()},
    )


class Attackers:
    """What those who know facts of a person single out. `group` tells candidates apart: (traces,) the period of each, or
    its class in the subject table. key: 32 bytes that the draws are made by."""

    def __init__(self, written: Seen, *, group: npt.NDArray[np.int32], key: bytes) -> None:
        self._written, self._key = written, key
        self._group_of_row = group[written.trace_of_row]

    def measured(self, *, without: str | None = None, progress: Progress = silent) -> Found:
        """Unicity for each kind of attacker; as if the column `without` weren't there."""
        columns = {name: codes for name, codes in self._written.columns.items() if name != without}
        progress("unicity", 0.0)
        whole, by_column = self._unicity(list(columns.values())), {}
        for number, (name, codes) in enumerate(columns.items() if len(columns) > 1 else ()):
            progress("unicity", (number + 1) / (len(columns) + 1))
            by_column[name] = self._unicity([codes])
        return Found(whole=whole, by_column=by_column)

    def most_telling(self, points: int) -> tuple[str, float]:
        """The column without which the strongest attacker would single out least by so many points, and the share then."""
        least = {
            name: self.measured(without=name).strongest(points)[1].share for name in self._written.columns
        }
        return min(least.items(), key=lambda item: item[1])

    def _unicity(self, known: Sequence[_Codes]) -> Unicity:
        return unicity(
            together([self._group_of_row, *known]),
            self._written.trace_of_row,
            owners=self._written.owner,
            key=self._key,
        )


def classes_of(written: Seen, subjects: Path, *, unit: str, shown: Sequence[str]) -> npt.NDArray[np.int32]:
    """(traces,) the class of each pseudonym in the written subject table, one more for those that aren't there.

    shown: the columns that make a class.
    """
    encoders = {name: Encoder() for name in (unit, *shown)}
    for batch in batches(whole(subjects), list(encoders)):
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
    values, codes = encoders.pop(unit).finish()
    coded = [encoder.finish() for encoder in encoders.values()]
    words = packed([each for _, each in coded], [len(each) for each, _ in coded])
    of_row, first = distinct(words) if words else (np.zeros(len(codes), np.int32), np.zeros(1, np.int64))
    of_value = np.full(len(values) + 1, len(first), np.int32)
    of_value[codes] = of_row  # all rows of a person stand in one class
    of_value[-1] = len(first)
    if not len(values):
        return np.zeros(len(written.pseudonyms), np.int32)
    places = pc.index_in(written.pseudonyms, value_set=values).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(of_value[places], np.int32)
