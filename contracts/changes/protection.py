"""What changes in how persons are protected: what is done to a column, by which tree, and in which form facts go out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from contracts.changes.change import Change, Who, narrower, wider
from contracts.model import Column, Table
from contracts.problems import shown
from contracts.protection import CellPlan, HierarchySpec, RowPlan, Transform, Treatment
from contracts.rowplan import PERIODS

_DONE = {
    Transform.DROP: "dropped",
    Transform.PSEUDONYM: "pseudonymised",
    Transform.TOKEN: "tokenised",
    Transform.GENERALIZE: "generalised",
    Transform.KEEP: "kept as it is",
    Transform.REDACT: "redacted",
    Transform.ROUND: "rounded",
    Transform.CLAMP: "clamped",
    Transform.NOISE: "made noisy",
    Transform.SHIFT: "shifted",
}


def treatment(label: str, old: Column, new: Column, was: str, now: str) -> Iterator[Change]:
    """What is done otherwise to a column that goes out in both versions."""
    if old.transform is not new.transform:
        words = f"The column {label} is {_DONE[new.transform]} now, and was {_DONE[old.transform]}."
        yield (narrower if _less(new.transform, old.transform) else wider)(
            "transforms", words, old=was, new=now
        )
    elif old.treatment != new.treatment:
        less = _tighter(new.transform, old.treatment or Treatment(), new.treatment or Treatment())
        before, after = _parameters(old.treatment), _parameters(new.treatment)
        words = f"The column {label} is {_DONE[new.transform]} with {after} now, and was with {before}."
        yield (narrower if less else wider)("transforms", words, old=was, new=now)


def same_tree(old: HierarchySpec | None, new: HierarchySpec | None) -> bool:
    """Whether two hierarchies coarsen alike; a tree that was read and one known by its digest are one when that is one."""
    if old is None or new is None:
        return old is new
    if old.unread or new.unread:
        digests = [spec.file.sha256 if spec.file is not None else None for spec in (old, new)]
        return digests[0] == digests[1]
    return replace(old, file=None) == replace(new, file=None)


def plans(old: Table, new: Table, label: str, was: str, now: str) -> Iterator[Change]:
    """Facts that go out in another form, or by another plan."""
    if old.rows is not None and new.rows is not None:
        yield from _rows(old.rows, new.rows, label, f"{was}.sluiceRows", f"{now}.sluiceRows")
        return
    if old.rows is not None or new.rows is not None:
        form = "row by row under a pseudonym" if new.rows is not None else "otherwise"
        words = f"The facts of {label} go out {form} now, and did {'otherwise' if new.rows is not None else 'row by row'}."
        keys = ["sluiceRows" if table.rows is not None else "sluiceCells" for table in (old, new)]
        yield wider("transforms", words, old=f"{was}.{keys[0]}", new=f"{now}.{keys[1]}")
        return
    if old.cells != new.cells:
        coarser = _coarser(old.cells, new.cells)
        words = f"The cells of {label} {'are held to more persons' if coarser else 'are made otherwise'}."
        yield (narrower if coarser else wider)(
            "transforms", words, old=f"{was}.sluiceCells", new=f"{now}.sluiceCells"
        )


def _less(new: Transform, old: Transform) -> bool:
    """Whether surely less of a column is left to see. Rounded or noisy, generalised or tokenised: nobody can say which is less."""
    if new is Transform.DROP or old is Transform.KEEP:
        return True
    if new is Transform.REDACT:
        return old is not Transform.DROP
    # Both stand for one value each; of the two only a token can be undone by its holders.
    return new is Transform.PSEUDONYM and old is Transform.TOKEN


def _tighter(transform: Transform, old: Treatment, new: Treatment) -> bool:
    """Whether the new parameters of one transform surely leave less to see."""
    if transform is Transform.ROUND:
        return _gathers(old.step, new.step)
    if transform is Transform.CLAMP:
        low = old.low is None or (new.low is not None and new.low >= old.low)
        high = old.high is None or (new.high is not None and new.high <= old.high)
        return low and high
    if transform is Transform.NOISE and old.scale is not None and new.scale is not None:
        return new.scale >= old.scale and _gathers(old.step, new.step)
    if transform is Transform.SHIFT:
        return (new.days or 0) > (old.days or 0)
    return False  # a token of another holder


def _gathers(finer: Decimal | None, coarser: Decimal | None) -> bool:
    """Whether a grid has points of the other one only."""
    return finer is not None and coarser is not None and (coarser.as_integer_ratio()[0] * finer.as_integer_ratio()[1]) % (
        coarser.as_integer_ratio()[1] * finer.as_integer_ratio()[0]
    ) == 0  # fmt: skip


def _parameters(of: Treatment | None) -> str:
    given = of or Treatment()
    pairs = [(name, getattr(given, name)) for name in ("holder", "step", "low", "high", "scale", "days")]
    return (
        ", ".join(f"{name} {shown(value)}" for name, value in pairs if value is not None) or "no parameters"
    )


def _coarser(old: CellPlan | None, new: CellPlan | None) -> bool:
    if old is None or new is None:
        return False
    same = replace(old, segment_min_units=new.segment_min_units) == new
    return same and new.segment_min_units > old.segment_min_units


def _rows(old: RowPlan, new: RowPlan, label: str, was: str, now: str) -> Iterator[Change]:
    if old.period != new.period:
        shorter = new.period is not None and (
            old.period is None or PERIODS.index(new.period) < PERIODS.index(old.period)
        )
        told = [f"each {period}" if period else "never" for period in (old.period, new.period)]
        words = f"The pseudonym in rows of {label} changes {told[1]} now, and did {told[0]}."
        yield _persons("transforms", words, safer=shorter, old=was, new=now)
    if old.period and new.period and old.period_column != new.period_column:
        words = f"The periods of {label} are those of `{shown(new.period_column)}` now, and were of `{shown(old.period_column)}`."
        yield wider("transforms", words, old=was, new=now)
    if old.max_rows != new.max_rows:
        fewer = new.max_rows is not None and (old.max_rows is None or new.max_rows < old.max_rows)
        words = f"At most {new.max_rows or 'all'} rows of one unit go out of {label}, and {old.max_rows or 'all'} did."
        yield _persons("transforms", words, safer=fewer, old=was, new=now)
    if old.points != new.points:
        # The more an attacker is supposed to know, the more units are singled out, and the harder one limit is to keep.
        words = f"Unicity of {label} is measured at {new.points} known points, and was at {old.points}."
        yield _persons("unicity", words, safer=new.points > old.points, old=was, new=now)
    if old.max_unicity != new.max_unicity:
        words = f"The limit on units of {label} that known points single out changes from {old.max_unicity:g} to {new.max_unicity:g}."
        yield _persons("unicity", words, safer=new.max_unicity < old.max_unicity, old=was, new=now)


def _persons(what: str, words: str, *, safer: bool, old: str, new: str) -> Change:
    return (narrower if safer else wider)(what, words, who=Who.PERSONS, gains=safer, old=old, new=new)
