"""What an agreement still lacks before it can be signed: what each door's permission must say, and what isn't understood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from contracts.agreement.model import Agreement, Constraint, Permission
from contracts.agreement.vocabulary import BY_NAME, ODRL, PERMISSION_OPERANDS, Operator


@dataclass(frozen=True, kw_only=True)
class Lack:
    """One thing that is missing or wrong. clause: path in the message. name: the word it is about."""

    clause: str
    name: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.clause}: {self.what} {self.remedy}"


def lacks(agreement: Agreement) -> tuple[Lack, ...]:
    """All that keeps the agreement from being signed, in the order of the document; empty when nothing does."""
    found = [
        Lack(
            clause=unknown.clause,
            name=unknown.name,
            what=f"`{unknown.name}` isn't understood, and no door opens under what isn't understood.",
            remedy=unknown.why,
        )
        for unknown in agreement.all_unknown
    ]
    if not agreement.permissions:
        found.append(
            Lack(
                clause=agreement.clause("permission"),
                name="permission",
                what="The agreement permits nothing.",
                remedy="Add a permission for each door that it shall open.",
            )
        )
    if agreement.timestamp is None:
        found.append(
            Lack(
                clause=agreement.clause("timestamp"),
                name="timestamp",
                what="The agreement doesn't say when it was made.",
                remedy="Add `timestamp`, a time with its zone.",
            )
        )
    for permission in agreement.permissions:
        found.extend(_lacks(permission))
    return tuple(found)


def _lacks(permission: Permission) -> Iterator[Lack]:
    door = permission.door
    if door is None:
        return
    by_name: dict[str, list[Constraint]] = {}
    for constraint in permission.constraints:
        by_name.setdefault(constraint.operand.name, []).append(constraint)
    for operand in PERMISSION_OPERANDS:
        if door in operand.needed and operand.name not in by_name:
            yield Lack(
                clause=permission.clause,
                name=operand.name,
                what=f"The permission for the door {door} says nothing of {operand.label}.",
                remedy=f"Add a constraint on {operand.iri.replace(ODRL, 'odrl:')}: {operand.kind.takes}.",
            )
    yield from _term(permission, by_name.get("dateTime", []))
    yield from _renewal(permission, by_name)


def _term(permission: Permission, times: list[Constraint]) -> Iterator[Lack]:
    """A term has a first and a last moment, in this order."""
    starts = [each for each in times if each.operator is Operator.GTEQ]
    ends = [each for each in times if each.operator is not Operator.GTEQ]
    for which, there, operator in (("begins", starts, "gteq"), ("ends", ends, "lteq")):
        if times and not there:
            yield Lack(
                clause=permission.clause,
                name="dateTime",
                what=f"The permission doesn't say when it {which}.",
                remedy=f"Add a constraint on odrl:dateTime with {operator}.",
            )
    for end in ends:
        for start in starts:
            if _never(start, end):
                yield Lack(
                    clause=end.clause,
                    name="dateTime",
                    what="The permission ends before it begins.",
                    remedy="Set an end after its beginning.",
                )


def _never(start: Constraint, end: Constraint) -> bool:
    first, last = start.value, end.value
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return False
    return last < first or (last == first and end.operator is Operator.LT)


def _renewal(permission: Permission, by_name: dict[str, list[Constraint]]) -> Iterator[Lack]:
    """A budget per period names its period, once."""
    budgets = by_name.get("epsilonPerPeriod", []) + by_name.get("deltaPerPeriod", [])
    periods = by_name.get("epsilonPeriod", [])
    if budgets and not periods and permission.door not in BY_NAME["epsilonPeriod"].needed:
        yield Lack(
            clause=budgets[0].clause,
            name="epsilonPeriod",
            what="A budget per period doesn't say which period.",
            remedy="Add a constraint on urn:sluice:odrl:epsilonPeriod, such as P1M.",
        )
    if len({each.value for each in periods}) > 1:
        yield Lack(
            clause=periods[1].clause,
            name="epsilonPeriod",
            what="The permission names two periods for its budget, and no request can keep both.",
            remedy="Keep one of them.",
        )
