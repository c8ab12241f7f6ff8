"""A subject table from raw rows to a safe file: cube, classes, order, file, and the risk measured on that file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.model import Column, Contract, LogicalType, Role, Table
from contracts.protection import PrivacyTerms, Transform
from core.digest import file_digest
from core.errors import PrivacyError
from core.keys import ContractKeys
from core.parquet import schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.facts.ladders import SEGMENT
from privacy.history.further import Further
from privacy.history.links import origins_of, plan_of
from privacy.history.memory import About, History, write_memory
from privacy.measures.measure import measured_on
from privacy.measures.risk import sizes_before
from privacy.measures.world import shown_tuples
from privacy.measures.written import Shown, shown
from privacy.measures.written import whole as as_file
from privacy.models.rules import DISTINCT, NAMES, Asked, asked_of
from privacy.report.parts import Measures, in_steps
from privacy.report.report import Beside, SubjectRisk
from privacy.search.judge import judged, least_diverse
from privacy.subjects.attach import attach
from privacy.subjects.beside import made_beside
from privacy.subjects.classes import classify
from privacy.subjects.columns import columns_of, orders_of, segment_names
from privacy.subjects.cube import Cube, build_cube
from privacy.subjects.order import Order, by_labels
from privacy.subjects.whole import Whole, whole_of
from privacy.transforms.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class SafeSubjects:
    """risk, measures: what the written file gives away and keeps. segments: for every person published the number of
    their name and `segment`, columns `person` and `segment`; None when no facts need segments. beside: what all live releases tell together, None where
    nobody keeps a history. memory: SHA-256 of what is to be remembered, by file name."""

    risk: SubjectRisk
    measures: Measures
    segments: pa.Table | None
    beside: Beside | None = None
    memory: Mapping[str, str] = field(default_factory=dict)


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
    names: bytes | None = None,
    history: History | None = None,
    memory: Path | None = None,
    tokens: Tokens | None = None,
    progress: Progress = silent,
) -> SafeSubjects:
    """Writes the subject table `plan` of the contract with its quasi-identifiers coarsened and its identifiers replaced.

    file: the validated rows, of the source that `source_digest` names. target: a Parquet file that isn't there yet.
    segment_min_units: fewest persons of a segment, or None when no facts need segments. names: the key of
    the persons' numbers; None draws one. history: the live releases that this one mustn't undo; memory: the folder where what is to be remembered of this one is written then.
    tokens: what makes tokens, for each column that goes out as such.
    Raises PrivacyError when the limits can't be met within the suppression limit, or aren't met in the file.
    """
    _known(plan, tokens or {})
    quasi = [c for c in plan.columns if c.transform is Transform.GENERALIZE]
    sensitive = [c for c in plan.with_role(Role.SENSITIVE) if c.transform not in _HIDDEN]
    if segment_min_units is not None and any(column.name == SEGMENT for column in plan.columns):
        raise PrivacyError(
            f"`{plan.name}` has a column `{SEGMENT}` of its own.", remedy="Rename it: releases use that name."
        )
    live = history is not None and bool(history.live)
    cube = build_cube(
        file,
        name=plan.name,
        unit=terms.unit,
        quasi_identifiers=quasi,
        sensitive=sensitive,
        key=names,
        apart=live,
        progress=progress,
    )
    orders = orders_of(sensitive, {field.name: field.type for field in schema(file)})
    asked = asked_of(terms, ordered=[_has_order(column) for column in sensitive])
    progress(f"classes of {plan.name}")
    segment_key = keys.derive("segments", plan.name, source_digest)

    def made(further: Further | None) -> Whole:
        classes = classify(cube, terms, asked, segment_min_units=segment_min_units, further=further)
        return whole_of(cube, classes, partial(segment_names, key=segment_key), further)

    whole, seen = made_beside(
        cube,
        contract,
        plan,
        asked,
        history,
        made,
        orders=[orders.get(column.name, ()) for column in sensitive],
        noisy=[column.transform is Transform.NOISE for column in sensitive],
    )
    classes = whole.classes
    if cube.rows and classes.lost - whole.waiting > terms.max_suppressed * cube.owners.count:
        raise _cannot(contract, plan, terms, cube, lost=classes.lost)
    names = whole.segments
    published = [(label.names, label.of_class) for label in classes.labels]
    if names is not None and classes.segments is not None:
        published.insert(0, (names, classes.segments))
    order = by_labels(whole.of_row, published, keys.derive("order", plan.name, source_digest))
    columns = columns_of(file, contract, plan, keys, cube, whole, order, tokens or {})
    attach(target, order, columns, progress=progress)
    progress(f"measure {plan.name}")
    unit_of_row = None if whole.unit_of_row is None else whole.unit_of_row[order.rows]
    written = shown(
        as_file(target),
        [*([SEGMENT] if names is not None else []), *(column.name for column in quasi)],
        [column.name for column in sensitive if column.transform is not Transform.NOISE],
        unit_of_row=unit_of_row,
        orders=orders,
    )
    _hold(written, contract, plan, terms, _of_file(asked, sensitive))
    tuples = shown_tuples(cube, classes)
    before = sizes_before(cube, tuples)
    unique = int((before == 1).sum()) / tuples.persons if tuples.persons else 0.0
    risk = _risk(cube, whole, order, written, plan, k=terms.k, unique_before=unique)
    measures = measured_on(
        cube,
        classes,
        tuples,
        terms,
        asked,
        before=before,
        written=written.persons,
        ncp_by_column=risk.ncp_by_column,
        key=keys.derive("attacks", plan.name, source_digest),
    )
    digests: Mapping[str, str] = {}
    if history is not None and memory is not None:
        about = About(
            contract=contract.id,
            table=plan.name,
            plan=plan_of(contract, plan),
            k=terms.k,
            origins=origins_of(contract, plan),
            sha256=file_digest(target),
        )
        digests = write_memory(whole.memory(cube, order, about), memory, history.files)
    return SafeSubjects(
        risk=risk, measures=measures, segments=whole.segment_of_person(cube), beside=seen, memory=digests
    )


_HIDDEN = frozenset({Transform.DROP, Transform.REDACT})  # nothing of the values is published
_DONE = _HIDDEN | {
    Transform.PSEUDONYM,
    Transform.GENERALIZE,
    Transform.KEEP,
    Transform.ROUND,
    Transform.CLAMP,
    Transform.NOISE,
}


def _known(plan: Table, tokens: Tokens) -> None:
    """Fails closed where a column is to be treated in a way that isn't done here."""
    for column in plan.columns:
        if column.transform not in _DONE and column.name not in tokens:
            raise PrivacyError(
                f"`{plan.name}.{column.name}` is to be treated by {column.transform.value}, and what does it isn't here.",
                remedy="Set sluiceTransform: pseudonym, or drop the column.",
            )


