"""A subject table from raw rows to a safe file: cube, classes, order, file, and the risk measured on that file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.model import Column, Contract, LogicalType, Role, Table
from contracts.protection import PrivacyTerms, Transform
from core.errors import PrivacyError
from core.keys import ContractKeys
from core.parquet import batches, schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.facts.ladders import SEGMENT
from privacy.measures.measure import measured_on
from privacy.measures.risk import sizes_before
from privacy.measures.written import Shown, shown, whole
from privacy.models.rules import DISTINCT, NAMES, Asked, asked_of
from privacy.report.parts import Measures
from privacy.report.report import SubjectRisk
from privacy.search.judge import judged
from privacy.subjects.attach import Column as Given
from privacy.subjects.attach import attach, by_group, by_row, class_of_rows, constant, drawn, pseudonyms
from privacy.subjects.classes import Classes, classify
from privacy.subjects.cube import Cube, build_cube
from privacy.subjects.grouping import distinct, packed
from privacy.subjects.order import Order, by_labels, shuffled
from privacy.subjects.units import folded
from privacy.transforms.coding import REDACTED
from privacy.transforms.noise import noised


@dataclass(frozen=True, kw_only=True)
class SafeSubjects:
    """risk, measures: what the written file gives away and keeps. segments: (person's name, segment) for every person published,
    columns `unit` and `segment`; None when no facts need segments."""

    risk: SubjectRisk
    measures: Measures
    segments: pa.Table | None


def make_safe(
    file: TableFile,
    contract: Contract,
    plan: Table,
    terms: PrivacyTerms,
    keys: ContractKeys,
    *,
    target: Path,
    segment_min_units: int | None,
    source_digest: str,
    progress: Progress = silent,
) -> SafeSubjects:
    """Writes the subject table `plan` of the contract with its quasi-identifiers coarsened and its identifiers replaced.

    file: the validated rows, of the source that `source_digest` names. target: a Parquet file that isn't there yet.
    segment_min_units: fewest persons of a segment, or None when no facts need segments.
    Raises PrivacyError when the limits can't be met within the suppression limit, or aren't met in the file.
    """
    _known(plan)
    quasi = [c for c in plan.columns if c.transform is Transform.GENERALIZE]
    sensitive = [c for c in plan.with_role(Role.SENSITIVE) if c.transform not in _HIDDEN]
    if segment_min_units is not None and any(column.name == SEGMENT for column in plan.columns):
        raise PrivacyError(
            f"`{plan.name}` has a column `{SEGMENT}` of its own.", remedy="Rename it: releases use that name."
        )
    cube = build_cube(
        file, name=plan.name, unit=terms.unit, quasi_identifiers=quasi, sensitive=sensitive, progress=progress
    )
    asked = asked_of(terms, ordered=[_has_order(column) for column in sensitive])
    progress(f"classes of {plan.name}")
    classes = classify(cube, terms, asked, segment_min_units=segment_min_units)
    if cube.rows and classes.lost > terms.max_suppressed * cube.owners.count:
        raise _cannot(contract, plan, terms, cube, lost=classes.lost)
    class_of_row = class_of_rows(cube, classes)
    names = _segment_names(classes, keys.derive("segments", plan.name, source_digest))
    published = [(label.names, label.of_class) for label in classes.labels]
    if names is not None and classes.segments is not None:
        published.insert(0, (names, classes.segments))
    order = by_labels(class_of_row, published, keys.derive("order", plan.name, source_digest))
    columns = _columns(file, contract, plan, keys, cube, classes, order, names)
    attach(target, order, columns, progress=progress)
    progress(f"measure {plan.name}")
    unit_of_row = None if cube.owners.of_row is None else cube.owners.of_row[order.rows]
    written = shown(
        whole(target),
        [*([SEGMENT] if names is not None else []), *(column.name for column in quasi)],
        [column.name for column in sensitive if column.transform is not Transform.NOISE],
        unit_of_row=unit_of_row,
    )
    _hold(written, contract, plan, terms, _of_file(asked, sensitive))
    before = sizes_before(cube)
    risk = _risk(cube, classes, order, written, plan, unique_before=int((before == 1).sum()))
    measures = measured_on(
        cube,
        classes,
        terms,
        asked,
        before=before,
        written=written.persons,
        ncp_by_column=risk.ncp_by_column,
        key=keys.derive("attacks", plan.name, source_digest),
    )
    segments = None
    if names is not None and classes.segments is not None:
        segments = _segments(file, terms.unit, class_of_row, classes.segments, names)
    return SafeSubjects(risk=risk, measures=measures, segments=segments)


_HIDDEN = frozenset({Transform.DROP, Transform.REDACT})  # nothing of the values is published
_DONE = _HIDDEN | {
    Transform.PSEUDONYM,
    Transform.GENERALIZE,
    Transform.KEEP,
    Transform.ROUND,
    Transform.CLAMP,
    Transform.NOISE,
}


def _known(plan: Table) -> None:
    """Fails closed where a column is to be treated in a way that isn't done here."""
    for column in plan.columns:
        if column.transform not in _DONE:
            raise PrivacyError(
                f"`{plan.name}.{column.name}` is to be treated by {column.transform.value}, and nobody holds the second key yet.",
                remedy="Set sluiceTransform: pseudonym, or drop the column.",
            )


def pseudonym_key(keys: ContractKeys, contract: Contract, column: Column) -> bytes:
    """The key of one column's pseudonyms: another one for each contract, recipient and column name."""
    return keys.derive("pseudonym", contract.recipient, column.name)


def _has_order(column: Column) -> bool:
    if column.hierarchy is not None and column.hierarchy.kind == "ordered":
        return True
    return column.type in (LogicalType.INTEGER, LogicalType.NUMBER, LogicalType.DATE, LogicalType.TIMESTAMP)


def _segment_names(classes: Classes, key: bytes) -> pa.Array | None:
    """The name of each segment, (segments,): numbers dealt out by the key, since their own would tell how they lie."""
    if classes.segments is None:
        return None
    count = int(classes.segments.max(initial=0)) + 1
    return pa.array([f"S{number + 1:02d}" for number in shuffled(count, key).tolist()])


def _columns(
    file: TableFile,
    contract: Contract,
    plan: Table,
    keys: ContractKeys,
    cube: Cube,
    classes: Classes,
    order: Order,
    segments: pa.Array | None,
) -> Mapping[str, tuple[pa.DataType, Given]]:
    """The published columns, in the contract's order: their types, and what gives their values."""
    labels = dict(zip(cube.hierarchies, classes.labels, strict=True))
    replaced = {
        column.name: pseudonym_key(keys, contract, column)
        for column in plan.columns
        if column.transform is Transform.PSEUDONYM
    }
    made = pseudonyms(file, replaced, cube.rows)
    columns: dict[str, tuple[pa.DataType, Given]] = {}
    fields = schema(file)
    for column in plan.columns:
        if column.name in made:
            columns[column.name] = made[column.name]
        elif column.name in labels:
            columns[column.name] = by_group(order, labels[column.name].of_class, labels[column.name].names)
        elif column.name in cube.secrets:
            secret = cube.secrets[column.name]
            kind = fields.field(column.name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            told = column.treatment
            if (
                column.transform is Transform.NOISE
                and told
                and told.scale is not None
                and told.step is not None
            ):
                columns[column.name] = drawn(
                    secret.of_row, secret.values, partial(noised, scale=told.scale, step=told.step)
                )
            else:
                columns[column.name] = by_row(secret.of_row, secret.values.cast(kind))
        elif column.transform is Transform.REDACT:
            columns[column.name] = constant(REDACTED)
    if segments is not None and classes.segments is not None:
        columns[SEGMENT] = by_group(order, classes.segments, segments)
    return columns


def _segments(
    file: TableFile,
    unit: str,
    class_of_row: npt.NDArray[np.int32],
    segment_of_class: npt.NDArray[np.int32],
    names: pa.Array,
) -> pa.Table:
    """Every published person's segment. All rows of a person are in one class, so each has one."""
    parts, start = [], 0
    for batch in batches(file, [unit]):
        classes = class_of_row[start : start + batch.num_rows]
        start += batch.num_rows
        kept = classes >= 0
        parts.append(
            pa.table(
                {
                    "unit": folded(batch.column(unit)).filter(pa.array(kept)),
                    SEGMENT: names.take(pa.array(segment_of_class[classes[kept]])),
                }
            )
        )
    if not parts:
        return pa.table(
            {"unit": pa.array([], schema(file).field(unit).type), SEGMENT: pa.array([], pa.string())}
        )
    whole_table = pa.concat_tables(parts)
    return whole_table.group_by("unit").aggregate([(SEGMENT, "min")]).rename_columns(["unit", SEGMENT])


def _of_file(asked: tuple[Asked, ...], sensitive: Sequence[Column]) -> tuple[Asked, ...]:
    """What can be asked of the file: of values with noise it tells nothing, the classes were judged by those before it."""
    seen = [number for number, column in enumerate(sensitive) if column.transform is not Transform.NOISE]
    return tuple(
        Asked(each.rule, seen.index(each.column), each.limit) for each in asked if each.column in seen
    )


def _hold(
    written: Shown, contract: Contract, plan: Table, terms: PrivacyTerms, asked: tuple[Asked, ...]
) -> None:
    """Holds the written file against the contract's limits once more."""
    if not len(written.persons):
        return
    if written.sizes.smallest < terms.k:
        raise broken("k", written.sizes.smallest, terms.k, contract, plan)
    for each in asked:
        safe = judged(written.tuples, written.part, len(written.persons), k=terms.k, asked=[each])
        if safe.all():
            continue
        if each.rule == DISTINCT:
            raise broken("l", _least_values(written) or 0, terms.l, contract, plan)
        raise PrivacyError(
            f"Release refused: {int((~safe).sum())} of {len(safe)} classes of `{plan.name}` as written don't keep "
            f"{NAMES[each.rule]} {each.limit:g}, which contract {contract.id} {contract.version} asks for.",
            remedy="Report this: the engine should have kept the limit.",
        )


def broken(limit: str, reached: int, asked: int, contract: Contract, table: Table) -> PrivacyError:
    """What is said when a file doesn't keep what it was made to keep."""
    return PrivacyError(
        f"Release refused: `{table.name}` as written reaches {limit} {reached}, contract {contract.id} "
        f"{contract.version} asks for {asked}.",
        remedy="Report this: the engine should have kept the limit.",
        reached=reached,
        asked=asked,
    )


def _risk(
    cube: Cube, classes: Classes, order: Order, written: Shown, plan: Table, *, unique_before: int
) -> SubjectRisk:
    sizes = written.sizes
    rows_of_class = np.bincount(class_of_rows(cube, classes)[order.rows], minlength=len(classes.persons))
    ncp = {
        name: float((label.loss * rows_of_class).sum() / max(1, rows_of_class.sum()))
        for name, label in zip(cube.hierarchies, classes.labels, strict=True)
    }
    return SubjectRisk(
        table=plan.name,
        units=sizes.units,
        rows=len(order.rows),
        classes=sizes.classes,
        k=sizes.smallest,
        l=_least_values(written),
        mean_class=sizes.mean,
        suppressed_units=classes.lost,
        suppressed_rows=cube.rows - len(order.rows),
        ncp=float(np.mean(list(ncp.values()))) if ncp else 0.0,
        ncp_by_column=ncp,
        risk_largest=1 / sizes.smallest if sizes.smallest else 0.0,
        risk_mean=sizes.classes / sizes.units if sizes.units else 0.0,
        unique_before=unique_before / cube.owners.count if cube.owners.count else 0.0,
        unique_after=sizes.singletons / sizes.units if sizes.units else 0.0,
        segments=len(np.unique(classes.segments)) if classes.segments is not None else 0,
    )


def _least_values(written: Shown) -> int | None:
    """The l of the file: fewest distinct values, or persons without the commonest plus one, over classes and columns."""
    tuples, count = written.tuples, len(written.persons)
    if not tuples.sensitive.shape[1]:
        return None
    least = np.full(count, np.iinfo(np.int64).max)
    for column in range(tuples.sensitive.shape[1]):
        there = tuples.sensitive[:, column] >= 0
        part, value = written.part[there], tuples.sensitive[there, column]
        pair, first = distinct(packed([part, value], [count, int(value.max(initial=-1)) + 1]))
        having = np.bincount(pair, weights=tuples.counted[there, column], minlength=len(first)).astype(
            np.int64
        )
        most = np.zeros(count, np.int64)
        np.maximum.at(most, part[first], having)
        least = np.minimum(least, np.bincount(part[first], minlength=count))
        least = np.minimum(least, written.persons - most + 1)
    return int(least.min()) if count else 0


def _cannot(contract: Contract, plan: Table, terms: PrivacyTerms, cube: Cube, *, lost: int) -> PrivacyError:
    names = ", ".join(cube.hierarchies) or "none"
    asked = f"k {terms.k} and l {terms.l}"
    asked += f", entropy l {terms.entropy_l:g}" if terms.entropy_l is not None else ""
    asked += f", t {terms.t:g}" if terms.t is not None else ""
    return PrivacyError(
        f"Release refused: contract {contract.id} {contract.version} asks for {asked} over "
        f"`{terms.unit}` in `{plan.name}` (quasi-identifiers: {names}); {lost} of {cube.owners.count} would have to be left out, "
        f"and the limit is {terms.max_suppressed:.2%}.",
        remedy="Ask for a larger table, lower k or l, or raise maxSuppressed."
        if terms.entropy_l is None and terms.t is None
        else "Ask for a larger table, lower k or l, loosen entropyL or t, or raise maxSuppressed.",
        k=terms.k,
        l=terms.l,
        suppressed_units=lost,
        units=cube.owners.count,
    )
