"""The second step of the route: every check of the contract is run, rows that break a rule go to quarantine, and the rest
is looked through for personal data that the contract doesn't declare.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from connectors.base import file_name
from contracts.checks import Check
from contracts.model import Contract, Table, TableKind
from core.digest import file_digest
from core.errors import IntegrityError, QualityError, SourceError
from core.parquet import batches, leave_out, schema, writer
from core.progress import Progress, silent
from core.proof import Received, TableFile, Validated, prover
from pipeline.quarantine.aside import Draft
from pipeline.validation.views import View, opened
from privacy.scan.declared import refuse_undeclared

if TYPE_CHECKING:
    from pipeline.validation.suite import Finding

RESULT = "validation.json"
_MORE_ROOM = "Give the machine more memory or disk, or run it when less else runs."
_SHORT_OF_ROOM = {"OutOfMemoryException", "IOException"}  # of DuckDB; no rule is to blame

# The builder of the proof type: for this module, and for the route when it opens a handoff whose digests it has checked.
validated_from = prover(Validated)


class CheckError(SourceError):
    """A check could not be carried out, so nothing is known about the data; not the same as data that broke a rule."""


def validate(
    received: Received, contract: Contract, *, out: Path, quarantine: Draft, progress: Progress = silent
) -> Validated:
    """The tables with only rows that keep every rule: `out`/table-<n>.parquet, n a table's place in the contract from 0.

    A table's file is the one that was received; rows that are set aside are left out by their numbers (`core.parquet`).
    What was found stands in `out`/validation.json, small counts in tables about persons as "<k" only.
    Rows that break a rule of severity "error" go to the draft `quarantine` with the rules' names in `_rules`. Row order is
    kept. `out` gets mode 0700, files 0600; what stood there or in the draft before is gone.
    Raises QualityError when a table rule breaks, or more rows of a table than the contract allows; CheckError when a
    check could not be carried out; ContractError for a check that has no meaning; IntegrityError when files or contract
    aren't those that were received; PrivacyError when a column of the rows that stay seems to hold personal data of a kind that
    the contract doesn't declare. Nothing of `out` stays then; the draft has its rows also where too many were found, for
    whoever must look at them.
    """
    _same(received, contract)
    try:
        _fresh(out)
        quarantine.clear()
        with (
            tempfile.TemporaryDirectory(prefix=".spill-", dir=out.parent) as spill,
            opened(received, contract, spill=Path(spill)) as (database, views),
        ):
            found = _checked(database, views, contract, progress)
            _stop_if_not_carried_out(found)
            _stop_if_a_table_breaks(found)
            tables, aside = _settled(
                contract, views, found, out=out, quarantine=quarantine, progress=progress
            )
        # Last, over the rows that stay: what is set aside doesn't go out, whatever it holds.
        refuse_undeclared(tables, contract, when="before", progress=progress)
        _write(out / RESULT, _result(contract, received, found, aside))
    except (pa.ArrowException, OSError) as error:
        shutil.rmtree(out, ignore_errors=True)
        raise SourceError(
            f"The checked rows couldn't be written: {type(error).__name__}.",
            where=str(out.parent),
            remedy="Look at the disk's free space and its permissions, then run again.",
        ) from None
    except BaseException:  # an interrupt too: nothing half-checked stays
        shutil.rmtree(out, ignore_errors=True)
        raise
    progress("validate", 1.0)
    return validated_from(
        contract_id=received.contract_id,
        contract_digest=received.contract_digest,
        window=received.window,
        source_digest=received.digest,
        tables=tables,
        quarantined={name: count for name, count in aside.items() if count},
    )


def _same(received: Received, contract: Contract) -> None:
    if (received.contract_id, received.contract_digest) != (contract.id, contract.digest):
        raise IntegrityError(
            "The contract isn't the one under which the data was received.",
            where=contract.id,
            remedy="Start a new run under the contract as it is now.",
        )
    for table in contract.tables:
        file = received.tables.get(table.name)
        if file is None or not file.path.is_file() or file_digest(file.path) != file.sha256:
            raise IntegrityError(
                f"Table {table.name} is missing or not as it was received.",
                where=contract.id,
                remedy="Receive the data again.",
                table=table.name,
            )


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(mode=0o700)


def _checked(
    database: duckdb.DuckDBPyConnection, views: Sequence[View], contract: Contract, progress: Progress
) -> list[Finding]:
    progress("validate: Great Expectations starts", 0.0)
    # Great Expectations takes seconds to import, and the other steps, which need this module's types, do without it.
    from pipeline.validation.suite import findings  # noqa: PLC0415

    progress(f"validate: {sum(len(view.table.checks) for view in views)} checks", 0.3)
    try:
        return findings(database, views, name=f"{contract.id} {contract.version}")
    except duckdb.Error as error:  # its text may hold values
        raise CheckError(
            f"The checks could not be carried out: {type(error).__name__}.",
            where=contract.id,
            remedy=_MORE_ROOM
            if type(error).__name__ in _SHORT_OF_ROOM
            else "Receive the data again; if it stays so, look at the rules of the contract.",
        ) from None


def _stop_if_not_carried_out(found: Sequence[Finding]) -> None:
    raised = [finding for finding in found if finding.kept is None and finding.check.severity == "error"]
    if raised:
        raise CheckError(
            f"{_checks(len(raised))} could not be carried out, so nothing is known about the data: "
            + "; ".join(f"{_shown(finding.check)} ({finding.raised})" for finding in raised)
            + ".",
            where=f"table {raised[0].check.table}",
            remedy=(
                _MORE_ROOM
                if {finding.raised for finding in raised} <= _SHORT_OF_ROOM
                else "Compare each rule with the columns and types of its table and correct the contract."
            ),
            rules=[(finding.check.table, finding.check.name) for finding in raised],
        )


def _stop_if_a_table_breaks(found: Sequence[Finding]) -> None:
    broken = [f for f in found if f.kept is False and f.rows is None and f.check.severity == "error"]
    if broken:
        raise QualityError(
            f"The data breaks {_checks(len(broken), 'table rule')}: "
            + "; ".join(
                _shown(finding.check) + (f" ({finding.unexpected} rows)" if finding.unexpected else "")
                for finding in broken
            )
            + ".",
            where=f"table {broken[0].check.table}",
            remedy="Correct the data at its source, or the rule in the contract.",
            rules=[(finding.check.table, finding.check.name) for finding in broken],
        )


def _settled(
    contract: Contract,
    views: Sequence[View],
    found: Sequence[Finding],
    *,
    out: Path,
    quarantine: Draft,
    progress: Progress,
) -> tuple[dict[str, TableFile], dict[str, int]]:
    """The files of the rows that stay, and how many rows of each table went to quarantine."""
    tables: dict[str, TableFile] = {}
    counts: dict[str, int] = {}
    over: list[str] = []
    for number, view in enumerate(views):
        name = view.table.name
        progress(f"validate: {name}", 0.6 + 0.4 * number / len(views))
        columns = [column.name for column in view.table.columns]
        broken = [
            (f.check.name, f.rows) for f in found if f.view is view and f.rows is not None and len(f.rows)
        ]
        file = _kept(view.file, columns, out / file_name(number))
        if broken:
            gone = quarantine.take(name, view.file, columns, broken, away=file_name(number))
            file = leave_out(file, gone, out / f"without-{number}.parquet")
        counts[name] = view.file.rows - file.rows
        tables[name] = file
        if counts[name] and counts[name] / view.file.rows > contract.max_quarantined:
            over.append(
                f"{counts[name]} of {view.file.rows} rows of {name} ("
                + ", ".join(f"{rule}: {len(rows)}" for rule, rows in broken)
                + ")"
            )
    if over:
        raise QualityError(
            f"More rows break a rule than the contract allows (a share of {contract.max_quarantined:g}): "
            + "; ".join(over)
            + ".",
            where=f"quarantine {quarantine.name}" if quarantine.keeps_rows else contract.id,
            remedy=(
                f"Look at the rows (`sluice quarantine show {quarantine.name} --rows 10`) and correct them"
                if quarantine.keeps_rows
                else "The contract keeps no such rows (`days: 0`). Correct them"
            )
            + " at their source, or raise the limit in the contract.",
            quarantined={name: count for name, count in counts.items() if count},
            limit=contract.max_quarantined,
        )
    return tables, counts


def _kept(source: TableFile, columns: Sequence[str], path: Path) -> TableFile:
    """`source` as the file `path`: the same under a second name, unless it has columns beyond `columns`."""
    whole = schema(source)
    if set(whole.names) != set(columns):
        fields = pa.schema([whole.field(name) for name in columns], whole.metadata)
        with writer(path, fields, source.key) as sink:
            for batch in batches(source, columns):
                sink.write(batch)
    else:
        try:
            os.link(source.path, path)
            path.chmod(0o600)
            return replace(source, path=path)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(source.path, path)
            path.chmod(0o600)
    return replace(source, path=path, size_bytes=path.stat().st_size, sha256=file_digest(path))


def _result(
    contract: Contract, received: Received, found: Sequence[Finding], aside: Mapping[str, int]
) -> dict[str, Any]:
    """What is kept beside the release: names, counts and verdicts, no values."""
    from pipeline.validation.suite import GX_VERSION  # noqa: PLC0415 (loaded by now; see `_checked`)

    return {
        "contract": contract.id,
        "contract_version": contract.version,
        "contract_digest": contract.digest,
        "source_digest": received.digest,
        "engine": {"great_expectations": GX_VERSION, "duckdb": duckdb.__version__},
        "checks": [
            {
                "table": finding.check.table,
                "name": finding.check.name,
                "kind": str(finding.check.kind),
                "scope": str(finding.check.scope),
                "severity": finding.check.severity,
                "expectation": finding.expectation,
                "success": finding.kept,
                "unexpected": _told(finding.unexpected, finding.view.table, contract),
                "rows": finding.view.file.rows,
            }
            for finding in found
        ],
        "tables": {
            table.name: {
                "rows": received.tables[table.name].rows,
                "quarantined": _told(aside[table.name], table, contract),
            }
            for table in contract.tables
        },
        "failed_warnings": sum(1 for f in found if f.check.severity != "error" and not f.kept),
    }


def _told(count: int | None, table: Table, contract: Contract) -> int | str | None:
    """A count as the recipient may read it: of rows of persons, fewer than k but some are "<k"."""
    if count is None or table.kind is TableKind.REFERENCE:
        return count
    if contract.privacy is None:  # no contract that is loaded says so little; then no figure is safe
        return None
    return f"<{contract.privacy.k}" if 0 < count < contract.privacy.k else count


def _write(path: Path, document: Mapping[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False, indent=2)


def _checks(count: int, what: str = "check") -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _shown(check: Check) -> str:
    return f"{check.table}: {check.name}"
