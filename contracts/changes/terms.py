"""What changes in the agreement: parties, doors and their limits, prohibitions, obligations, and what isn't understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from contracts.agreement.model import Agreement, Obligation, Unknown
from contracts.agreement.values import Period
from contracts.agreement.vocabulary import BY_NAME, COMBINE, Door
from contracts.changes.boxes import END, START, Box, Effective, granting, no_longer, within
from contracts.changes.change import Change, Who, listed, narrower, wider
from contracts.problems import shown

_KINDS = {
    "purpose": "purposes",
    "spatial": "territory",
    "recipientGrade": "grades",
    "minGroupSize": "k",
    "diversity": "l",
    "rounds": "rounds",
    "algorithm": "algorithms",
    "cohortPlatform": "cohort",
    "minCohort": "cohort",
    "feature": "features",
    "label": "features",
    START: "time",
    END: "time",
}
_LABELS = {START: "the first moment", END: "the last moment"}


def terms_changes(old: Agreement | None, new: Agreement | None) -> Iterator[Change]:
    """All changes between two agreements; None: there is none, and nothing is permitted."""
    for door in Door:
        yield from _door(door, granting(old, door), granting(new, door))
    if old is None or new is None:
        if new is not None:
            yield from _unknowns((), new.all_unknown)
        return
    yield from _unknowns(old.all_unknown, new.all_unknown)
    yield from _parties(old, new)
    yield from _prohibitions(old, new)
    yield from _obligations(old, new)


def _parties(old: Agreement, new: Agreement) -> Iterator[Change]:
    for name, what in (("assignee", "recipient"), ("assigner", "platform"), ("target", "target")):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield wider(
                "parties",
                f"The {what} is {shown(after) or 'nobody'} now, and was {shown(before) or 'nobody'}: all that is permitted "
                "is gained by another.",
                old=old.clause(name),
                new=new.clause(name),
            )


def _unknowns(old: tuple[Unknown, ...], new: tuple[Unknown, ...]) -> Iterator[Change]:
    """What isn't understood can't be judged: a word of it more or less may be anything."""
    before, after = Counter(each.name for each in old), Counter(each.name for each in new)
    for unknown in new:
        if after[unknown.name] > before[unknown.name]:
            words = f"`{unknown.name}` is new and isn't understood: it may allow anything."
            yield wider("unknown", words, new=unknown.clause)
    for unknown in old:
        if before[unknown.name] > after[unknown.name]:
            words = f"`{unknown.name}`, which isn't understood and shut what it stands in, is gone."
            yield wider("unknown", words, old=unknown.clause)


def _door(door: Door, old: list[Box], new: list[Box]) -> Iterator[Change]:
    if not old:
        for box in new:
            yield wider("doors", f"The recipient gains the door {door}.", new=box.clause)
        return
    paired: set[int] = set()
    for box in new:
        place, changes = _closest(door, old, box)
        paired.add(place)
        yield from changes
    for i, box in enumerate(old):
        if i not in paired and not any(_contained(door, box, other) for other in new):
            what = "the door" if not new else "a permission for the door"
            yield narrower("doors", f"The recipient loses {what} {door}.", old=box.clause)


def _closest(door: Door, old: list[Box], new: Box) -> tuple[int, list[Change]]:
    """The old permission from which the new one differs least, widening first, and the differences.

    Within one old permission is enough not to widen. Two old ones that only together cover a new one aren't seen to do
    so: that is told as widening.
    """
    compared = [(i, list(_limits(door, box, new))) for i, box in enumerate(old)]
    return min(compared, key=lambda each: (sum(change.widens for change in each[1]), len(each[1]), each[0]))


def _contained(door: Door, inner: Box, outer: Box) -> bool:
    return not any(change.widens for change in _limits(door, outer, inner))


def _limits(door: Door, old: Box, new: Box) -> Iterator[Change]:
    for name in sorted({*old.limits, *new.limits}):
        before, after = old.limits.get(name), new.limits.get(name)
        what = _KINDS.get(name, "epsilon")
        label = f"{_LABELS.get(name) or BY_NAME[name].label} ({door})"
        if before is not None and after is None:
            words = f"There is no limit on {label} any more; it was {_written(before[0])}."
            yield wider(what, words, old=before[1], new=new.clause)
        elif before is None and after is not None:
            yield narrower(
                what, f"There is a limit on {label} now: {_written(after[0])}.", old=old.clause, new=after[1]
            )
        elif before is not None and after is not None and before[0] != after[0]:
            yield from _moved(name, what, label, before, after)


def _moved(name: str, what: str, label: str, old: tuple[Effective, str], new: tuple[Effective, str]) -> Iterator[Change]:  # fmt: skip
    before, after = old[0], new[0]
    tighter = within(name, after, before)
    if isinstance(before, frozenset) and isinstance(after, frozenset) and len(before) + len(after) > 2:
        gained, lost = after - before, before - after
        if gained:
            yield wider(what, f"The recipient gains {label}: {listed(gained)}.", old=old[1], new=new[1])
        if lost:
            yield narrower(what, f"The recipient loses {label}: {listed(lost)}.", old=old[1], new=new[1])
        return
    words = f"{label[0].upper()}{label[1:]} changes from {_written(before)} to {_written(after)}"
    protects = what in ("epsilon", "k", "l")
    if tighter:
        who, gains = (Who.PERSONS, True) if protects else (Who.RECIPIENT, False)
        yield narrower(what, f"{words}: {_loses(who, gains)}.", who=who, gains=gains, old=old[1], new=new[1])
    else:
        who, gains = (Who.PERSONS, False) if protects else (Who.RECIPIENT, True)
        yield wider(what, f"{words}: {_loses(who, gains)}.", who=who, gains=gains, old=old[1], new=new[1])


def _loses(who: Who, gains: bool) -> str:
    if who is Who.PERSONS:
        return f"{who} {'gain' if gains else 'lose'} protection"
    return f"{who} {'gains' if gains else 'loses'}"


def _written(limit: Effective | Period) -> str:
    if isinstance(limit, frozenset):
        return listed(limit)
    if isinstance(limit, tuple):
        return _written(limit[0]) + ("" if limit[1] else " (not counted)")
    if isinstance(limit, datetime):
        return limit.isoformat().replace("+00:00", "Z")
    return f"{limit:f}" if isinstance(limit, Decimal) else str(limit)


def _prohibitions(old: Agreement, new: Agreement) -> Iterator[Change]:
    before, after = _forbidden(old), _forbidden(new)
    for (act, dataset), clause in before.items():
        if (act, dataset) not in after and (act, "") not in after:
            what = f"combining with `{shown(dataset)}`" if dataset else _named(act)
            yield wider(
                "prohibitions",
                f"The recipient is no longer forbidden {what}.",
                old=clause,
                new=new.clause("prohibition"),
            )
    for (act, dataset), clause in after.items():
        if (act, dataset) not in before and (act, "") not in before:
            what = f"combining with `{shown(dataset)}`" if dataset else _named(act)
            yield narrower(
                "prohibitions",
                f"The recipient is now forbidden {what}.",
                old=old.clause("prohibition"),
                new=clause,
            )


def _named(act: str) -> str:
    return "combining with any other data" if act == COMBINE else f"`{act}`"


def _forbidden(agreement: Agreement) -> dict[tuple[str, str], str]:
    """Each forbidden act, with the dataset where it's forbidden with that one only; the clause that says so first."""
    found: dict[tuple[str, str], str] = {}
    for each in agreement.prohibitions:
        for dataset in each.datasets if each.datasets is not None else ("",):
            found.setdefault((each.act, dataset), each.clause)
    return found


