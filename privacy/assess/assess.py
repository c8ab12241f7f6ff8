"""What a file of persons gives away, measured against a contract as it is: raw, or treated by whomever, and not published.

The file is taken at its word. Its values are values: who knows a person knows what stands in that person's row, be it an
age or a label such as 20-29, and rows that read alike make a class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Column, Contract, Role, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from contracts.regimes.thresholds import DEFAULT, Thresholds
from core.errors import InternalError, PrivacyError, UsageError
from core.parquet import batches, schema
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.assess.limits import each_class_apart, has_order, least_l, reached_limits
from privacy.facts.attackers import Attackers, Seen
from privacy.facts.coded import ranked
from privacy.facts.ladders import SEGMENT
from privacy.facts.rowrisk import RowRisk
from privacy.measures.attacks import attacks
from privacy.measures.risk import risk
from privacy.measures.world import World
from privacy.measures.written import Shown, shown
from privacy.report.level import reached
from privacy.report.parts import Assessed, Limit, Measures, Suspect, Unicity
from privacy.report.report import DisclosureReport, SubjectRisk
from privacy.scan.chunks import chunks
from privacy.scan.chunks import columns as scanned_columns
from privacy.scan.scan import scan_column
from privacy.subjects.columns import orders_of
from privacy.subjects.encode import Encoder
from privacy.subjects.units import Units
from privacy.transforms.coding import REDACTED

_NAMED = (Transform.PSEUDONYM, Transform.TOKEN)
_PSEUDONYM = "^[0-9a-fA-F]{32,}$"  # 16 bytes or more, as a program that knows no bytes writes them


def table_of(contract: Contract, name: str | None) -> Table:
    """The table of a contract that a file of persons may be held against: the one named, or the one there is.

    Raises UsageError where there is none, or several.
    """
    fit = [table for table in contract.tables if table.kind is TableKind.SUBJECTS or table.rows is not None]
    found = [table for table in fit if name is None or table.name == name]
    subjects = [table for table in found if table.kind is TableKind.SUBJECTS]
    if len(found) == 1 or len(subjects) == 1:
        return (subjects or found)[0]
    names = ", ".join(table.name for table in fit)
    raise UsageError(
        f"`{name}` is no table of contract {contract.id} with rows of persons."
        if name is not None
        else f"Contract {contract.id} has {len(fit) or 'no'} tables with rows of persons.",
        remedy=f"Name one by --table: {names}." if fit else "Take a contract with a table of persons.",
    )


def assess(
    file: TableFile,
    contract: Contract,
    table: Table,
    *,
    name: str,
    beside: Sequence[str] = (),
    thresholds: Thresholds = DEFAULT,
    progress: Progress = silent,
) -> DisclosureReport:
    """What the file gives away, and whether it holds the limits of `table` in the contract, as the release door sees it.

    file: its rows with all their columns, by the contract's names. name: what the file is called. beside: columns that the
    contract doesn't know, whether they are in `file` or not. Raises PrivacyError when a row names nobody.
    """
    terms, kinds = _terms(contract), {field.name: field.type for field in schema(file)}
    present = [column for column in table.columns if column.name in kinds]
    unit = terms.unit if terms.unit in kinds else None
    made = _made_by_the_engine(contract, table, kinds)
    told = Assessed(
        file=name,
        counted_by=unit,
        shown=(),
        missing=tuple(c.name for c in table.columns if _goes_out(c) and c.name not in kinds),
        held_back=tuple(c.name for c in present if _held_back(file, c)),
        undeclared=tuple(each for each in beside if each not in made),
        personal=_personal(file, table, progress),
        limits=(),
    )
    report = DisclosureReport(
        contract_id=contract.id,
        contract_version=contract.version,
        k_limit=terms.k,
        l_limit=terms.l,
        max_suppressed=terms.max_suppressed,
        subjects=None,
        cells={},
        rows={table.name: file.rows},
        assessed=told,
    )
    key = hashlib.sha256(f"{contract.digest} {table.name}".encode()).digest()
    progress(f"measure {name}")
    if table.kind is TableKind.SUBJECTS:
        report = _subjects(report, file, table, terms, present, made, key)
    else:
        report = _facts(report, file, contract, table, present, key)
    level = reached(report.as_json(), _as_it_is(contract, table, present, told.held_back), thresholds)
    limits = (*report.assessed.limits,) if report.assessed else ()
    if level.asked is not None:
        limits += (Limit(name="deidentificationLevel", column=None, asked=level.asked, reached=level.reached, kept=level.reached >= level.asked),)  # fmt: skip
    return replace(report, level=level, assessed=replace(report.assessed or told, limits=limits))


def _subjects(
    report: DisclosureReport,
    file: TableFile,
    table: Table,
    terms: PrivacyTerms,
    present: Sequence[Column],
    made: Sequence[str],
    key: bytes,
) -> DisclosureReport:
    kinds = {field.name: field.type for field in schema(file)}
    quasi = [*made, *(c.name for c in present if c.role is Role.QUASI_IDENTIFIER)]
    # What noise was put on tells nothing of the values before, and can't be told from them.
    secret = [c for c in present if c.role is Role.SENSITIVE and c.transform is not Transform.NOISE]
    found = shown(
        file,
        quasi,
        [column.name for column in secret],
        unit_of_row=_owners(file, table, report),
        orders=orders_of(secret, kinds),
        labelled=True,
    )
    sizes, world = found.sizes, _world(found, quasi, [column.name for column in secret])
    limits = reached_limits(
        found, terms, secret, ordered=[has_order(column, kinds[column.name]) for column in secret]
    )
    after = risk(found.persons, threshold=1 / terms.k)
    subjects = SubjectRisk(
        table=table.name,
        units=sizes.units,
        rows=file.rows,
        classes=sizes.classes,
        k=sizes.smallest,
        l=least_l(each_class_apart(found), found.part, len(found.persons)),
        mean_class=sizes.mean,
        suppressed_units=None,
        suppressed_rows=None,
        ncp=None,
        ncp_by_column={},
        risk_largest=after.prosecutor_largest,
        risk_mean=after.prosecutor_mean,
        unique_before=None,
        unique_after=sizes.singletons / sizes.units if sizes.units else 0.0,
        segments=0,
    )
    assert report.assessed is not None  # `assess` made it so
    return replace(
        report,
        subjects=subjects,
        measures=Measures(
            before=None,
            after=after,
            utility=None,
            frontier=None,
            attacks=attacks(world, k=terms.k, seed=int.from_bytes(key, "big")),
        ),
        assessed=replace(report.assessed, shown=tuple(quasi), limits=limits),
    )


def _world(found: Shown, columns: Sequence[str], secrets: Sequence[str]) -> World:
    """The file as a release of itself: each class shows its values as they are."""
    labels, tuples = found.labels, found.tuples
    if labels is None:
        raise InternalError("Classes without labels can't be attacked.")
    return World(
        columns=tuple(columns),
        secrets=tuple(secrets),
        cardinalities=tuple(int(each) + 1 for each in labels.max(axis=0, initial=-1)),
        leaves=labels[found.part],
        sensitive=tuples.sensitive,
        rows=tuples.weights,
        heads=tuples.heads,
        units=tuples.units,
        group=found.part,
        low=labels,
        high=labels,
        sizes=found.persons,
        persons=found.sizes.units,
    )


def _facts(
    report: DisclosureReport,
    file: TableFile,
    contract: Contract,
    table: Table,
    present: Sequence[Column],
    key: bytes,
) -> DisclosureReport:
    """Unicity of rows of facts: how few known ones single out whoever goes by one name in the file."""
    terms, plan = _terms(contract), table.rows
    if plan is None or report.assessed is None or report.assessed.counted_by is None:
        raise PrivacyError(
            f"`{file.name}` lacks `{terms.unit}`, so nobody can say which facts are one person's.",
            remedy="Give the file with its pseudonyms.",
        )
    known = [c.name for c in present if c.transform not in (*_NAMED, Transform.DROP) and c.name != terms.unit]
    encoders = {name: Encoder() for name in known}
    for batch in batches(file, known) if known else ():
        for name, encoder in encoders.items():
            encoder.add(batch.column(name))
    owners = _owners(file, table, report)
    of_row = np.arange(file.rows, dtype=np.int32) if owners is None else owners
    traces = int(of_row.max(initial=-1)) + 1
    nothing = np.zeros(traces, np.int32)
    written = Seen(
        pseudonyms=pa.nulls(traces),
        trace_of_row=of_row,
        owner=np.arange(traces, dtype=np.int32),
        period=nothing,
        columns={name: ranked(encoder.finish()) for name, encoder in encoders.items()},
    )
    after = Attackers(written, group=nothing, key=key).measured()
    _, share = after.strongest(plan.points)
    kept = share.high <= plan.max_unicity
    found = RowRisk(
        table=table.name,
        units=traces,
        rows=file.rows,
        capped_rows=0,
        traces=traces,
        smallest=traces,
        before=after.whole,
        after=after,
        in_classes=False,
        points=plan.points,
        limit=plan.max_unicity,
        reached=share,
        relinked=None,
    )
    limits = (
        Limit(name="k", column=None, asked=terms.k, reached=traces, kept=traces >= terms.k),
        Limit(name="maxUnicity", column=None, asked=plan.max_unicity, reached=share.high, kept=kept),
    )
    curve = Unicity(
        shares=tuple(each.share for each in after.whole.shares),
        units=traces,
        points=plan.points,
        limit=plan.max_unicity,
    )
    return replace(
        report,
        facts={table.name: found},
        unicity={table.name: curve},
        assessed=replace(report.assessed, shown=tuple(known), limits=limits if file.rows else ()),
    )


def _terms(contract: Contract) -> PrivacyTerms:
    if contract.privacy is None:
        raise PrivacyError(
            f"Contract {contract.id} has no privacy terms to hold a file against.",
            remedy="Add sluicePrivacy.",
        )
    return contract.privacy


def _owners(file: TableFile, table: Table, report: DisclosureReport) -> npt.NDArray[np.int32] | None:
    """Whose each row is, (rows,); None where each is a person's, or the file doesn't say."""
    unit = report.assessed.counted_by if report.assessed else None
    if unit is None:
        return None
    kind = schema(file).field(unit).type
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):  # pseudonyms have one spelling
        encoder = Encoder()
        for batch in batches(file, [unit]):
            encoder.add(batch.column(unit))
        codes = encoder.finish()[1].astype(np.int32)
        if (codes < 0).any():
            raise PrivacyError(
                f"Rows of `{table.name}` name no `{unit}`.", remedy="Give each row its pseudonym."
            )
        return codes
    units = Units(table=table.name, unit=unit)
    for batch in batches(file, [unit]):
        units.add(batch.column(unit))
    return units.owners().of_row


def _goes_out(column: Column) -> bool:
    return column.transform is not Transform.DROP


def _made_by_the_engine(contract: Contract, table: Table, kinds: dict[str, pa.DataType]) -> tuple[str, ...]:
    """The column of segments that a release of this table has where cells lean on it."""
    segments = any(each.cells and each.cells.segments_of == table.name for each in contract.tables)
    return (SEGMENT,) if segments and SEGMENT in kinds else ()


def _held_back(file: TableFile, column: Column) -> bool:
    """Whether a column stands in the file as no release would have it."""
    if column.transform is Transform.DROP:
        return True
    if column.transform not in (*_NAMED, Transform.REDACT):
        return False
    for batch in batches(file, [column.name]):
        values = batch.column(column.name).drop_null()
        if pa.types.is_binary(values.type) or pa.types.is_fixed_size_binary(values.type):
            continue
        if not pa.types.is_string(values.type):
            return len(values) > 0
        redact = column.transform is Transform.REDACT
        hidden = pc.equal(values, REDACTED) if redact else pc.match_substring_regex(values, _PSEUDONYM)
        if not pc.all(hidden, min_count=0).as_py():
            return True
    return False


def _personal(file: TableFile, table: Table, progress: Progress) -> tuple[Suspect, ...]:
    carried = {column.name: set(column.carries) for column in table.columns}
    found = []
    for name in scanned_columns(file):
        progress(f"scan {name} for undeclared personal data")
        found += [
            Suspect(column=name, kind=str(hit.kind), share=hit.share)
            for hit in scan_column(name, chunks(file, name))
            if hit.kind not in carried.get(name, ())
        ]
    return tuple(found)


def _as_it_is(
    contract: Contract, table: Table, present: Sequence[Column], held_back: Sequence[str]
) -> Contract:
    """The contract as if it let out what the file holds: the columns there are, with names where they stand."""
    columns = tuple(
        replace(column, transform=Transform.KEEP)
        if column.name in held_back and column.role is Role.IDENTIFIER
        else column
        for column in present
    )
    return replace(contract, tables=(replace(table, columns=columns),))
