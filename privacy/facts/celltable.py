"""A table of facts as a file of cells: whose the facts are, the cells, and both counted again on the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Contract, Table
from core.engine import engine
from core.errors import PrivacyError
from core.parquet import scan, unlock
from core.progress import Progress, silent
from core.proof import TableFile
from core.sql import quoted, text
from privacy.facts.again import person_numbers, remember_cells
from privacy.facts.beside import Others
from privacy.facts.cells import NO_PROFILE, CellCounts, Pairs, build_cells, columns_of
from privacy.facts.ladders import SEGMENT
from privacy.facts.others import others_of
from privacy.history.memory import History
from privacy.measures.classes import in_memory, only_row
from privacy.subjects.names import numbers
from privacy.subjects.table import broken
from privacy.subjects.units import folded


def build_cell_table(
    source: TableFile,
    contract: Contract,
    table: Table,
    *,
    target: Path,
    segments: pa.Table | None,
    names: bytes,
    history: History | None = None,
    memory: Path | None = None,
    progress: Progress = silent,
) -> tuple[CellCounts, str | None]:
    """Writes the cells of a fact table and counts them again on the written file.

    segments: of each person that the subject table shows, by number; None without. names: the key of these numbers.
    history: what the hall remembers, of the same window too; memory: where what is to be remembered of these cells is written
    then, whose SHA-256 is given back. Raises PrivacyError where the limits can't be met, or
    where the difference to cells of the window that were published before would tell of fewer than k persons.
    """
    terms, plan = contract.privacy, table.cells
    if plan is None or terms is None:
        raise PrivacyError(f"`{table.name}` holds facts of persons and no cells.", remedy="Add sluiceCells.")
    digest: str | None = None
    spill = target.parent / "spill"
    with engine(spill) as con:
        unlock(con, [source])
        facts = scan(source)
        _name_persons(
            con, facts, terms.unit, table, segments if plan.segments_of is not None else None, names
        )
        remember: Callable[[Pairs], None] | None = None
        others: Others | None = None
        if history is not None and memory is not None:
            persons = person_numbers(con)
            read = con.sql(f"FROM {facts}")
            types = {name: str(kind) for name, kind in zip(read.columns, read.types, strict=True)}
            others = others_of(history, contract, table, types, persons)

            def remember(pairs: Pairs) -> None:
                nonlocal digest
                digest = remember_cells(pairs, persons, contract, table, history, memory, types)

        counts = build_cells(
            con,
            facts=facts,
            unit=quoted(terms.unit),
            persons="persons",
            plan=plan,
            k=terms.k,
            others=others,
            remember=remember,
            progress=progress,
        )
        if 0 < counts.units < terms.k:
            raise PrivacyError(
                f"Release refused: `{table.name}` holds facts of fewer than {terms.k} `{terms.unit}`.",
                remedy="Ask for a longer window or a larger table, or lower k.",
            )
        _refuse_exposed(counts, others.limit if others is not None else 0.0, contract, table)
        _write(con.sql("FROM cells").to_arrow_table(), target)
    shutil.rmtree(spill, ignore_errors=True)
    _recount(target, counts, contract, table)
    return counts, digest


def _write(cells: pa.Table, target: Path) -> None:
    pq.write_table(cells, target, compression="zstd")


def _name_persons(
    con: duckdb.DuckDBPyConnection,
    facts: str,
    unit: str,
    table: Table,
    segments: pa.Table | None,
    names: bytes,
) -> None:
    """Makes the table `persons` that `build_cells` asks for. Raises PrivacyError when a fact is nobody's.

    Spellings of one name are one person, here as in the subject table.
    """
    spelt = con.sql(f"SELECT DISTINCT {quoted(unit)} AS spelt FROM {facts}").to_arrow_table()
    name = folded(spelt["spelt"])
    con.register(
        "named", spelt.append_column("name", name).append_column("number", pa.array(numbers(name, names)))
    )
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
        found = "LEFT JOIN segments s ON s.person = n.number"
    con.execute(
        "CREATE TEMP TABLE persons AS SELECT n.spelt, dense_rank() OVER (ORDER BY n.name) AS person, "
        f"{segment} AS segment FROM named n {found}"
    )


def _refuse_exposed(counts: CellCounts, limit: float, contract: Contract, table: Table) -> None:
    """Raises PrivacyError where the cells and those of other releases together tell of too few, or where nothing is left of
    them for the others' sake. limit: the least share of persons that one of the contracts bears."""
    terms, found = contract.privacy, counts.beside
    if found is None or terms is None:
        return
    if found.share > limit:
        raise PrivacyError(
            f"Release refused: read beside {found.live} live tables of cells of the same facts, `{table.name}` would expose "
            f"{found.exposed} of {found.persons} `{terms.unit}` in groups of fewer than {found.k}; contract {contract.id} "
            f"{contract.version} and the others bear {limit:.2%}.",
            remedy="Raise maxIntersected in all of them, or let an earlier release end: suspend or terminate its contract, and delete it.",
        )
    if counts.facts and not counts.cells and counts.units >= terms.k:
        raise PrivacyError(
            f"Release refused: beside {found.live} live tables of cells of the same facts nothing of `{table.name}` can be shown "
            f"that doesn't tell of fewer than {found.k} `{terms.unit}`.",
            remedy="Take the dimensions of the earlier contract, or a window that doesn't overlap; or let the earlier release end: "
            "suspend or terminate its contract, and delete it.",
        )


def _recount(target: Path, counts: CellCounts, contract: Contract, table: Table) -> None:
    """Holds the written cells against the limits: columns, persons, one row a cell, and no small rest."""
    terms, plan = contract.privacy, table.cells
    written = pq.read_table(target, partitioning=None)
    if plan is None or terms is None or tuple(written.column_names) != columns_of(plan):
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
