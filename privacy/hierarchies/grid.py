"""Numbers in runs of one width: which run a number is in, told exactly, and what the run is called."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.hierarchies.labels import EXACT, written
from privacy.hierarchies.values import SAFE, decimal, unscaled

_WHOLE = 2.0**52  # floats below it that are whole are exact, and so are their quotients' floors
_CLOSE = 16  # roundings apart from a run's edge, within which a float is looked at digit by digit


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Runs [origin + i * width, origin + (i + 1) * width) for all whole i.

    whole: the column holds whole numbers, and so are width and origin. Then a run is called by its first and last number,
    `20..24`; else by its edges, `20..25`, and holds the lower one only.
    """

    width: Decimal
    origin: Decimal
    whole: bool

    @classmethod
    def of(cls, kind: pa.DataType, width: Decimal, origin: Decimal) -> Grid:
        """The grid for a column of this type."""
        whole = pa.types.is_integer(kind) and all(
            each == each.to_integral_value() for each in (width, origin)
        )
        return cls(width=width, origin=origin, whole=bool(whole))

    def keys(self, values: pa.Array) -> npt.NDArray[Any]:
        """The number of each value's run, (n,): int64, or Python's integers where they don't fit."""
        if pa.types.is_floating(values.type):
            return self._of_floats(values.to_numpy(zero_copy_only=False))
        numbers, scale = unscaled(values)
        digits = max(scale, -_exponent(self.width), -_exponent(self.origin))
        factor = 10 ** (digits - scale)
        width, origin = (int(each.scaleb(digits, EXACT)) for each in (self.width, self.origin))
        largest = max((abs(int(numbers.min())), abs(int(numbers.max()))), default=0) if len(numbers) else 0
        if largest * factor >= SAFE or abs(origin) >= SAFE or width >= SAFE:
            numbers = numbers.astype(object)
        return np.asarray((numbers * factor - origin) // width)

    def _of_floats(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        wide = values.astype(np.float64)
        width, origin = float(self.width), float(self.origin)
        with np.errstate(over="ignore", invalid="ignore"):
            places = (wide - origin) / width
            off = np.abs(places - np.rint(places))
        size = np.maximum(np.abs(places), abs(origin / width) + 1)
        close = ~np.isfinite(places) | (off <= _CLOSE * np.finfo(values.dtype).eps * size)
        if all(each == each.to_integral_value() and abs(each) < _WHOLE for each in (self.width, self.origin)):
            close &= (np.abs(wide) >= _WHOLE) | (np.rint(wide) != wide)
        keys: npt.NDArray[Any]
        if bool((np.abs(places) < _WHOLE).all()):
            keys = np.floor(places).astype(np.int64)
        else:
            close[:] = True
            keys = np.empty(len(values), object)
        for at in np.flatnonzero(close).tolist():
            exact = EXACT.divide(EXACT.subtract(decimal(values[at]), self.origin), self.width)
            keys[at] = int(exact.to_integral_value(ROUND_FLOOR))
        return keys

    def edges(self, first: int, last: int) -> tuple[Decimal, Decimal]:
        """The lowest place of run `first` and the highest of run `last`."""
        low = EXACT.add(self.origin, EXACT.multiply(self.width, Decimal(first)))
        high = EXACT.add(self.origin, EXACT.multiply(self.width, Decimal(last + 1)))
        return low, EXACT.subtract(high, Decimal(1)) if self.whole else high

    def described(self, runs: list[int]) -> tuple[list[str], npt.NDArray[np.float64]]:
        """What each of many runs is called, and its edges, (runs, 2); the same as `name` and `edges` tell one by one."""
        digits = max(0, -_exponent(self.width), -_exponent(self.origin))
        width, origin = (int(each.scaleb(digits, EXACT)) for each in (self.width, self.origin))
        begins = [origin + width * run for run in runs]
        ends = [begin + width - self.whole for begin in begins]
        names = [
            _fixed(low, digits) if low == high else f"{_fixed(low, digits)}..{_fixed(high, digits)}"
            for low, high in zip(begins, ends, strict=True)
        ]
        unit = 10**digits
        edges = [(low / unit, high / unit) for low, high in zip(begins, ends, strict=True)]
        return names, np.array(edges, np.float64).reshape(-1, 2)

    def name(self, first: int, last: int) -> str:
        """What the runs first..last are called together."""
        low, high = self.edges(first, last)
        return written(low) if low == high else f"{written(low)}..{written(high)}"


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a contract's numbers are finite
    return exponent


def _fixed(number: int, digits: int) -> str:
    """A whole number of 10 ** -digits with no more digits than it needs."""
    if not digits:
        return str(number)
    text = str(abs(number)).rjust(digits + 1, "0")
    fraction = text[-digits:].rstrip("0")
    return f"{'-' if number < 0 else ''}{text[:-digits]}{'.' if fraction else ''}{fraction}"
