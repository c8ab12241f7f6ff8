"""Source columns as the contract's types, without losing anything on the way.

A conversion is taken only when it can be undone: no rounding, no time of day cut off, no number that is none. Text is
read as a number, date or time where it spells exactly one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column, LogicalType
from core.errors import SourceError

_TYPES = {
    LogicalType.STRING: pa.string(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.NUMBER: pa.float64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.DATE: pa.date32(),
    LogicalType.TIMESTAMP: pa.timestamp("us"),
}
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)
_MAX_DIGITS = 38
EXACT_DIGITS = 15  # as many digits always come back from a double; of more, it has to be tried
# A zone after a time of day: "12:00Z", "12:00:00.5+08:00". The hyphens of a date must not look like one.
_ZONE = r"\d:\d\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"


class _UnfitError(ValueError):
    """The values can't be carried over exactly."""


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type that carries a column: by its logical type; a number with physicalType DECIMAL(p, s) stays one.

    Timestamps are microseconds in UTC without a zone written to them.
    """
    match = _DECIMAL.fullmatch((column.physical_type or "").strip())
    if column.type is LogicalType.NUMBER and match:
        precision, scale = int(match[1]), int(match[2] or 0)
        if 1 <= precision <= _MAX_DIGITS and scale <= precision:
            return pa.decimal128(precision, scale)
    return _TYPES[column.type]


def cast(array: pa.Array, column: Column, *, where: str, row: int = 0) -> pa.Array:
    """The values of `array` in the column's type.

    where: table and source, for the message. row: how many rows of the source came before these.
    Raises SourceError naming the column, the type that came and the first row that doesn't fit; never the value.
    """
    target = arrow_type(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), target)
    convert = _conversion(array.type, column.type)
    if convert is None:
        raise SourceError(
            f"Column `{column.name}` came as {array.type}; the contract says {column.type.value}.",
            where=where,
            remedy="Correct the column's logicalType in the contract, or the type at the source.",
            column=column.name,
        )
    try:
        return convert(array, target)
    except (pa.ArrowException, UnicodeError, _UnfitError):
        bad = row + _first_unfit(array, lambda part: convert(part, target)) + 1
    # Outside the handler on purpose: the library's text quotes the value, and a context would carry it into a log.
    raise unfit(column, where=where, row=bad)


def unfit(column: Column, *, where: str, row: int) -> SourceError:
    """The refusal of a value that can't be carried over exactly; row: from 1."""
    target = arrow_type(column)
    remedy = "Correct it at the source, or the column's type in the contract."
    if pa.types.is_floating(target):
        remedy = (
            "Correct it at the source; if it has more digits than a 64 bit number carries, write "
            "physicalType: DECIMAL(p,s) at the column."
        )
    return SourceError(
        f"Column `{column.name}`, row {row}: what stands there is no exact {_spelled(column, target)}.",
        where=where,
        remedy=remedy,
        column=column.name,
        row=row,
    )


def carries(text: str) -> bool:
    """Whether a double carries the number that `text` spells: written out to as many decimals, it's the same again.

    So 0.1 and 0.30000000000000004 are carried, and 12345678901234567.8912 isn't. text: one that `float` reads.
    """
    number = float(text)
    try:
        spelled = Decimal(text)
    except ArithmeticError:  # an exponent beyond any sense
        return False
    if Decimal(repr(number)) == spelled:
        return True
    exact = Context(prec=1200 + len(text), Emin=MIN_EMIN, Emax=MAX_EMAX)  # a double has under 800 digits
    off = exact.subtract(Decimal(number), spelled).copy_abs()
    last_place = Decimal(f"1e{spelled.as_tuple().exponent}")
    return exact.multiply(off, Decimal(2)) <= last_place


def _spelled(column: Column, target: pa.DataType) -> str:
    return str(target) if pa.types.is_decimal(target) else column.type.value


def _first_unfit(array: pa.Array, convert: Callable[[pa.Array], object]) -> int:
    low, high = 0, len(array)  # the first unfit value is in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            convert(array.slice(low, middle - low))
            low = middle
        except (pa.ArrowException, UnicodeError, _UnfitError):
            high = middle
    return low


