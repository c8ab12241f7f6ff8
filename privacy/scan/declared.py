"""A run stops where a table holds personal data that its contract doesn't declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

from contracts.carried import Kind
from contracts.model import Contract, Role, Table
from contracts.protection import Transform
from core.errors import PrivacyError, SourceError
from core.progress import Progress, silent
from core.proof import TableFile
from privacy.scan.chunks import chunks, columns
from privacy.scan.scan import Hit, scan_column

When = Literal["before", "after"]

# What stands in such a column never goes out.
_HIDDEN = {Transform.DROP, Transform.PSEUDONYM, Transform.TOKEN, Transform.REDACT}
_MOST_TOLD = 20
_IN_WORDS = {
    Kind.RESIDENT_ID: "resident ids",
    Kind.USCC: "unified social credit codes",
    Kind.MOBILE: "mobile numbers",
    Kind.LANDLINE: "landline numbers",
    Kind.BANK_CARD: "bank card numbers",
    Kind.PLATE: "number plates",
    Kind.PASSPORT: "passport numbers",
    Kind.EMAIL: "e-mail addresses",
    Kind.IP: "IP addresses",
    Kind.NAME: "names of persons",
    Kind.ADDRESS: "postal addresses",
}


def refuse_undeclared(
    files: Mapping[str, TableFile], contract: Contract, *, when: When, progress: Progress = silent
) -> None:
    """Looks through the text and number columns of every table of the contract.

    when: "before" the release is made, columns that are dropped, pseudonymised, tokenised, redacted or excluded may hold what
    they like; "after", every column that was written is looked at. Either way a column may hold the kinds that it carries.
    Raises PrivacyError that names columns and kinds, never a value; SourceError when a file can't be read.
    """
    found: list[tuple[str, Hit]] = []
    for table in contract.tables:
        file = files[table.name]
        hidden = _hidden(table) if when == "before" else set()
        carried = _carried(table)
        progress(f"scan {table.name} for undeclared personal data")
        for name in columns(file):
            if name in hidden:
                continue
            hits = _scanned(file, name)
            found += [(table.name, hit) for hit in hits if hit.kind not in carried.get(name, ())]
    if found:
        raise _refused(found, contract, when)


def _scanned(file: TableFile, name: str) -> tuple[Hit, ...]:
    try:
        return scan_column(name, chunks(file, name))
    except (pa.ArrowException, UnicodeError) as error:  # it may hold the text
        raise SourceError(
            f"`{file.name}.{name}` holds text that isn't UTF-8 ({type(error).__name__}).",
            where=file.path.name,
            remedy="Correct the text's encoding at the source.",
        ) from None


def _hidden(table: Table) -> set[str]:
    return {c.name for c in table.columns if c.transform in _HIDDEN or c.role is Role.EXCLUDED}


def _carried(table: Table) -> dict[str, set[str]]:
    """The kinds that each column may hold, those of cells included: a dimension or measure holds what it's made of."""
    carried = {column.name: set(column.carries) for column in table.columns}
    made = dict(carried)
    for dimension in table.cells.dimensions if table.cells else ():
        made[dimension.name] = set().union(*(carried.get(level.column, set()) for level in dimension.levels))
    for measure in table.cells.measures if table.cells else ():
        made[measure.name] = carried.get(measure.column or "", set())
    return made


def _refused(found: list[tuple[str, Hit]], contract: Contract, when: When) -> PrivacyError:
    told = [
        f"`{table}.{hit.column}` looks as if it holds {_IN_WORDS[hit.kind]} ({_share(hit.share)} of its distinct values)"
        for table, hit in found[:_MOST_TOLD]
    ]
    more = [f"and {len(found) - _MOST_TOLD} more"] if len(found) > _MOST_TOLD else []
    kinds = [str(kind) for kind in Kind if kind in {hit.kind for _, hit in found}]
    return PrivacyError(
        f"Personal data that the contract doesn't declare, in the data {'as it came' if when == 'before' else 'to be released'}: "
        + "; ".join(told + more)
        + ".",
        where=f"contract {contract.id} {contract.version}",
        remedy="Drop or pseudonymise such a column in the contract, or declare by sluiceCarries what it may hold: "
        + ", ".join(kinds)
        + ".",
        columns=[(table, hit.column, str(hit.kind)) for table, hit in found],
    )


def _share(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"
