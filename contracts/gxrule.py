"""Quality rules for Great Expectations: each named expectation known, each argument of its kind."""

from __future__ import annotations

from typing import Any

from contracts.checks import Scope
from contracts.expectations import EXPECTATIONS, snake
from contracts.locate import read_text_block
from contracts.model import Column, Table
from contracts.problems import choose, shown
from contracts.reading import Node, iso_timestamp
from contracts.sqlrule import SqlGate

_GX = ("greatexpectations", "gx")


def read_expectation(
    rule: Node, table: Table, column: Column | None, gate: SqlGate
) -> tuple[str, Scope, dict[str, Any]] | None:
    """A name, the scope and the params of the check, or None when it can't be compiled (and that is said)."""
    engine = rule.get("engine")
    if not isinstance(engine, str):
        return None  # the standard requires it; told there
    if engine.lower().replace("-", "").replace("_", "").replace(" ", "") not in _GX:
        rule.say(
            f"{rule.label}: no engine `{shown(engine)}` runs here.",
            "Use engine: greatExpectations, a metric or type: sql.",
            key="engine",
        )
        return None
    given = rule.at("implementation").named(f"{rule.label}: implementation")
    if isinstance(given.value, str):
        try:
            given = Node(read_text_block(given.value), given.where, given.problems, given.label)
        except ValueError:
            given.say(f"{given.label} isn't valid YAML.", "Write type: ... and kwargs: {...}.")
            return None
    if not given.mapping(("type", "expectation_type", "kwargs", "meta", "notes")):
        return None
    named = given.get("type") or given.get("expectation_type")
    if not isinstance(named, str):
        given.say(f"{given.label} has no type.", "Add type: expect_...", key="type")
        return None
    kind = snake(named)
    if kind not in EXPECTATIONS:
        given.say(
            f"{rule.label}: `{shown(named)}` isn't a rule that can be compiled.",
            f"{choose(kind, EXPECTATIONS)} Or use type: sql.",
            key="type",
        )
        return None
    kwargs = _kwargs(given, kind, table, column, gate)
    if kwargs is None:
        return None
    scope = EXPECTATIONS[kind].scope
    if "mostly" in kwargs:
        # A share that may break the rule speaks of the table; all of it is the rule itself.
        if kwargs["mostly"] == 1:
            del kwargs["mostly"]
        else:
            scope = Scope.TABLE
    place = kwargs.get("column") if isinstance(kwargs.get("column"), str) else None
    name = f"{place} {kind}" if place else kind
    return name, scope, {"type": kind, "kwargs": kwargs}


def _kwargs(
    given: Node, kind: str, table: Table, column: Column | None, gate: SqlGate
) -> dict[str, Any] | None:
    """The expectation's arguments, each known and of its kind; None when something is wrong (and said)."""
    before = given.problems.told
    shape = EXPECTATIONS[kind]
    kinds = {**shape.required, **shape.optional}
    kwargs = dict(given.get("kwargs") or {}) if isinstance(given.get("kwargs") or {}, dict) else None
    if kwargs is None:
        given.say(f"{given.label}: kwargs must be a mapping.", "Write kwargs: {column: ...}.", key="kwargs")
        return None
    place = given.at("kwargs").named(f"{given.label}, kwargs")
    if column is not None and "column" in shape.required:
        kwargs.setdefault("column", column.name)
    for key, value in kwargs.items():
        if key not in kinds:
            place.say(
                f"{place.label}: {kind} takes no `{shown(key)}`.",
                choose(snake(key[:1].upper() + key[1:]), kinds),
                key=key,
            )
        elif value is None and key in shape.optional:
            continue
        elif (told := _misfit(value, kinds[key], [each.name for each in table.columns], gate)) is not None:
            place.say(f"{place.label}: `{key}` {told[0]}.", told[1], key=key)
    for key in shape.required:
        if key not in kwargs:
            place.say(f"{place.label}: {kind} needs `{key}`.", "Add it.", key=key)
    if "min_value" in kinds and kwargs.get("min_value") is None and kwargs.get("max_value") is None:
        place.say(f"{place.label}: {kind} has neither min_value nor max_value.", "Give one or both.")
    if given.problems.told > before:
        return None
    return {key: value for key, value in kwargs.items() if value is not None}


def _misfit(value: Any, kind: str, columns: list[str], gate: SqlGate) -> tuple[str, str] | None:
    """Why a value isn't of its kind, and what to write."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "column":
            return (
                None
                if value in columns
                else (f"names `{shown(value)}`, which isn't a column", choose(str(value), columns))
            )
        case "columns":
            if not isinstance(value, list) or not value:
                return "must be a list of columns", "Write [..., ...]."
            strange = next((name for name in value if name not in columns), None)
            return (
                None
                if strange is None
                else (f"names `{shown(strange)}`, which isn't a column", choose(str(strange), columns))
            )
        case "number":
            return (
                None
                if number or iso_timestamp(value)
                else ("must be a number or a date", 'Write 5 or "2026-12-31".')
            )
        case "share":
            return None if number and 0 <= value <= 1 else ("must be a share", "Write a number from 0 to 1.")
        case "whole":
            return (
                None
                if isinstance(value, int) and number and value >= 0
                else ("must be a whole number", "Write it without quotes.")
            )
        case "flag":
            return (
                None
                if isinstance(value, bool)
                else ("must be true or false", "Write true or false, without quotes.")
            )
        case "text":
            return None if isinstance(value, str) else ("must be text", "Put it in quotes.")
        case "regex" | "regexes":
            patterns = value if isinstance(value, list) else [value]
            fine = bool(patterns) and isinstance(value, list) == (kind == "regexes")
            fine = fine and all(isinstance(p, str) and gate.pattern_works(p) for p in patterns)
            return (
                None
                if fine
                else (
                    "isn't a regular expression that RE2 knows",
                    "Leave out look-around and back-references.",
                )
            )
        case "mapping":
            return None if isinstance(value, dict) and value else ("must be a mapping", "Write {...: ...}.")
        case "pairs":
            pairs = value if isinstance(value, list) and value else [None]
            fine = all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)
            return None if fine else ("must be a list of pairs", "Write [[..., ...], ...].")
    return None if isinstance(value, list) and value else ("must be a list", "Write [..., ...].")