_Conversion = Callable[[pa.Array, pa.DataType], pa.Array]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _conversion(kind: pa.DataType, logical: LogicalType) -> _Conversion | None:
    """How values of an Arrow type become a logical type; None when they never do."""
    t = pa.types
    number = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)
    match logical:
        case LogicalType.STRING if _is_text(kind) or t.is_binary(kind) or t.is_large_binary(kind):
            return _to_text
        case LogicalType.STRING if t.is_integer(kind):
            return _plain
        case LogicalType.INTEGER | LogicalType.NUMBER if number:
            return _to_number
        case LogicalType.BOOLEAN if t.is_boolean(kind):
            return _plain
        case LogicalType.BOOLEAN if t.is_integer(kind):
            return _to_boolean
        case LogicalType.DATE if t.is_date(kind) or t.is_timestamp(kind):
            return _to_date
        case LogicalType.TIMESTAMP if t.is_date(kind) or t.is_timestamp(kind):
            return _to_timestamp
        case _ if _is_text(kind):
            return _parse
    return None


def _plain(array: pa.Array, target: pa.DataType) -> pa.Array:
    return array.cast(target)


def _to_text(array: pa.Array, target: pa.DataType) -> pa.Array:
    array.validate(full=True)  # Parquet's text isn't checked to be UTF-8 when it's read
    return array.cast(target)


def _to_number(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_floating(array.type) and not _all(pc.is_finite(array)):
        raise _UnfitError
    if pa.types.is_decimal(array.type) and pa.types.is_floating(target):
        return _parse(
            array.cast(pa.string()), target
        )  # Arrow rounds on the direct way, and not to the nearest
    number = array.cast(target)  # refuses integers and fractions that don't fit
    # Between binary and decimal fractions Arrow rounds silently: only what comes back the same was carried over.
    if pa.types.is_decimal(array.type) != pa.types.is_decimal(target) and not pa.types.is_integer(target):
        _same(number.cast(array.type), array)
    return number


def _to_boolean(array: pa.Array, target: pa.DataType) -> pa.Array:
    if not _all(pc.is_in(array, value_set=pa.array([0, 1], array.type), skip_nulls=True), array):
        raise _UnfitError
    return array.cast(target)


def _to_timestamp(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit, "UTC")).cast(pa.timestamp(array.type.unit))
    return array.cast(target)  # refuses what is finer than a microsecond


def _to_date(array: pa.Array, target: pa.DataType) -> pa.Array:
    time = _to_timestamp(array, _TYPES[LogicalType.TIMESTAMP])
    date = time.cast(target)
    _same(date.cast(time.type), time)
    return date


def _parse(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Text to any type but text. Space around it doesn't count; nothing but space is NULL."""
    array.validate(full=True)
    text = pc.utf8_trim_whitespace(array.cast(pa.string()))
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if pa.types.is_integer(target):
        # Arrow would also read "0x1F"; nobody means that in a table of numbers.
        if not _all(pc.match_substring_regex(text, r"^-?\d+$")):
            raise _UnfitError
        return text.cast(target)
    if pa.types.is_timestamp(target):
        zoned = pc.match_substring_regex(text, _ZONE)
        nothing = pa.scalar(None, pa.string())
        utc = pc.if_else(zoned, text, nothing).cast(pa.timestamp("us", "UTC")).cast(target)
        return pc.coalesce(utc, pc.if_else(zoned, nothing, text).cast(target))
    number = text.cast(target)
    if pa.types.is_floating(target):
        if not _all(pc.is_finite(number)):
            raise _UnfitError
        _carried(text, number)
    return number


def _carried(text: pa.Array, number: pa.Array) -> None:
    """Refuses text of more digits than its double carries. Only what is long and isn't the double's own spelling is tried."""
    doubtful = pc.or_(
        pc.greater(pc.utf8_length(text), EXACT_DIGITS), pc.match_substring(text, "e", ignore_case=True)
    )
    if not pc.any(doubtful).as_py():
        return
    text, number = text.filter(doubtful), number.filter(doubtful)
    short = pc.if_else(pc.match_substring(text, "."), pc.utf8_rtrim(text, "0"), text)
    other = pc.not_equal(short, number.cast(text.type))
    if not all(map(carries, text.filter(other).unique().to_pylist())):
        raise _UnfitError


def _all(condition: pa.Array, among: pa.Array | None = None) -> bool:
    """True when the condition holds for every value that isn't NULL."""
    if among is not None:
        condition = pc.or_(condition, pc.is_null(among))
    return bool(pc.all(condition, min_count=0).as_py())


def _same(back: pa.Array, array: pa.Array) -> None:
    if not _all(pc.equal(back, array)):
        raise _UnfitError
