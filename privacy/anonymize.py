"""Validated tables to a release that keeps the contract's privacy limits, measured again on the files as written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Contract, Table, TableKind
from contracts.protection import PrivacyTerms, Transform
from contracts.regimes.thresholds import DEFAULT, Thresholds
from contracts.through import through
from core.digest import file_digest
from core.errors import IntegrityError, InternalError, PrivacyError, StateError
from core.heap import keep_freed
from core.keys import ContractKeys
from core.parquet import batches, read, schema
from core.progress import Progress, silent
from core.proof import TableFile, Validated, set_digest
from privacy.facts.cells import CellCounts
from privacy.facts.celltable import build_cell_table
from privacy.facts.rowrisk import RowRisk
from privacy.facts.rows import build_rows
from privacy.facts.rowsbeside import shown_of
from privacy.history.memory import CELLS, SHOWN, History
from privacy.history.shown import write_shown
from privacy.report.documents import write_documents
from privacy.report.level import reached
from privacy.report.parts import Measures, Unicity
from privacy.report.report import DISCLOSURE, Beside, DisclosureReport, SubjectRisk
from privacy.safe import Anonymized, anonymized_from
from privacy.scan.declared import refuse_undeclared
from privacy.subjects.columns import pseudonym_key
from privacy.subjects.names import KEY_BYTES
from privacy.subjects.order import shuffled
from privacy.subjects.table import make_safe
from privacy.subjects.tokens import SecondHolder, token_makers
from privacy.transforms.coding import REDACTED
from privacy.transforms.pseudonym import pseudonymize
from privacy.transforms.tokens import Tokens

MEMORY = "memory"  # the folder of what is to be remembered, beside the files


def anonymize(
    validated: Validated,
    contract: Contract,
    keys: ContractKeys,
    *,
    out: Path,
    documents: Mapping[str, Path] | None = None,
    thresholds: Thresholds = DEFAULT,
    history: History | None = None,
    second: SecondHolder | None = None,
    progress: Progress = silent,
) -> Anonymized:
    """The release of a validated set, written to `out` (made anew; nothing of it stays when this raises).

    Columns that may not pass the door are dropped. keys: the contract's. documents: files to keep beside the release, e.g. the validation result.
    thresholds: by which the report tells the de-identification level. history: the live releases of the same persons, which
    this one mustn't undo; None: nobody keeps one, and nothing is to be remembered of this one either.
    second: gives the keys of tokens' second holders; None: none was lent, and no column may go out as tokens.
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
        return _anonymize(
            validated,
            contract,
            keys,
            out=out,
            documents=documents or {},
            thresholds=thresholds,
            history=history,
            second=second,
            progress=progress,
        )
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
    thresholds: Thresholds,
    history: History | None,
    second: SecondHolder | None,
    progress: Progress,
) -> Anonymized:
    segments: pa.Table | None = None
    risk: SubjectRisk | None = None
    measures: Measures | None = None
    subjects: Path | None = None
    beside: Beside | None = None
    memory: dict[str, str] = {}
    cells: dict[str, CellCounts] = {}
    names = history.names if history is not None else token_bytes(KEY_BYTES)
    facts: dict[str, RowRisk] = {}
    files: dict[str, TableFile] = {}
    min_units = max(
        (t.cells.segment_min_units for t in contract.tables if t.cells and t.cells.segments_of), default=None
    )
    for number, table in sorted(enumerate(contract.tables), key=lambda item: item[1].kind is TableKind.FACTS):
        # Facts last: they need the segments. Files are numbered, since a table may be called anything.
        progress(f"anonymize {table.name}")
        source, target = validated.tables[table.name], out / f"table-{number}.parquet"
        tokens = token_makers(contract, table, keys, second)
        if table.kind is TableKind.SUBJECTS:
            with keep_freed():
                safe = make_safe(
                    source,
                    contract,
                    table,
                    _terms(contract),
                    keys,
                    target=target,
                    segment_min_units=min_units,
                    source_digest=validated.source_digest,
                    names=names,
                    history=history,
                    memory=out / MEMORY,
                    tokens=tokens,
                    progress=progress,
                )
            risk, measures, segments, subjects = safe.risk, safe.measures, safe.segments, target
            beside = safe.beside
            memory |= safe.memory
        elif table.rows is not None:
            facts[table.name] = build_rows(
                source,
                contract,
                table,
                keys,
                target=target,
                source_digest=validated.source_digest,
                subjects=subjects,
                tokens=tokens,
                history=history,
                progress=progress,
            )
            if history is not None:
                kept = out / MEMORY / f"{SHOWN}{number}.parquet"
                memory[kept.name] = write_shown(
                    shown_of(contract, table, schema(source)), kept, history.files
                )
        elif table.kind is TableKind.FACTS:
            counts, digest = build_cell_table(
                source,
                contract,
                table,
                target=target,
                segments=segments,
                names=names,
                history=history,
                memory=out / MEMORY / f"{CELLS}{number}.parquet",
                progress=progress,
            )
            cells[table.name] = counts
            if digest is not None:
                memory[f"{CELLS}{number}.parquet"] = digest
        else:
            _reference(source, target, contract, table, keys, tokens, source_digest=validated.source_digest)
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
        beside=beside,
    )
    report = replace(report, level=reached(report.as_json(), contract, thresholds))
    progress("write the disclosure report")
    told = write_documents(report.as_json(), out)
    return anonymized_from(
        contract_id=contract.id,
        contract_digest=contract.digest,
        release=contract.release_name(validated.source_digest, validated.window),
        digest=set_digest(files),
        tables=files,
        report=report.as_json(),
        documents={**documents, **told},
        memory={name: (out / MEMORY / name, digest) for name, digest in memory.items()},
    )


