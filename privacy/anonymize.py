"""Validated tables to a release that keeps the contract's privacy limits, measured again on the files as written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Contract, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from contracts.through import through
from core.digest import file_digest
from core.engine import engine
from core.errors import IntegrityError, PrivacyError, StateError
from core.keys import ContractKeys
from core.parquet import batches, read, scan, schema, unlock
from core.progress import Progress, silent
from core.proof import TableFile, Validated, set_digest
from core.sql import quoted, text
from privacy.facts.cells import NO_PROFILE, CellCounts, build_cells, columns_of
from privacy.facts.ladders import SEGMENT
from privacy.facts.rowrisk import RowRisk
from privacy.facts.rows import build_rows
from privacy.measures.classes import in_memory, only_row
from privacy.report.level import reached
from privacy.report.parts import Measures, Unicity
from privacy.report.report import DISCLOSURE, DisclosureReport, SubjectRisk
from privacy.safe import Anonymized, anonymized_from
from privacy.scan.declared import refuse_undeclared
from privacy.subjects.order import shuffled
from privacy.subjects.table import broken, make_safe, pseudonym_key
from privacy.subjects.units import folded
from privacy.transforms.pseudonym import pseudonymize


def anonymize(
    validated: Validated,
    contract: Contract,
    keys: ContractKeys,
    *,
    out: Path,
    documents: Mapping[str, Path] | None = None,
    progress: Progress = silent,
) -> Anonymized:
    """The release of a validated set, written to `out` (made anew; nothing of it stays when this raises).

    Columns that may not pass the door are dropped. keys: the contract's. documents: files to keep beside the release, e.g. the validation result.
    Raises PrivacyError when a limit can't be met, IntegrityError when the set is another contract's.
    """
    if (validated.contract_id, validated.contract_digest) != (contract.id, contract.digest):
        raise IntegrityError(
            f"What was validated belongs to another text of contract {contract.id}.",
            remedy="Start the run again.",
        )
    contract = through(contract, "release")
    shutil.rmtree(out, ignore_errors=True)
    try:
        out.mkdir(parents=True, mode=0o700)
        return _anonymize(validated, contract, keys, out=out, documents=documents or {}, progress=progress)
    except (OSError, duckdb.IOException) as error:
        number = error.errno if isinstance(error, OSError) else None  # a library's own text may be anything
        raise StateError(
            f"What is made safe can't be written ({os.strerror(number) if number else type(error).__name__}).",
            where=str(out),
            remedy="Check that SLUICE_HOME is writable and its disk has room.",
        ) from None
    except duckdb.Error as error:
        # DuckDB's own text may quote a value, so only its kind is told.
        raise PrivacyError(
            f"The engine could not make the release safe ({type(error).__name__}).",
            remedy="Check that sums have finite numbers within 38 digits, and that the disk has room.",
        ) from None
    finally:
        if not (out / DISCLOSURE).exists():
            shutil.rmtree(out, ignore_errors=True)


def _anonymize(
    validated: Validated,
    contract: Contract,
    keys: ContractKeys,
    *,
    out: Path,
    documents: Mapping[str, Path],
    progress: Progress,
) -> Anonymized:
    segments: pa.Table | None = None
    risk: SubjectRisk | None = None
    measures: Measures | None = None
    subjects: Path | None = None
    cells: dict[str, CellCounts] = {}
    facts: dict[str, RowRisk] = {}
    files: dict[str, TableFile] = {}
    min_units = max(
        (t.cells.segment_min_units for t in contract.tables if t.cells and t.cells.segments_of), default=None
    )
    for number, table in sorted(enumerate(contract.tables), key=lambda item: item[1].kind is TableKind.FACTS):
        # Facts last: they need the segments. Files are numbered, since a table may be called anything.
        progress(f"anonymize {table.name}")
        source, target = validated.tables[table.name], out / f"table-{number}.parquet"
        if table.kind is TableKind.SUBJECTS:
            safe = make_safe(
                source,
                contract,
                table,
                _terms(contract),
                keys,
                target=target,
                segment_min_units=min_units,
                source_digest=validated.source_digest,
                progress=progress,
            )
            risk, measures, segments, subjects = safe.risk, safe.measures, safe.segments, target
        elif table.rows is not None:
            facts[table.name] = build_rows(
                source,
                contract,
                table,
                keys,
                target=target,
                source_digest=validated.source_digest,
                subjects=subjects,
                progress=progress,
            )
        elif table.kind is TableKind.FACTS:
            cells[table.name] = _cells(source, target, contract, table, segments, progress)
        else:
            _reference(source, target, contract, table, keys, source_digest=validated.source_digest)
        files[table.name] = _described(table.name, target)
    files = {table.name: files[table.name] for table in contract.tables}
    refuse_undeclared(files, contract, when="after", progress=progress)
    terms = contract.privacy
    report = DisclosureReport(
        contract_id=contract.id,
        contract_version=contract.version,
        k_limit=terms.k if terms else None,
        l_limit=terms.l if terms else None,
        max_suppressed=terms.max_suppressed if terms else 0.0,
        subjects=risk,
        cells=cells,
        rows={name: file.rows for name, file in files.items()},
        measures=measures,
        facts=facts,
        unicity={name: _told(found) for name, found in facts.items()},
    )
    report = replace(report, level=reached(report.as_json(), contract))
    disclosure = out / DISCLOSURE
    disclosure.write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.chmod(disclosure, 0o600)
    return anonymized_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        release=contract.release_name(validated.source_digest, validated.window),
        digest=set_digest(files),
        tables=files,
        report=report.as_json(),
        documents={**documents, DISCLOSURE: disclosure},
    )


def _told(risk: RowRisk) -> Unicity:
    """The curve that the report draws: of who knows whole facts, as published."""
    return Unicity(
        shares=tuple(share.share for share in risk.after.whole.shares),
        units=risk.traces,
        points=risk.points,
        limit=risk.limit,
    )


def _write(table: pa.Table, target: Path) -> None:
    pq.write_table(table, target, compression="zstd")


def _described(name: str, path: Path) -> TableFile:
    os.chmod(path, 0o600)
    return TableFile(
        name=name,
        path=path,
        rows=pq.read_metadata(path).num_rows,
        size_bytes=path.stat().st_size,
        sha256=file_digest(path),
    )


def _cells(
    source: TableFile,
    target: Path,
    contract: Contract,
    table: Table,
    segments: pa.Table | None,
    progress: Progress,
) -> CellCounts:
    """Writes the cells of a fact table and counts them again on the written file."""
    terms, plan = _terms(contract), table.cells
    if plan is None:
        raise PrivacyError(f"`{table.name}` holds facts of persons and no cells.", remedy="Add sluiceCells.")
    spill = target.parent / "spill"
    with engine(spill) as con:
        unlock(con, [source])
        facts = scan(source)
        _name_persons(con, facts, terms.unit, table, segments if plan.segments_of is not None else None)
        counts = build_cells(
            con,
            facts=facts,
            unit=quoted(terms.unit),
            persons="persons",
            plan=plan,
            k=terms.k,
            progress=progress,
        )
        if 0 < counts.units < terms.k:
            raise PrivacyError(
                f"Release refused: `{table.name}` holds facts of fewer than {terms.k} `{terms.unit}`.",
                remedy="Ask for a longer window or a larger table, or lower k.",
            )
        _write(con.sql("FROM cells").to_arrow_table(), target)
    shutil.rmtree(spill, ignore_errors=True)
    _recount(target, counts, contract, table)
    return counts


def _name_persons(
    con: duckdb.DuckDBPyConnection, facts: str, unit: str, table: Table, segments: pa.Table | None
) -> None:
    """Makes the table `persons` that `build_cells` asks for. Raises PrivacyError when a fact is nobody's.

    Spellings of one name are one person, here as in the subject table.
    """
    spelt = con.sql(f"SELECT DISTINCT {quoted(unit)} AS spelt FROM {facts}").to_arrow_table()
    con.register("named", spelt.append_column("name", folded(spelt["spelt"])))
    (nobodys,) = only_row(con, "SELECT count(*) FROM named WHERE name IS NULL")
    if nobodys:
        (rows,) = only_row(
            con,
            f"SELECT count(*) FROM {facts} WHERE {quoted(unit)} IS NULL OR {quoted(unit)} IN "
            "(SELECT spelt FROM named WHERE name IS NULL AND spelt IS NOT NULL)",
        )
        raise PrivacyError(
            f"{rows} rows of `{table.name}` name no `{unit}`, so nobody can say whose they are.",
            remedy=f"Make `{unit}` required, and not empty, in the contract: such rows then go to quarantine.",
        )
    segment, found = text("all"), ""
    if segments is not None:
        con.register("segments", segments)
        segment = f"coalesce(s.{SEGMENT}, {text(NO_PROFILE)})"
        found = "LEFT JOIN segments s ON s.unit = n.name"
    con.execute(
        "CREATE TEMP TABLE persons AS SELECT n.spelt, dense_rank() OVER (ORDER BY n.name) AS person, "
        f"{segment} AS segment FROM named n {found}"
    )


def _recount(target: Path, counts: CellCounts, contract: Contract, table: Table) -> None:
    """Holds the written cells against the limits: columns, persons, one row a cell, and no small rest."""
    terms, plan = _terms(contract), table.cells
    written = pq.read_table(target, partitioning=None)
    if plan is None or tuple(written.column_names) != columns_of(plan):
        raise PrivacyError(
            f"`{table.name}` was not written as its plan says.", remedy="Report this: it's a defect."
        )
    with in_memory() as con:
        con.register("written", written)
        keys = [SEGMENT, *(n for d in plan.dimensions for n in (d.name, f"{d.name}_level"))]
        smallest, rows, distinct = only_row(
            con,
            f"SELECT coalesce(min({quoted(plan.count_name)}), {terms.k}), count(*), "
            f"(SELECT count(*) FROM (SELECT DISTINCT {', '.join(quoted(key) for key in keys)} FROM written)) FROM written",
        )
    if smallest < terms.k:
        raise broken("k", smallest, terms.k, contract, table)
    if rows != distinct:
        raise PrivacyError(f"`{table.name}` names a cell twice.", remedy="Report this: it's a defect.")
    if counts.cells and 0 < counts.suppressed_units < terms.k:
        raise broken("k", counts.suppressed_units, terms.k, contract, table)


def _reference(
    source: TableFile,
    target: Path,
    contract: Contract,
    table: Table,
    keys: ContractKeys,
    *,
    source_digest: str,
) -> None:
    """Writes a table without persons as it is, its identifiers dropped or replaced by pseudonyms.

    With pseudonyms in it the table is shuffled: a source sorted by the raw names would tell their order.
    """
    kept = [column for column in table.columns if column.transform is not Transform.DROP]
    replaced = [column for column in kept if column.transform is Transform.PSEUDONYM]
    names = [column.name for column in kept]
    if replaced:
        whole = read(source, names)
        order = shuffled(whole.num_rows, keys.derive("order", table.name, source_digest))
        for column in replaced:
            pseudonyms = pseudonymize(whole[column.name], pseudonym_key(keys, contract, column))
            whole = whole.set_column(names.index(column.name), column.name, pseudonyms)
        _write(whole.take(order), target)
        return
    came = schema(source)
    fields = pa.schema([came.field(name) for name in names])
    with pq.ParquetWriter(target, fields, compression="zstd") as writer:
        for batch in batches(source, names):
            writer.write_batch(batch.cast(fields))


def _terms(contract: Contract) -> PrivacyTerms:
    if contract.privacy is None:
        raise PrivacyError(
            f"Contract {contract.id} has rows of persons and no privacy terms.", remedy="Add sluicePrivacy."
        )
    return contract.privacy
