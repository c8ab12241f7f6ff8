"""Rows of facts read after those of the contract's earlier releases: what a reader who follows a pseudonym knows of a person.

A lasting pseudonym ties the rows of all windows together, and one that changes each month those of the weeks in it. The few facts
that somebody knows of a person may come from any of them, so that each further release singles out more. It's measured like one
table: over the rows of all, as they were published.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Contract, Table
from core.digest import file_digest
from core.errors import IntegrityError, PrivacyError
from core.parquet import batches, schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.facts.attackers import Attackers, Seen
from privacy.facts.coded import ranked
from privacy.facts.rowrisk import RowsBeside
from privacy.history.memory import History, RowsBefore
from privacy.measures.written import whole
from privacy.subjects.encode import Encoder

_Kinds = dict[str, pa.DataType]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The rows of all releases under our pseudonyms. live: in how many earlier ones there are any."""

    seen: Seen
    live: int


def followed(
    written: Seen,
    target: Path,
    history: History | None,
    table: Table,
    *,
    unit: str,
    hidden: Collection[str],
) -> Followed | None:
    """Our rows with those that earlier releases show under the same pseudonyms; None where there are none.

    written: of our file at `target`. hidden: columns of which nobody outside knows what stands there. Where pseudonyms are for
    good, who stands only in an earlier release is a candidate too.
    Raises IntegrityError when an earlier file isn't as it was published.
    """
    before = history.before if history is not None else ()  # by whatever name: the pseudonym tells
    if not before or not len(written.trace_of_row):
        return None
    ours = _kinds(whole(target), unit, hidden)
    kind = schema(whole(target)).field(unit).type
    files, kinds = [], [ours]
    for each in before:
        _check(each)
        fields = schema(each.file)
        if unit in fields.names and fields.field(unit).type == kind:
            files.append(each)
            kinds.append(_kinds(each.file, unit, hidden))
    columns = _together(kinds)
    encoders = {name: Encoder() for name in (unit, *columns)}
    for file, there in zip([whole(target), *(each.file for each in files)], kinds, strict=True):
        for batch in batches(file, [unit, *there]):
            encoders[unit].add(batch.column(unit))
            for name, to in columns.items():
                came = batch.column(name) if name in there else pa.nulls(batch.num_rows, to)
                encoders[name].add(came.cast(to))
    values, codes = encoders.pop(unit).finish()
    bounds = np.cumsum([len(written.trace_of_row), *(each.file.rows for each in files)])
    trace = _traces(written, values, codes)
    count = len(written.pseudonyms)
    known = trace < count
    live = sum(bool(known[start:end].any()) for start, end in pairwise(bounds))
    if not live:
        return None
    lasting = table.rows is not None and table.rows.period is None
    for each, (start, end) in zip(files, pairwise(bounds), strict=True):
        known[start:end] |= lasting and each.lasting
    stays = np.flatnonzero(known)
    others, place = np.unique(trace[stays], return_inverse=True)  # ours are all there, and come first
    strangers = len(others) - count
    return Followed(
        seen=Seen(
            pseudonyms=pa.concat_arrays([written.pseudonyms, pa.nulls(strangers, written.pseudonyms.type)]),
            trace_of_row=place.astype(np.int32),
            owner=np.append(
                written.owner, written.owner.max(initial=-1) + 1 + np.arange(strangers, dtype=np.int32)
            ),
            period=np.append(written.period, np.zeros(strangers, np.int32)),
            columns={name: ranked(encoder.finish())[stays] for name, encoder in encoders.items()},
        ),
        live=live,
    )


def measured_before(
    found: Followed,
    contract: Contract,
    table: Table,
    *,
    group: npt.NDArray[np.int32],
    key: bytes,
    progress: Progress = silent,
) -> RowsBeside:
    """What the reader of all singles out. group: (traces,) what tells candidates apart. key: of the draws. Raises PrivacyError
    where it's more than the contract lets be."""
    plan = table.rows
    assert plan is not None  # it goes out as rows
    _, reached = (
        Attackers(found.seen, group=group, key=key).measured(progress=progress).strongest(plan.points)
    )
    if reached.high > plan.max_unicity:
        raise PrivacyError(
            f"Release refused: read after {found.live} earlier releases that show the same pseudonyms, {plan.points} known rows of "
            f"`{table.name}` single out {reached.share:.1%} (95 %: up to {reached.high:.1%}) of those who are there; contract "
            f"{contract.id} {contract.version} allows {plan.max_unicity:.1%}.",
            remedy="Let the pseudonym change with each window (sluiceRows: pseudonym: changing), or coarsen the columns; or suspend or "
            "terminate the contract and delete its earlier releases.",
            table=table.name,
            share=reached.share,
            high=reached.high,
            limit=plan.max_unicity,
        )
    return RowsBeside(live=found.live, points=plan.points, limit=plan.max_unicity, reached=reached)


def _traces(written: Seen, values: pa.Array, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(rows,) whose trace each row is in: a place among our pseudonyms, or beyond them."""
    ours = pc.index_in(values, value_set=written.pseudonyms).fill_null(-1).to_numpy(zero_copy_only=False)
    place = np.where(ours < 0, len(written.pseudonyms) + np.arange(len(values)), ours)
    return np.append(place, len(written.pseudonyms) + len(values))[codes]  # -1, without one, is the last


def _kinds(file: TableFile, unit: str, hidden: Collection[str]) -> _Kinds:
    """The types of the columns that tell of a fact."""
    found = {}
    for field in schema(file):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name != unit and field.name not in hidden and not pa.types.is_fixed_size_binary(kind):
            found[field.name] = kind
    return found


def _together(kinds: Sequence[_Kinds]) -> _Kinds:
    """The type in which a column is compared: its own where it's the same everywhere, else text."""
    found: _Kinds = {}
    for name, kind in (item for each in kinds for item in each.items()):
        found[name] = kind if found.get(name, kind) == kind else pa.string()
    return found


def _check(each: RowsBefore) -> None:
    if not each.file.path.is_file() or file_digest(each.file.path) != each.file.sha256:
        raise IntegrityError(
            f"The rows of `{each.table}` in {each.release} aren't as they were published, so that nobody can say what a further "
            "release would tell beside them.",
            where=str(each.file.path),
            remedy="Put the file back from its backup; or withhold and delete that release first.",
        )