def _told(risk: RowRisk) -> Unicity:
    """The curve that the report draws: of who knows whole facts, as published."""
    return Unicity(
        shares=tuple(share.share for share in risk.after.whole.shares),
        units=risk.traces,
        points=risk.points,
        limit=risk.limit,
    )


def _bare(fields: pa.Schema) -> pa.Schema:
    """Names and types alone: notes that a source keeps with its schema may say anything."""
    return pa.schema([pa.field(field.name, field.type) for field in fields])


def _described(name: str, path: Path) -> TableFile:
    os.chmod(path, 0o600)
    return TableFile(
        name=name,
        path=path,
        rows=pq.read_metadata(path).num_rows,
        size_bytes=path.stat().st_size,
        sha256=file_digest(path),
    )


def _reference(
    source: TableFile,
    target: Path,
    contract: Contract,
    table: Table,
    keys: ContractKeys,
    tokens: Tokens,
    *,
    source_digest: str,
) -> None:
    """Writes a table without persons as it is, its identifiers dropped or replaced by pseudonyms, tokens or a mark.

    Then the table is shuffled: a source sorted by the raw names would tell their order.
    """
    kept = [column for column in table.columns if column.transform is not Transform.DROP]
    replaced = [column for column in kept if column.transform is not Transform.KEEP]
    names = [column.name for column in kept]
    if replaced:
        whole = read(source, names)
        order = shuffled(whole.num_rows, keys.derive("order", table.name, source_digest))
        for column in replaced:
            values = whole[column.name]
            if column.transform is Transform.PSEUDONYM:
                safe = pseudonymize(values, pseudonym_key(keys, contract, column))
            elif column.transform is Transform.REDACT:
                safe = pa.repeat(pa.scalar(REDACTED), len(values))
            elif column.transform is Transform.TOKEN:
                safe = tokens[column.name](values)
            else:
                raise InternalError(f"No reference table's column is treated by {column.transform.value}.")
            whole = whole.set_column(names.index(column.name), column.name, safe)
        pq.write_table(whole.take(order).cast(_bare(whole.schema)), target, compression="zstd")
        return
    came = schema(source)
    fields = _bare(pa.schema([came.field(name) for name in names]))
    with pq.ParquetWriter(target, fields, compression="zstd") as writer:
        for batch in batches(source, names):
            writer.write_batch(batch.cast(fields))


def _terms(contract: Contract) -> PrivacyTerms:
    if contract.privacy is None:
        raise PrivacyError(
            f"Contract {contract.id} has rows of persons and no privacy terms.", remedy="Add sluicePrivacy."
        )
    return contract.privacy
