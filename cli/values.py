"""Values of published rows as JSON and people can show them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from core.errors import UsageError


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Each row's values. By place, not by name: a query may give two columns one name.

    Raises UsageError naming a column whose times aren't in Python's calendar.
    """
    columns = [_values(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    return zip(*columns, strict=True)


def names_of(table: pa.Table) -> list[str]:
    """The columns' names, each once: a second `n` is `n_1`."""
    names: list[str] = []
    for name in table.column_names:
        unique, number = name, 0
        while unique in names or (number and unique in table.column_names):
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
    return names


def as_json(value: Any) -> Any:
    """The value as RFC 8259 has it: no NaN and no Infinity (null), ISO 8601 times, hex for bytes.

    A decimal is a number where every reader gets it back from a double, and where it's whole; otherwise its digits, as text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(0, 0, (value.days * 86_400 + value.seconds) * 10**9 + value.microseconds * 1000)
    if isinstance(value, pa.MonthDayNano):
        return _duration(value.months, value.days, value.nanoseconds)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value)


def as_text(value: Any) -> str:
    """The value in a cell of a table; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    shown = as_json(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _values(name: str, column: pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):  # Python's calendar ends before DuckDB's
        raise UsageError(
            f"Column `{name}` holds a time that can't be shown: past the year 9999, or infinite.",
            remedy="Cast the column to VARCHAR.",
        ) from None


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value.as_tuple().exponent == 0:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else format(value, "f")


def _duration(months: int, days: int, nanoseconds: int) -> str:
    """An ISO 8601 duration; each part keeps its own sign, as in SQL a month less a day is no number of days."""
    whole, rest = divmod(abs(nanoseconds), 10**9)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    seconds = f"T{'-' if nanoseconds < 0 else ''}{whole}{fraction}S" if nanoseconds else ""
    text = (f"{months}M" if months else "") + (f"{days}D" if days else "") + seconds
    return f"P{text or 'T0S'}"
