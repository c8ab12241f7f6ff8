"""What changes in the contract itself: which tables and columns go out, how coarse, under which limits, from where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from contracts.changes.change import Change, Who, listed, narrower, wider
from contracts.changes.protection import plans, same_tree, treatment
from contracts.compile import IN_HIERARCHY
from contracts.declared import DOORS, Grade
from contracts.model import Column, Contract, Role, Table, TableKind
from contracts.problems import shown
from contracts.protection import PrivacyTerms

_GRADES = (Grade.GENERAL, Grade.IMPORTANT, Grade.CORE)


def data_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """All changes between two versions of a contract, but its name, version and prose."""
    yield from _parties(old, new)
    yield from _term(old, new)
    yield from _privacy(old.privacy, new.privacy)
    yield from _limits(old, new)
    yield from _said(old, new)
    before = {table.name: (i, table) for i, table in enumerate(old.tables)}
    after = {table.name: (i, table) for i, table in enumerate(new.tables)}
    for name, (i, table) in after.items():
        if name not in before:
            out = [column.name for column in table.columns if _doors(column)]
            words = f"The recipient gains the table `{shown(name)}`, with {listed(out) or 'no column'}."
            yield wider("tables", words, new=f"schema[{i}]")
    for name, (i, table) in before.items():
        if name not in after:
            yield narrower("tables", f"The recipient loses the table `{shown(name)}`.", old=f"schema[{i}]")
        else:
            j, other = after[name]
            yield from _table(table, other, f"schema[{i}]", f"schema[{j}]")


def _parties(old: Contract, new: Contract) -> Iterator[Change]:
    for name, clause, who in (("recipient", "sluiceRecipient", "recipient"), ("tenant", "tenant", "tenant")):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            words = (
                f"The {who} is `{shown(after)}` now, and was `{shown(before)}`: all of it goes to another."
            )
            yield wider("parties", words, old=clause, new=clause)
    if old.purpose != new.purpose:
        words = "The purpose is worded anew; read both, no program can compare them."
        yield wider("purposes", words, old="description.purpose", new="description.purpose")


def _term(old: Contract, new: Contract) -> Iterator[Change]:
    for clause, before, after, longer in (
        ("sluiceTerm.from", old.term.start, new.term.start, new.term.start < old.term.start),
        ("sluiceTerm.until", old.term.end, new.term.end, new.term.end > old.term.end),
    ):
        if before != after:
            which = "first" if clause.endswith("from") else "last"
            words = f"The {which} day changes from {before} to {after}: the recipient {'gains' if longer else 'loses'} time."
            yield (wider if longer else narrower)("time", words, old=clause, new=clause)


def _privacy(old: PrivacyTerms | None, new: PrivacyTerms | None) -> Iterator[Change]:
    clause = "sluicePrivacy"
    if old is None or new is None:
        if old is not None:
            words = "There are no privacy limits any more: the persons in the data lose protection."
            yield wider("k", words, who=Who.PERSONS, gains=False, old=clause)
        elif new is not None:
            words = "There are privacy limits now: the persons in the data gain protection."
            yield narrower("k", words, who=Who.PERSONS, gains=True, new=clause)
        return
    if old.unit != new.unit:
        words = f"The privacy unit is `{shown(new.unit)}` now, and was `{shown(old.unit)}`: every limit counts others."
        yield wider("k", words, who=Who.PERSONS, gains=False, old=f"{clause}.unit", new=f"{clause}.unit")
    for name, key, more_protects in (("k", "k", True), ("l", "l", True), ("entropy_l", "entropyL", True), ("t", "t", False)):  # fmt: skip
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        place = f"{clause}.{key}"
        told = [f"{each:g}" if isinstance(each, float) else each or "none" for each in (before, after)]
        change = f"{key} changes from {told[0]} to {told[1]}: the persons in the data"
        if after is None or (before is not None and (after < before) is more_protects):
            yield wider(key, f"{change} lose protection.", who=Who.PERSONS, gains=False, old=place, new=place)
        else:
            yield narrower(
                key, f"{change} gain protection.", who=Who.PERSONS, gains=True, old=place, new=place
            )
    if old.search is not new.search:
        words = f"Classes are found by `{new.search}` now, and were by `{old.search}`: other details of the values go out."
        yield wider("limits", words, old=f"{clause}.search", new=f"{clause}.search")
    for name, key, label in (
        ("max_suppressed", "maxSuppressed", "the share of units that may be left out"),
        ("max_intersected", "maxIntersected", "the share of units that releases together may narrow down"),
    ):
        yield from _number(label, getattr(old, name), getattr(new, name), f"{clause}.{key}")


def _number(label: str, old: float, new: float, clause: str) -> Iterator[Change]:
    if old != new:
        words = f"The limit on {label} changes from {old:g} to {new:g}."
        yield (wider if new > old else narrower)("limits", words, old=clause, new=clause)


def _limits(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _number(
        "the share of rows set aside", old.max_quarantined, new.max_quarantined, "sluiceQuarantine.maxShare"
    )
    if old.quarantine_days != new.quarantine_days:
        longer = new.quarantine_days > old.quarantine_days
        words = f"Rows set aside are kept for {new.quarantine_days} days, and were for {old.quarantine_days}."
        yield (wider if longer else narrower)(
            "limits", words, who=Who.PLATFORM, gains=longer, old="sluiceQuarantine", new="sluiceQuarantine"
        )
    if old.schedule != new.schedule:
        words = f"Data comes at `{shown(new.schedule)}` now, and came at `{shown(old.schedule)}`."
        yield wider("limits", words, old="slaProperties", new="slaProperties")


def _said(old: Contract, new: Contract) -> Iterator[Change]:
    """What must be read by a person: where data comes from, and what the contract declares of the law."""
    if replace(old.source, base=None) != replace(new.source, base=None):
        yield wider(
            "source",
            "The data comes from another source, or is read otherwise.",
            old="servers",
            new="servers",
        )
    for what, name, clause in (
        ("compliance", "compliance", "sluiceCompliance"),
        ("compliance", "provision", "sluiceProvision"),
    ):
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if before is None:
            yield narrower(what, f"{clause} is declared now.", who=Who.PLATFORM, new=clause)
        else:
            changed = "all of it" if after is None else listed(_unlike(before, after))
            yield wider(what, f"{clause} changes: {changed}.", old=clause, new=clause if after else "")


def _unlike(old: object, new: object) -> list[str]:
    names = [field.name for field in fields(old) if field.compare]  # type: ignore[arg-type]
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _table(old: Table, new: Table, was: str, now: str) -> Iterator[Change]:
    label = f"`{shown(old.name)}`"
    for name, key in (
        ("kind", "sluiceKind"),
        ("physical_name", "physicalName"),
        ("time_column", "sluiceTime"),
    ):
        if getattr(old, name) != getattr(new, name):
            words = f"{key} of {label} is `{shown(getattr(new, name))}` now, and was `{shown(getattr(old, name))}`."
            yield wider("transforms", words, old=f"{was}.{key}", new=f"{now}.{key}")
    yield from plans(old, new, label, was, now)
    yield from _checks(old, new, label, was, now)
    before = {column.name: (i, column) for i, column in enumerate(old.columns)}
    after = {column.name: (i, column) for i, column in enumerate(new.columns)}
    for name in (*before, *(each for each in after if each not in before)):
        place = f"{was}.properties[{before[name][0]}]" if name in before else ""
        place_now = f"{now}.properties[{after[name][0]}]" if name in after else ""
        one, other = before.get(name, (0, None))[1], after.get(name, (0, None))[1]
        yield from _column(f"`{shown(name)}` of {label}", new.kind, one, other, place, place_now)


def _checks(old: Table, new: Table, label: str, was: str, now: str) -> Iterator[Change]:
    # A tree that one side has read and the other knows by its digest alone makes a check on one side only.
    apart = {
        IN_HIERARCHY.format(name=column.name)
        for column in old.columns
        for other in new.columns
        if column.name == other.name
        and column.hierarchy != other.hierarchy
        and same_tree(column.hierarchy, other.hierarchy)
    }
    before = {check.name: check for check in old.checks if check.name not in apart}
    after = {check.name: check for check in new.checks if check.name not in apart}
    gone = [name for name in before if before[name] != after.get(name)]
    come = [name for name in after if after[name] != before.get(name) and name not in before]
    if gone:
        yield wider("checks", f"{label} loses or changes the checks {listed(gone)}.", old=was, new=now)
    if come:
        yield narrower("checks", f"{label} gets the checks {listed(come)}.", old=was, new=now)


def _doors(column: Column) -> frozenset[str]:
    """The doors through which anything of a column goes."""
    return frozenset(door for door in DOORS if column.passes(door))


def _column(label: str, kind: TableKind, old: Column | None, new: Column | None, was: str, now: str) -> Iterator[Change]:  # fmt: skip
    before = _doors(old) if old is not None else frozenset()
    after = _doors(new) if new is not None else frozenset()
    if after - before:
        words = f"The recipient gains the column {label} at {_at(after - before)}."
        yield wider("columns", words, old=was, new=now)
    if before - after:
        words = f"The recipient loses the column {label} at {_at(before - after)}."
        yield narrower("columns", words, old=was, new=now)
    if old is None or new is None:
        return
    yield from _graded(label, old, new, was, now)
    if not before & after:
        return
    yield from treatment(label, old, new, was, now)
    if old.role is not new.role:
        # From a plain attribute to one that limits count is the only change of role that can't take protection away.
        safer = old.role is Role.ATTRIBUTE and kind is not TableKind.REFERENCE
        words = f"The column {label} counts as {new.role} now, and did as {old.role}."
        yield (narrower if safer else wider)("transforms", words, old=was, new=now)
    if not same_tree(old.hierarchy, new.hierarchy):
        yield wider("transforms", f"sluiceHierarchy of the column {label} is another.", old=was, new=now)
    for name, key in (("type", "logicalType"), ("physical_name", "physicalName"), ("physical_type", "physicalType")):  # fmt: skip
        if getattr(old, name) != getattr(new, name):
            yield wider("transforms", f"{key} of the column {label} is another.", old=was, new=now)


def _graded(label: str, old: Column, new: Column, was: str, now: str) -> Iterator[Change]:
    if old.grade is not new.grade:
        higher = old.grade is None or (
            new.grade is not None and _GRADES.index(new.grade) > _GRADES.index(old.grade)
        )
        words = (
            f"The column {label} is graded {new.grade or 'nothing'} now, and was {old.grade or 'nothing'}."
        )
        yield (narrower if higher else wider)("compliance", words, who=Who.PLATFORM, old=was, new=now)
    if old.sensitivity is not new.sensitivity:
        words = f"The column {label} is declared {new.sensitivity or 'nothing'} now, and was {old.sensitivity or 'nothing'}."
        yield (narrower if old.sensitivity is None else wider)(
            "compliance", words, who=Who.PLATFORM, old=was, new=now
        )
    if old.carries != new.carries:
        # What is declared to stand in a column is what no scan stops at.
        words = f"The column {label} is said to carry {_kinds(new)} now, and was {_kinds(old)}."
        more = set(new.carries) - set(old.carries)
        yield (wider if more else narrower)("compliance", words, who=Who.PLATFORM, old=was, new=now)


def _kinds(column: Column) -> str:
    return ", ".join(column.carries) or "nothing"


def _at(doors: frozenset[str]) -> str:
    names: Sequence[str] = [door for door in DOORS if door in doors]
    return f"the door{'s' if len(names) > 1 else ''} {', '.join(names)}"
