"""What a permission allows, as one limit for each operand: constraints on the same operand taken together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from contracts.agreement.model import Agreement, Constraint, Permission
from contracts.agreement.values import Period, Protects
from contracts.agreement.vocabulary import AMONG, AT_LEAST, BY_NAME, Door, Operator

# A limit as it works: words or periods that are allowed, a number, a first moment, or a last one and whether it counts.
Effective = frozenset[str] | frozenset[Period] | Decimal | datetime | tuple[datetime, bool]
START, END = "dateTime from", "dateTime until"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A permission that grants something. limits: by the operand's name, the limit and the clause it stands in."""

    permission: Permission
    limits: dict[str, tuple[Effective, str]]

    @property
    def clause(self) -> str:
        return self.permission.clause


def granting(agreement: Agreement | None, door: Door) -> list[Box]:
    """The permissions that open a door to anybody at any moment; one that isn't understood opens nothing."""
    if agreement is None:
        return []
    boxes = [_box(each) for each in agreement.permissions if each.door is door and not each.unknown]
    return [box for box in boxes if box is not None]


def _box(permission: Permission) -> Box | None:
    limits: dict[str, tuple[Effective, str]] = {}
    for constraint in permission.constraints:
        name, limit = _effective(constraint)
        if name not in limits:
            limits[name] = (limit, constraint.clause)
            continue
        before = limits[name][0]
        if isinstance(limit, frozenset) and isinstance(before, frozenset):
            # Both must hold: what is in one list only isn't allowed.
            limits[name] = (before & limit, constraint.clause)
        elif within(name, limit, before):
            limits[name] = (limit, constraint.clause)
    if any(limit == frozenset() for limit, _ in limits.values()) or _never(limits):
        return None
    return Box(permission=permission, limits=limits)


def _effective(constraint: Constraint) -> tuple[str, Effective]:
    name, value = constraint.operand.name, constraint.value
    if isinstance(value, datetime):
        if constraint.operator is Operator.GTEQ:
            return START, value
        return END, (value, constraint.operator is Operator.LTEQ)
    return name, value


def _never(limits: dict[str, tuple[Effective, str]]) -> bool:
    if START not in limits or END not in limits:
        return False
    start, end = limits[START][0], limits[END][0]
    if not isinstance(start, datetime) or not isinstance(end, tuple):
        return False
    last, counts = end
    return last < start or (last == start and not counts)


def within(name: str, new: Effective, old: Effective) -> bool:
    """Whether a limit allows no more than another on the same operand."""
    if new == old:
        return True
    if isinstance(new, frozenset) and isinstance(old, frozenset):
        if BY_NAME[name].operators == AMONG:
            return new <= old
        return _stricter(next(iter(new), None), next(iter(old), None)) or not new
    if isinstance(new, datetime) and isinstance(old, datetime):
        return new >= old
    if isinstance(new, tuple) and isinstance(old, tuple):
        return new <= old
    if isinstance(new, Decimal) and isinstance(old, Decimal):
        return new >= old if BY_NAME[name].operators == AT_LEAST else new <= old
    return False


def _stricter(new: object, old: object) -> bool:
    """Whether a budget that renews itself, or a unit that is protected, is surely no looser than before."""
    if isinstance(new, Period) and isinstance(old, Period):
        return no_longer(old, new)
    return new == Protects.RECORD and old == Protects.MONTH


def no_longer(one: Period, other: Period) -> bool:
    """Whether a period is surely not longer than another: months have 28 to 31 days."""
    if one.months and other.months:
        return one.months <= other.months
    return one.months * 31 + one.days <= other.months * 28 + other.days
