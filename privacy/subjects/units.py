"""Whose rows: which rows belong to the same person, from the names that the privacy unit's column has for them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import PrivacyError
from privacy.subjects.grouping import distinct
from privacy.subjects.names import KEY_BYTES, Numbers, numbers

_BITMAP = 64  # whole numbers within so many times the rows are marked in a bitmap


@dataclass(frozen=True)
class Owners:
    """Whose each row is. of_row: (rows,) person codes from 0, or None when each row is a person of its own. names: (count,) a
    number for each person, the same in all that is read with the same key."""

    of_row: npt.NDArray[np.int32] | None
    count: int
    names: Numbers = field(repr=False)


class Units:
    """Gathers the unit column's batches; `owners` tells whose each row is. key: of the numbers for names; None draws one."""

    def __init__(self, *, table: str, unit: str, key: bytes | None = None) -> None:
        self._table, self._unit = table, unit
        self._key = key or secrets.token_bytes(KEY_BYTES)
        self._keys: list[Numbers] = []
        self._nameless = 0
        self._whole_numbers = False

    def add(self, column: pa.Array) -> None:
        """The next rows' names."""
        names = folded(column)
        self._nameless += names.null_count
        if pa.types.is_integer(names.type):
            self._whole_numbers = True  # they are told apart as they are, which is quicker
            known = names.fill_null(0) if names.null_count else names
            self._keys.append(known.cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False))
            return
        # Texts are told apart by 64 bits. Two that meet count as one person, which errs on the safe side.
        self._keys.append(numbers(names, self._key))

    def owners(self, *, each: bool = False) -> Owners:
        """Whose each row is. each: say so row by row even where each row is a person of its own.

        Raises PrivacyError when a row names nobody.
        """
        if self._nameless:
            raise PrivacyError(
                f"{self._nameless} rows of `{self._table}` name no `{self._unit}`, so nobody can say whose they are.",
                remedy=f"Make `{self._unit}` required, and not empty, in the contract: such rows then go to quarantine.",
                table=self._table,
                rows=self._nameless,
            )
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.int64)
        self._keys = []
        of_row: npt.NDArray[np.int32] | None = None
        if not _all_differ(keys):
            of_row, first = distinct([keys])
            keys = keys[first]
        elif each:
            of_row = np.arange(len(keys), dtype=np.int32)
        return Owners(of_row, len(keys), numbers(pa.array(keys), self._key) if self._whole_numbers else keys)


def folded(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Text as a person would compare it: NFKC, without outer white space, lower case; empty is missing.

    Two spellings of one name must not count as two persons, nor two spellings of one illness as two illnesses; where
    two persons' names differ only in spelling, counting them as one errs on the safe side. Other types stay as they are.
    """
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(column, form="NFKC")))
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, plain.type), plain)


def _all_differ(keys: npt.NDArray[np.int64]) -> bool:
    if len(keys) < 2 or bool((keys[1:] > keys[:-1]).all()):
        return True
    low, high = int(keys.min()), int(keys.max())
    if high - low < _BITMAP * len(keys):
        seen = np.zeros(high - low + 1, np.bool_)
        seen[keys - low] = True
        return bool(np.count_nonzero(seen) == len(keys))
    ordered = np.sort(keys)
    return not bool((ordered[1:] == ordered[:-1]).any())
