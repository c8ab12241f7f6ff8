"""Facts of persons as cells, each fact in exactly one, each cell with at least k persons.

A fact starts in its finest cell (segment, then each dimension at its first level). Where fewer than k persons stand in
a cell, its facts move up one rung together with the other left-over facts there: first all segments become one, then a
dimension coarsens level by level up to "all", then the next. What is under k at the last rung is suppressed. In which order
the dimensions go is tried (`privacy.facts.ladders`), and the order that loses least is taken for the whole table.

What a recipient could try, and why it fails:
- subtract cells from each other: no fact is counted twice, and no total is published; a coarse cell holds only the facts
  that no finer cell holds.
- subtract all cells from the grand total, known from elsewhere: the suppressed facts together belong to no person or to
  at least k (else published cells join them). Who knows the total of one small cell knows that cell already.
- count rows instead of persons: every test counts distinct persons, and for each measure those who have a value: the sum
  over five persons of whom four have none is the fifth's.
- read the choice among the orders: it is one of a few, by a sum over all persons in which a person counts once for each
  finest cell, however many facts are there. What the sum is, or by how much one order won, isn't told; who knows all facts
  but one person's may learn that order's one bit, and has learnt more from the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from contracts.protection import CellPlan, Measure
from core.errors import PrivacyError
from core.progress import Progress, silent
from core.sql import quoted, text
from privacy.facts.beside import Others, Together
from privacy.facts.ladders import SEGMENT, Rung
from privacy.facts.numbered import Numbered, level_columns, measured_columns, number_facts, value_at
from privacy.facts.placing import PLACED, place_beside
from privacy.measures.classes import only_row

NO_PROFILE = "no-profile"  # the segment of persons whom the subject table doesn't hold
REST = "(rest)"  # the segment of a cell that gathers what the segments' own cells could not show
ALL = "all"  # the level of a dimension that a cell doesn't tell apart


@dataclass(frozen=True, kw_only=True)
class CellCounts:
    """What became of the facts: rows and distinct persons received, cells published and suppressed rows and persons. beside:
    what these cells tell together with those of other releases of the same facts; None where there are none."""

    facts: int
    units: int
    cells: int
    smallest: int
    suppressed_facts: int
    suppressed_units: int
    rungs: tuple[tuple[str, int, int], ...]
    beside: Together | None = None


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Who stands behind what. levels: (levels, columns) the values that atoms are told apart by, as text; segments: their names.
    atoms: ascending, each with what its facts add up to (`said`, by the engine's own hash) and its `cell` (-1: none). rows: in
    batches, pairs of `atom` and `person`, with `valued`, whose bit i says whether there is a value of the i-th column that is added
    up; they come while the connection does nothing else."""

    levels: pa.Table
    segments: pa.ChunkedArray
    atoms: pa.Table
    rows: Iterable[pa.RecordBatch]


def columns_of(plan: CellPlan) -> tuple[str, ...]:
    """The published columns, in order."""
    names = [SEGMENT]
    for dimension in plan.dimensions:
        names += [dimension.name, f"{dimension.name}_level"]
    return (*names, plan.count_name, *(measure.name for measure in plan.measures))


def build_cells(
    con: duckdb.DuckDBPyConnection,
    *,
    facts: str,
    unit: str,
    persons: str,
    plan: CellPlan,
    k: int,
    others: Others | None = None,
    remember: Callable[[Pairs], None] | None = None,
    progress: Progress = silent,
) -> CellCounts:
    """Leaves the published cells in the table `cells` of `con`, with the columns of `columns_of`, ordered by their keys.

    con: a connection on which `facts` is a relation of rows of persons; it is read three times and never copied. unit:
    SQL of whose a row is, without NULLs. persons: a relation that holds each value of `unit` once, as `spelt`, beside
    `person` (an integer: several spellings may be one person) and the person's `segment` (text). k: fewest persons of a
    cell. others: the cells of other releases of the same facts, beside which these are to be safe; with a limit over 0 they
    are first made as if there were no others, and within what these leave open only if that exposes too many.
    remember: is told who stands behind what, where that is to be kept.
    """
    numbered = number_facts(con, facts=facts, unit=unit, persons=persons, plan=plan, others=others, k=k)
    rungs, beside = place_beside(con, numbered, plan=plan, k=k, progress=progress)
    _aggregate(con, numbered, plan=plan, rungs=rungs)
    units, rest_units, cells, smallest, published = only_row(
        con,
        "SELECT (SELECT count(DISTINCT person) FROM people), (SELECT count(DISTINCT person) FROM left_over), "
        "(SELECT count(*) FROM chosen), (SELECT coalesce(min(n), 0) FROM chosen), "
        "(SELECT coalesce(sum(facts), 0) FROM summed)",
    )
    if remember is not None:
        remember(_pairs(con, numbered, plan=plan))
    told = tuple((rung.label(plan), *_cells_and_facts(con, number)) for number, rung in enumerate(rungs))
    for table in ("levels", "people", "pairs", "atoms", "barred", *PLACED, "summed"):
        con.execute(f"DROP TABLE {table}")
    return CellCounts(
        facts=numbered.rows,
        units=units,
        cells=cells,
        smallest=smallest,
        suppressed_facts=numbered.rows - published,
        suppressed_units=rest_units,
        rungs=told,
        beside=beside,
    )


