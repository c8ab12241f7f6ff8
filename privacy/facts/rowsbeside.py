"""Rows of facts read beside those of other contracts: what a reader of all of them knows of a person.

Who has two tables of the same facts lays them side by side: by what both show he finds the rows that are one fact, and knows of it
what either shows; and where one contract's pseudonym lasts, it joins what the other one's keeps apart. The attacker here is the
strongest, who finds all of them. What he could single out is measured like that of one table, over our rows with the columns of
all; what another contract changes by chance (noise, moved days) counts as it came, which errs on the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.model import Contract, Table
from contracts.protection import RowPlan, Transform, Treatment
from core.progress import Progress, silent
from core.proof import Window
from privacy.facts.attackers import Attackers, Seen
from privacy.facts.coded import Coded, ranked
from privacy.facts.others import refuse_lacking, same_facts, source_names
from privacy.facts.periods import micros, since_1970
from privacy.facts.rowrisk import RowsBeside
from privacy.facts.treated import by_value
from privacy.history.links import facts_of
from privacy.history.memory import History, OtherRows
from privacy.history.shown import Shown, ShownColumn

HIDDEN = (Transform.PSEUDONYM, Transform.TOKEN, Transform.DROP)  # nobody outside knows what stands there


def shown_of(contract: Contract, table: Table, fields: pa.Schema) -> Shown:
    """What is to be remembered of a table of rows. fields: of its source, by our names."""
    terms, plan = contract.privacy, table.rows
    assert terms is not None  # it holds facts of persons
    assert plan is not None  # as rows
    source = source_names(table)
    columns = [
        ShownColumn(
            name=source[column.name],
            type=str(fields.field(column.name).type),
            transform=column.transform,
            treatment=column.treatment,
        )
        for column in table.columns
        if column.transform not in HIDDEN
    ]
    return Shown(
        table=table.name,
        origins=facts_of(contract, table),
        unit=source[terms.unit],
        time=source.get(table.time_column or "", ""),
        period=plan.period or "",
        period_column=source.get(plan.period_column or "", "") if plan.period is not None else "",
        points=plan.points,
        limit=plan.max_unicity,
        columns=tuple(columns),
    )


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The tables of others that hold the same facts as ours. read: our names of those columns that have to be read for it."""

    others: Sequence[OtherRows]
    read: tuple[str, ...]


def beside_of(history: History | None, contract: Contract, table: Table, fields: pa.Schema) -> Beside:
    """Which tables of others hold the same facts. fields: of the source, by our names. Raises PrivacyError where one can't be
    read beside ours."""
    others = [
        each
        for each in (history.rows if history is not None else ())
        if history is not None
        and same_facts(each.shown.origins, each.shown.time, each.window, contract, table, history.window)
    ]
    read: dict[str, None] = {}
    for each in others:
        read |= dict.fromkeys(_read(each, contract, table, fields))
    return Beside(others=others, read=tuple(read))


def _read(each: OtherRows, contract: Contract, table: Table, fields: pa.Schema) -> list[str]:
    source = source_names(table)
    ours = {theirs: name for name, theirs in source.items()}
    wanted = _added(each.shown, table)
    kinds = {source[field.name]: str(field.type) for field in fields if field.name in source}
    columns = [(column.name, column.type) for column in wanted]
    refuse_lacking(each.release, "rows", each.shown.unit, columns, kinds, contract, table)
    time = [ours[each.shown.time]] if each.shown.time in ours else []
    return [*(ours[column.name] for column in wanted), *time]


def _added(shown: Shown, table: Table) -> list[ShownColumn]:
    """The columns of theirs that tell more than ours do."""
    ours = {column.physical_name or column.name: column for column in table.columns}
    added = []
    for column in shown.columns:
        mine = ours.get(column.name)
        by_chance = column.transform in (Transform.NOISE, Transform.SHIFT)
        as_we_do = mine is not None and (mine.transform, mine.treatment) == (
            column.transform,
            column.treatment,
        )
        if column.transform is Transform.REDACT or (mine is not None and mine.transform is Transform.KEEP):
            continue
        if not as_we_do or by_chance:
            added.append(column)
    return added


def measured_beside(
    beside: Beside,
    written: Seen,
    table: Table,
    plan: RowPlan,
    columns: Mapping[str, Coded],
    *,
    group: npt.NDArray[np.int32],
    key: bytes,
    progress: Progress = silent,
) -> RowsBeside | None:
    """What a reader of all tables singles out; None where there's no other.

    written: our rows. columns: those of `beside.read`, as they came, in the order of the written rows. group: (traces,) what tells
    our candidates apart. key: of the draws.
    """
    if not beside.others:
        return None
    source = source_names(table)
    ours = {theirs: name for name, theirs in source.items()}
    known = dict(written.columns)
    for number, each in enumerate(beside.others):
        inside = _inside(each, ours, columns, len(written.trace_of_row))
        for column in _added(each.shown, table):
            coded = columns[ours[column.name]]
            if column.transform in (Transform.ROUND, Transform.CLAMP):
                coded = by_value(column.name, column.transform, column.treatment or Treatment(), coded)
            known[f"{column.name} of {number}"] = np.where(inside, ranked(coded).astype(np.int64) + 1, 0)
    period = (plan.period or "", source.get(plan.period_column or "", "") if plan.period is not None else "")
    follows = any((each.shown.period, each.shown.period_column) != period for each in beside.others)
    joined = replace(written, columns=known)
    if follows and plan.period is not None:
        joined, group = _by_owner(joined)
    found = Attackers(joined, group=group, key=key).measured(progress=progress)
    asked = [
        (plan.points, plan.max_unicity),
        *((each.shown.points, each.shown.limit) for each in beside.others),
    ]
    points, limit = max(asked, key=lambda each: found.strongest(each[0])[1].high - each[1])
    return RowsBeside(live=len(beside.others), points=points, limit=limit, reached=found.strongest(points)[1])


def _inside(
    each: OtherRows, ours: Mapping[str, str], columns: Mapping[str, Coded], rows: int
) -> npt.NDArray[np.bool_]:
    """(rows,) which of our rows may be theirs, by their window."""
    if each.shown.time not in ours or each.window == Window():
        return np.ones(rows, np.bool_)
    values, codes = columns[ours[each.shown.time]]
    at = micros(values) if len(values) else np.zeros(0, np.int64)
    inside = np.ones(len(values) + 1, np.bool_)
    inside[-1] = False  # a fact without a time lies in no window
    if each.window.start is not None:
        inside[:-1] &= at >= since_1970(each.window.start)
    if each.window.end is not None:
        inside[:-1] &= at < since_1970(each.window.end)
    return inside[codes]


def _by_owner(written: Seen) -> tuple[Seen, npt.NDArray[np.int32]]:
    """The rows as one who can follow everybody from period to period sees them, and what tells candidates apart: nothing."""
    owners, trace = np.unique(written.owner, return_inverse=True)
    none = np.zeros(len(owners), np.int32)
    return Seen(
        pseudonyms=pa.nulls(len(owners)),
        trace_of_row=trace.astype(np.int32)[written.trace_of_row],
        owner=owners.astype(np.int32),
        period=none,
        columns=written.columns,
    ), none
