"""Permit or Deny: whether an agreement lets a request pass a door now. Pure, total, and the default is no."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from contracts.agreement.model import Agreement, Constraint, Permission, Prohibition, Unknown
from contracts.agreement.values import Value, name
from contracts.agreement.vocabulary import COMBINE, PROHIBITABLE, USE, Operator, expand
from contracts.problems import shown

# The operands that a request says in fields of its own; all others stand in its demands, and the time is passed in.
_FIELDS = {"purpose": "purpose", "spatial": "territory", "recipientGrade": "grade"}
_NEW_VERSION = "Ask within the clause, or agree on a new version of it."


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks to do.

    door: release, query or train. assignee: the asker's unified social credit code; grade: its grade in the registry.
    demands: for each operand of `contracts.agreement.vocabulary` by name what would be used: one value, or several where
    the operand takes several. combined_with: the datasets it would be combined with. acts: what the asker says it will
    do besides, such as `distribute`.
    """

    door: str
    assignee: str
    grade: str
    purpose: str
    territory: str
    demands: Mapping[str, object] = field(default_factory=dict)
    combined_with: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Permit:
    """The agreement opens the door. clause: the permission that does."""

    agreement: str
    door: str
    clause: str


@dataclass(frozen=True, kw_only=True)
class Deny:
    """It doesn't. clause: path in the message of what says so. reason: a sentence. remedy: what the asker can do."""

    clause: str
    reason: str
    remedy: str


def decide(request: Request, agreement: Agreement, now: datetime) -> Permit | Deny:
    """Whether `agreement` lets `request` pass at a moment. Never raises, whatever stands in the request.

    What isn't understood in the agreement denies everything; in a permission, it makes that permission grant nothing. Each
    constraint holds what the request says against its limit, and a request that doesn't say it is denied. So a further
    prohibition, a further constraint or a tighter one can only deny more.
    """
    denial = (
        _not_understood(agreement.unknown)
        or _not_now(agreement, now)
        or _not_the_assignee(request, agreement)
        or _prohibited(request, agreement)
    )
    if denial is not None:
        return denial
    first: Deny | None = None
    for permission in agreement.permissions:
        if permission.door is None or permission.door != request.door:
            continue
        refused = _refused(permission, request, now)
        if refused is None:
            return Permit(agreement=agreement.id, door=str(permission.door), clause=permission.clause)
        first = first or refused
    return first or _no_permission(request, agreement)


def _not_understood(unknown: tuple[Unknown, ...]) -> Deny | None:
    if not unknown:
        return None
    first = unknown[0]
    return Deny(
        clause=first.clause,
        reason=f"`{first.name}` isn't understood, and what isn't understood is a refusal. {first.why}",
        remedy="Agree on a new version that says it in the terms of the profile.",
    )


def _not_now(agreement: Agreement, now: datetime) -> Deny | None:
    if not isinstance(now, datetime) or now.utcoffset() is None:
        return Deny(
            clause=agreement.clause("timestamp"),
            reason="The moment to decide at has no time zone.",
            remedy="Pass a moment in UTC.",
        )
    made = agreement.timestamp
    if made is not None and now < made:
        return Deny(
            clause=agreement.clause("timestamp"),
            reason=f"The agreement was made at {made:%Y-%m-%dT%H:%M:%SZ}, and it is {_utc(now)}.",
            remedy="Check the clock of this machine.",
        )
    return None


def _utc(now: datetime) -> str:
    try:
        return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except OverflowError:  # the first or the last hours of the calendar, in another zone
        return now.isoformat()


def _not_the_assignee(request: Request, agreement: Agreement) -> Deny | None:
    if isinstance(request.assignee, str) and agreement.assignee and request.assignee == agreement.assignee:
        return None
    return Deny(
        clause=agreement.clause("assignee"),
        reason=f"The agreement is with {agreement.assignee or 'nobody'}, and {_said(request.assignee)} asks.",
        remedy="Ask as the party that signed it, or sign an agreement of your own.",
    )


def _prohibited(request: Request, agreement: Agreement) -> Deny | None:
    combined = _texts(request.combined_with)
    acts = _texts(request.acts)
    if not isinstance(request.door, str):
        return _closed(request, agreement)
    if combined is None or acts is None or any(name(each) is None for each in combined):
        return Deny(
            clause=agreement.clause("prohibition"),
            reason="The request doesn't say in plain words what it combines, or what it does besides.",
            remedy="Name the datasets and the acts, or leave them empty.",
        )
    named = {PROHIBITABLE.get(expand(act), act) for act in acts}
    for prohibition in agreement.prohibitions:
        what = _breaks(prohibition, request.door, named, combined)
        if what:
            return Deny(
                clause=prohibition.clause,
                reason=f"The agreement forbids {what}.",
                remedy="Ask without it, or agree on a new version that doesn't forbid it.",
            )
    # Combining is only forbidden where it is named; no permission here speaks of any other act.
    beyond = sorted(named - {COMBINE, USE, request.door})
    if beyond:
        return Deny(
            clause=agreement.clause("permission"),
            reason=f"No permission covers `{shown(beyond[0])}`.",
            remedy="Ask without it: what isn't permitted is forbidden.",
        )
    return None


def _breaks(prohibition: Prohibition, door: str, acts: set[str], combined: frozenset[str]) -> str:
    """What of a request a prohibition forbids, in words; empty when it forbids nothing of it."""
    act = prohibition.act
    if act != COMBINE:
        return f"`{act}`" if act in (USE, door) or act in acts else ""
    if prohibition.datasets is None:
        return "combining with other data" if combined or COMBINE in acts else ""
    hit = _folded(combined).keys() & _folded(prohibition.datasets).keys()
    if hit:
        return f"combining with `{shown(min(hit))}`"
    # To combine without saying with what could be with anything.
    return (
        "combining with some sets, and the request doesn't say with which"
        if COMBINE in acts and not combined
        else ""
    )