def _cells_and_facts(con: duckdb.DuckDBPyConnection, rung: int) -> tuple[int, int]:
    cells, facts = only_row(
        con,
        f"SELECT count(*), coalesce(sum(facts), 0) FROM summed JOIN chosen USING (cell) WHERE rung = {rung}",
    )
    return cells, facts


def _aggregate(
    con: duckdb.DuckDBPyConnection, numbered: Numbered, *, plan: CellPlan, rungs: Sequence[Rung]
) -> None:
    """Makes `cells` from what is placed: one pass over the facts (`summed`), then the keys of one atom of each cell."""
    keys = [_by_rung(["segment" if rung.segments else text(REST) for rung in rungs], SEGMENT)]
    for j, dimension in enumerate(plan.dimensions):
        levels = [rung.levels[j] for rung in rungs]
        keys.append(
            _by_rung([value_at(plan, level) if level else "NULL" for level in levels], dimension.name)
        )
        keys.append(
            _by_rung([text(level.label if level else ALL) for level in levels], f"{dimension.name}_level")
        )
    measures = "".join(f", {_measure(measure, f'm{i}')} AS s{i}" for i, measure in enumerate(plan.measures))
    names = "".join(f", s{i} AS {quoted(measure.name)}" for i, measure in enumerate(plan.measures))
    con.execute(
        f"CREATE TEMP TABLE summed AS SELECT cell, count(*) AS facts{measures} "
        f"FROM {numbered.facts} JOIN placed USING (atom) GROUP BY cell"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {', '.join(keys)}, n AS {quoted(plan.count_name)}{names} "
        "FROM summed JOIN chosen USING (cell) JOIN (SELECT cell, min(atom) AS atom FROM placed GROUP BY cell) USING (cell) "
        f"JOIN levels ON level = atom // {numbered.segments} "
        f"JOIN (SELECT DISTINCT seg, segment FROM people) ON seg = atom % {numbered.segments} ORDER BY ALL"
    )


def _pairs(con: duckdb.DuckDBPyConnection, numbered: Numbered, *, plan: CellPlan) -> Pairs:
    """Who stands behind each atom, and what its facts add up to.

    Beside others, levels are finer than our cells need them: here they are told apart by our own columns alone.
    """
    values = [f"a{i}" for i in range(len(level_columns(plan)))] or ["0"]
    measures = ", ".join(f"m{number}" for number, _ in measured_columns(plan)) or "1"
    bits = [
        f"{1 << i} * CAST(h{number} AS BIGINT)" if number in numbered.counted.partial else f"{1 << i}"
        for i, (number, _) in enumerate(measured_columns(plan))
    ]
    valued = " + ".join(bits) or "0"
    atom, owned, each, levels = "atom", "", "", "(SELECT *, level AS own FROM levels)"
    if numbered.others is not None:
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE owned AS SELECT *, dense_rank() OVER (ORDER BY {', '.join(values)}) - 1 AS own "
            "FROM levels"
        )
        segments = numbered.segments
        atom, each, levels = f"own * {segments} + atom % {segments}", "GROUP BY 1, 2", "owned"
        valued = f"bit_or({valued})"
        owned = f"JOIN owned ON owned.level = atom // {segments}"
    return Pairs(
        levels=con.sql(
            f"SELECT {', '.join(f'CAST({name} AS VARCHAR)' for name in values)} "
            f"FROM (SELECT DISTINCT ON (own) * FROM {levels}) ORDER BY own"
        ).to_arrow_table(),
        segments=con.sql("SELECT DISTINCT seg, segment FROM people ORDER BY seg").to_arrow_table()["segment"],
        atoms=con.sql(
            f"SELECT {atom} AS atom, CAST(sum(said) % 9223372036854775807 AS BIGINT) AS said, coalesce(any_value(cell), -1) AS cell "
            f"FROM (SELECT atom, sum(hash({measures})) AS said FROM {numbered.facts} GROUP BY atom) LEFT JOIN placed USING (atom) "
            f"{owned} GROUP BY 1 ORDER BY 1"
        ).to_arrow_table(),
        rows=con.sql(
            f"SELECT {atom} AS atom, person, {valued} AS valued FROM pairs {owned} {each}"
        ).to_arrow_reader(1 << 18),
    )


def _by_rung(expressions: Sequence[str], name: str) -> str:
    whens = " ".join(
        f"WHEN rung = {number} THEN {expression}" for number, expression in enumerate(expressions)
    )
    return f"CASE {whens} END AS {quoted(name)}"


def _measure(measure: Measure, column: str) -> str:
    """The SQL of one measure. Sums run over exact decimals: the same facts give the same sum in any order."""
    if measure.aggregate == "count":
        return "count(*)"
    if measure.aggregate == "countDistinct":
        return f"count(DISTINCT {column})"
    if measure.aggregate != "sum":
        raise PrivacyError(
            f"Measure `{measure.name}` has an aggregate that cells don't have.",
            remedy="Use sum, count or countDistinct.",
        )
    if measure.decimals is None:
        return f"CAST(sum({column}) AS BIGINT)"
    return f"CAST({_exact(measure, column)} AS DOUBLE)"


def _exact(measure: Measure, column: str) -> str:
    """The SQL of a sum without rounding."""
    if measure.decimals is None:
        return f"sum({column})"
    return f"sum(CAST({column} AS DECIMAL(38, {int(measure.decimals)})))"