def _obligations(old: Agreement, new: Agreement) -> Iterator[Change]:
    for before in old.obligations:
        if any(_as_strict(each, before) for each in new.obligations):
            continue
        rest = [each for each in new.obligations if each.duty == before.duty]
        what = f"The recipient's duty `{before.duty}`"
        if rest:
            words = f"{what} is loosened: {_instead(rest[0], before)}."
            yield wider("obligations", words, old=before.clause, new=rest[0].clause)
        else:
            words = f"{what} {_by(before.limit)} is dropped."
            yield wider("obligations", words, old=before.clause, new=new.clause("obligation"))
    for after in new.obligations:
        same = [each for each in old.obligations if each.duty == after.duty]
        if any(_as_strict(each, after) for each in same):
            continue
        looser = next((each for each in same if _as_strict(after, each)), None)
        if looser is not None:
            words = f"The recipient's duty `{after.duty}` is tightened: {_instead(after, looser)}."
            yield narrower("obligations", words, old=looser.clause, new=after.clause)
        elif not same:
            words = f"The recipient has the duty `{after.duty}` {_by(after.limit)} now."
            yield narrower("obligations", words, old=old.clause("obligation"), new=after.clause)


def _instead(now: Obligation, before: Obligation) -> str:
    """`within 60 days instead of 30`: both limits, the unit once where it's the same."""
    was = _by(before.limit)
    if type(now.limit) is type(before.limit):
        was = was.partition(" ")[2].removesuffix(" days")
    return f"{_by(now.limit)} instead of {was}"


def _by(limit: Decimal | datetime | Period) -> str:
    if isinstance(limit, Decimal):
        return f"within {limit:f} days"
    return f"{'every' if isinstance(limit, Period) else 'by'} {_written(limit)}"


def _as_strict(one: Obligation, other: Obligation) -> bool:
    """Whether a duty asks for at least as much as another."""
    if one.duty != other.duty:
        return False
    a, b = one.limit, other.limit
    if isinstance(a, Period) and isinstance(b, Period):
        return no_longer(a, b)
    if isinstance(a, datetime) and isinstance(b, datetime):
        return a <= b
    return isinstance(a, Decimal) and isinstance(b, Decimal) and a <= b