def _has_order(column: Column) -> bool:
    if column.hierarchy is not None and column.hierarchy.kind == "ordered":
        return True
    return column.type in (LogicalType.INTEGER, LogicalType.NUMBER, LogicalType.DATE, LogicalType.TIMESTAMP)


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
    cube: Cube, whole: Whole, order: Order, written: Shown, plan: Table, *, k: int, unique_before: float
) -> SubjectRisk:
    sizes, classes = written.sizes, whole.classes
    rows_of_class = np.bincount(whole.of_row[whole.of_row >= 0], minlength=len(classes.persons))
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
        suppressed_units=in_steps(classes.lost, k),
        suppressed_rows=in_steps(int((whole.of_row[: cube.rows] < 0).sum()), k),
        ncp=float(np.mean(list(ncp.values()))) if ncp else 0.0,
        ncp_by_column=ncp,
        risk_largest=1 / sizes.smallest if sizes.smallest else 0.0,
        risk_mean=sizes.classes / sizes.units if sizes.units else 0.0,
        unique_before=unique_before,
        unique_after=sizes.singletons / sizes.units if sizes.units else 0.0,
        segments=len(np.unique(classes.segments)) if classes.segments is not None else 0,
    )


def _least_values(written: Shown) -> int | None:
    """The l of the file."""
    return least_diverse(written.tuples, written.part, written.persons)


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