def _refused(permission: Permission, request: Request, now: datetime) -> Deny | None:
    if permission.unknown:
        return _not_understood(permission.unknown)
    for constraint in permission.constraints:
        asked, said = _asked(constraint, request, now)
        if asked is None:
            return Deny(
                clause=constraint.clause,
                reason=f"The clause limits {constraint.operand.label} ({constraint.operand.name}), and the request "
                f"{'says ' + _said(said) if said is not None else 'says nothing of it'}.",
                remedy=f"Say it: {constraint.operand.kind.takes}.",
            )
        if not _holds(constraint, asked):
            return Deny(
                clause=constraint.clause,
                reason=f"The clause wants {constraint.operand.label} {_wants(constraint)}, and the request says "
                f"{_said(said)}.",
                remedy=_NEW_VERSION,
            )
    return None


Asked = Decimal | datetime | frozenset[Value]


def _asked(constraint: Constraint, request: Request, now: datetime) -> tuple[Asked | None, object]:
    """What the request says of an operand, as a value and as it was said. None: nothing that can be understood."""
    operand = constraint.operand
    if operand.name == "dateTime":
        return now, now
    if operand.name in _FIELDS:
        said: object = getattr(request, _FIELDS[operand.name], None)
    else:
        said = request.demands.get(operand.name) if isinstance(request.demands, Mapping) else None
    if constraint.operator in (Operator.EQ, Operator.IS_ANY_OF):
        if (
            isinstance(said, frozenset)
            and said
            and isinstance(constraint.value, frozenset)
            and said <= constraint.value
        ):
            return said, said  # hundreds of features at once
        listed = said if isinstance(said, (frozenset, set, list, tuple)) else (said,)
        values = [operand.kind.of_request(each) for each in listed]
        known = frozenset(value for value in values if value is not None)
        # Nothing asked is nothing said: an empty list must not pass as a part of every list.
        return (known, said) if values and None not in values else (None, said)
    value = operand.kind.of_request(said)
    return (value, said) if isinstance(value, (Decimal, datetime)) else (None, said)


def _holds(constraint: Constraint, asked: Asked) -> bool:
    limit = constraint.value
    if isinstance(limit, frozenset):
        return isinstance(asked, frozenset) and bool(asked) and asked <= limit
    if isinstance(limit, datetime):
        return isinstance(asked, datetime) and _in_order(constraint.operator, asked > limit, asked == limit)
    return isinstance(asked, Decimal) and _in_order(constraint.operator, asked > limit, asked == limit)


def _in_order(operator: Operator, more: bool, same: bool) -> bool:
    match operator:
        case Operator.GTEQ:
            return more or same
        case Operator.LTEQ:
            return not more
        case Operator.LT:
            return not more and not same
        case _:
            return False


def _no_permission(request: Request, agreement: Agreement) -> Deny:
    """Why no permission is for this door: perhaps one is that isn't understood."""
    for permission in agreement.permissions:
        if permission.door is None and permission.unknown:
            return _not_understood(permission.unknown) or _closed(request, agreement)
    return _closed(request, agreement)


def _closed(request: Request, agreement: Agreement) -> Deny:
    return Deny(
        clause=agreement.clause("permission"),
        reason=f"No permission opens the door {_said(request.door)}.",
        remedy="Agree on a new version with a permission for it.",
    )


def _texts(said: object) -> frozenset[str] | None:
    """A set of plain texts, or None when anything else stands there."""
    if not isinstance(said, (frozenset, set, list, tuple)):
        return None
    return frozenset(said) if all(isinstance(each, str) and each for each in said) else None


def _folded(names: Iterable[str]) -> dict[str, str]:
    """Names by the form in which lookalikes of width and case are one: a forbidden set stays forbidden however it's spelt."""
    return {unicodedata.normalize("NFKC", each).casefold().strip(): each for each in names}


def _said(value: object) -> str:
    """What the request says, in a few words; whatever it is, and however long."""
    if isinstance(value, str):
        return f"`{shown(value[:80])}`"
    if isinstance(value, datetime):
        return f"`{_utc(value) if value.utcoffset() is not None else value.isoformat()}`"
    if isinstance(value, (frozenset, set, list, tuple)):
        few = [_said(each) for each in list(value)[:5] if not isinstance(each, (frozenset, set, list, tuple))]
        return f"{', '.join(sorted(few))}{', ...' if len(value) > len(few) else ''}" if few else "nothing"
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number too large to write"  # Python refuses to write out thousands of digits
    if isinstance(value, (int, float, Decimal)):
        return f"`{shown(value)}`"
    return f"a {type(value).__name__}"


def _wants(constraint: Constraint) -> str:
    limit = constraint.value
    if isinstance(limit, frozenset):
        names = sorted(str(each) for each in limit)
        return (
            f"among {', '.join(f'`{shown(each)}`' for each in names[:8])}{', ...' if len(names) > 8 else ''}"
        )
    words = {Operator.GTEQ: "at least", Operator.LTEQ: "at most", Operator.LT: "below"}
    if isinstance(limit, datetime):
        words = {Operator.GTEQ: "from", Operator.LTEQ: "until", Operator.LT: "before"}
    return f"{words.get(constraint.operator, constraint.operator)} {_utc(limit) if isinstance(limit, datetime) else f'{limit:f}'}"
