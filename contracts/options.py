"""`logicalTypeOptions` as checks: patterns, ranges, lengths, formats and multiples, each fitting the column's type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from contracts.checks import FORMATS, Check, CheckKind, Scope
from contracts.model import Column, LogicalType
from contracts.problems import choose, shown
from contracts.reading import Node, iso_date, iso_timestamp
from contracts.sqlrule import OBJECT, SqlGate
from core.sql import quoted

_SIDES = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}
# Integers are carried in 64 bits with a sign.
_INTEGER_RANGES: dict[str, tuple[int | None, int | None]] = {
    "i8": (-(2**7), 2**7 - 1),
    "i16": (-(2**15), 2**15 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (None, None),
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
}
_TOO_WIDE = ("u64", "i128", "u128")
_F32_MAX = 3.4028234663852886e38
# What connectors read: ISO 8601, in the letters of Java's DateTimeFormatter.
_ISO_DATE = re.compile(r"[yYu]{4}-MM-[dD]{2}")
_ISO_TIME = re.compile(
    r"[yYu]{4}-MM-[dD]{2}('?T'?| )HH:mm(:ss([.,]?[S]{1,9})?)?(\[.*\])?('?Z'?|X{1,5}|x{1,5})?"
)
_UTC = ("UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT")


def compile_options(place: Node, table: str, column: Column, gate: SqlGate) -> Iterator[Check]:
    """The checks of a column's logicalTypeOptions; an option that can't be checked is said."""
    options = place.at("logicalTypeOptions").named(f"{place.label}: logicalTypeOptions")
    if not isinstance(options.value, dict) or not options.value:
        return

    def check(name: str, kind: CheckKind, **params: Any) -> Check:
        return Check(
            table=table,
            name=f"{column.name} {name}",
            kind=kind,
            scope=Scope.ROW,
            column=column.name,
            params=params,
        )

    if options.has("pattern"):
        if not gate.pattern_works(options.get("pattern")):
            options.say(f"{options.label}: the pattern isn't a regular expression that RE2 knows.",
                        "Leave out look-around and back-references; check its brackets.", key="pattern")  # fmt: skip
        yield check("matches its pattern", CheckKind.PATTERN, pattern=options.get("pattern"))
    bounds = _bounds(options, column.type)
    if bounds:
        yield check("is in range", CheckKind.RANGE, **bounds)
    low, high = options.get("minLength"), options.get("maxLength")
    if low is not None or high is not None:
        if low is not None and high is not None and low > high:
            options.say(f"{options.label}: minLength is over maxLength.", "Swap them.", key="minLength")
        yield check("is of allowed length", CheckKind.LENGTH, minimum=low, maximum=high)
    if options.has("format"):
        yield from _format(options, check, column.type)
    if options.has("multipleOf"):
        yield _multiple(table, column, options.get("multipleOf"))
    if options.has("timezone") or options.has("defaultTimezone"):
        zone = options.get("defaultTimezone") or "UTC"
        if zone not in _UTC:
            options.say(f"{options.label}: times are carried in UTC, not `{shown(zone)}`.",
                        "Convert them at the source, then write defaultTimezone: Etc/UTC.", key="defaultTimezone")  # fmt: skip


def fits(value: Any, logical: LogicalType) -> bool:
    """Whether a value of the contract is one that a column of the type can have."""
    match logical:
        case LogicalType.STRING:
            return isinstance(value, str)
        case LogicalType.BOOLEAN:
            return isinstance(value, bool)
        case LogicalType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case LogicalType.NUMBER:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case LogicalType.DATE:
            return iso_date(value) is not None
        case LogicalType.TIMESTAMP:
            return iso_timestamp(value) is not None


def _bounds(options: Node, logical: LogicalType) -> dict[str, Any]:
    """The bounds of a range; says those that aren't of the column's type or leave nothing between them."""
    bounds: dict[str, Any] = {}
    for key, name in _SIDES.items():
        if not options.has(key):
            continue
        value = options.get(key)
        if logical in (LogicalType.DATE, LogicalType.TIMESTAMP) and iso_timestamp(value) is None:
            options.say(
                f"{options.label}: `{key}` isn't a {logical.value}.",
                'Write it as "2026-12-31" or "2026-12-31T00:00:00Z".',
                key=key,
            )
            continue
        if logical is LogicalType.DATE and iso_date(value) is None:
            options.say(f"{options.label}: `{key}` isn't a day.", 'Write it as "2026-12-31".', key=key)
            continue
        bounds[name] = value
    lows = [(bounds[name], name != "minimum") for name in ("minimum", "exclusive_minimum") if name in bounds]
    highs = [(bounds[name], name != "maximum") for name in ("maximum", "exclusive_maximum") if name in bounds]
    for low, open_low in lows:
        for high, open_high in highs:
            a, b = (_moment(low), _moment(high)) if isinstance(low, str) else (low, high)
            if a > b or (a == b and (open_low or open_high)):
                options.say(
                    f"{options.label}: no value lies between its minimum and its maximum.",
                    "Swap or widen them.",
                )
    return bounds


def _moment(value: str) -> float:
    at = iso_timestamp(value)
    if at is None:
        return 0.0
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return zoned.timestamp()


def _format(options: Node, check: Any, logical: LogicalType) -> Iterator[Check]:
    form = options.get("format")
    if logical is LogicalType.STRING:
        if form not in FORMATS:
            options.say(f"{options.label}: the format `{shown(form)}` can't be checked.",
                        f"{choose(str(form), FORMATS)} Or write a pattern.", key="format")  # fmt: skip
        yield check(f"has the format {shown(form)}", CheckKind.FORMAT, format=form)
    elif logical is LogicalType.INTEGER and form in _INTEGER_RANGES:
        low, high = _INTEGER_RANGES[form]
        bounds = {name: bound for name, bound in (("minimum", low), ("maximum", high)) if bound is not None}
        if bounds:
            yield check(f"fits {form}", CheckKind.RANGE, **bounds)
    elif logical is LogicalType.INTEGER and form in _TOO_WIDE:
        options.say(f"{options.label}: integers are carried in 64 bits with a sign, and {form} is wider.",
                    "Write i64 (with minimum: 0 if none is negative), or logicalType: number with physicalType: DECIMAL(p,0).",
                    key="format")  # fmt: skip
    elif logical is LogicalType.NUMBER and form == "f32":
        yield check("fits f32", CheckKind.RANGE, minimum=-_F32_MAX, maximum=_F32_MAX)
    elif logical in (LogicalType.DATE, LogicalType.TIMESTAMP):
        pattern = _ISO_DATE if logical is LogicalType.DATE else _ISO_TIME
        if not pattern.fullmatch(form):
            example = "yyyy-MM-dd" if logical is LogicalType.DATE else "yyyy-MM-dd'T'HH:mm:ss"
            options.say(f"{options.label}: the format isn't ISO 8601, the only one that is read.",
                        f"Write `{example}`, and deliver the source so; or call the column a string.", key="format")  # fmt: skip


def _multiple(table: str, column: Column, step: int | float) -> Check:
    """How many values aren't a multiple; as a table rule, because no kind of row check says it."""
    name = quoted(column.name)
    off = f"{name} % {step} <> 0" if isinstance(step, int) and column.type is LogicalType.INTEGER else (
        # Decimal steps have no exact binary form: a billionth of a step is taken as none.
        f"abs({name} / {step!r} - round({name} / {step!r})) > 1e-9"
    )  # fmt: skip
    return Check(
        table=table,
        name=f"{column.name} is a multiple of {step}",
        kind=CheckKind.SQL,
        scope=Scope.TABLE,
        column=column.name,
        params={
            "query": f"SELECT count(*) FROM {OBJECT} WHERE {name} IS NOT NULL AND {off}",
            "bound": {"op": "mustBe", "value": 0},
        },
    )
