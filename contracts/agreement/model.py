"""An agreement as frozen values, each with the clause it was read from.

What wasn't understood is kept beside what was: an Unknown is a refusal that names it, never something skipped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from contracts.agreement.values import Period
from contracts.agreement.vocabulary import Door, Operand, Operator
from contracts.problems import Where

_PLAIN_STEP = re.compile(r"[A-Za-z_@][A-Za-z0-9_@:-]{0,63}")
_LONGEST_STEP = 120

# frozenset for eq and isAnyOf, which are one question: is all that is asked for among these?
Limit = Decimal | datetime | frozenset[str] | frozenset[Period]


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Something that isn't understood. name: the word that stands there. why: what is understood in its place."""

    clause: str
    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`operand operator value`. value: a number, a moment in UTC, or the set of what is allowed."""

    operand: Operand
    operator: Operator
    value: Limit
    clause: str


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Opens a door while every constraint holds. It opens none when something in it is unknown (door None: the action is)."""

    door: Door | None
    action: str
    constraints: tuple[Constraint, ...]
    clause: str
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prohibition:
    """What the assignee may not do. act: `reidentify`, `distribute`, `combine`, `use`, or a door.

    datasets: the sets with which combining is forbidden; None: with any.
    """

    act: str
    datasets: frozenset[str] | None
    clause: str


@dataclass(frozen=True, kw_only=True)
class Obligation:
    """What the assignee must do: `delete` within days or by a moment, `reportUse` once a period."""

    duty: str
    limit: Decimal | datetime | Period
    clause: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Who may do what with which target, until when.

    assigner, assignee: unified social credit codes; empty when the document names none (and then unknown says so).
    unknown: what isn't understood outside the permissions. clauses: where the members of the agreement stand, by name.
    digest: SHA-256 of the RFC 8785 form of the whole message, hex.
    """

    id: str
    profile: str
    target: str
    assigner: str
    assignee: str
    timestamp: datetime | None
    permissions: tuple[Permission, ...]
    prohibitions: tuple[Prohibition, ...]
    obligations: tuple[Obligation, ...]
    unknown: tuple[Unknown, ...]
    digest: str
    clauses: tuple[tuple[str, str], ...]

    def clause(self, name: str) -> str:
        """Where a member of the agreement stands; the agreement itself when it isn't there."""
        return dict(self.clauses).get(name, "agreement")

    @property
    def all_unknown(self) -> tuple[Unknown, ...]:
        """All that isn't understood, that within permissions too."""
        return (*self.unknown, *(each for permission in self.permissions for each in permission.unknown))


def clause_path(where: Where) -> str:
    """`agreement.permission[0].constraint[3]` for a place, `$` for the message.

    A key that is no plain word stands as `["..."]`. A key too long to show ends the path at what holds it.
    """
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_STEP.fullmatch(step):
            text += f".{step}"
        elif len(step) <= _LONGEST_STEP:
            text += f"[{json.dumps(step)}]"
        else:
            break
    return text.removeprefix(".") or "$"
