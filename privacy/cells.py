"""Facts of persons as cells, each fact in exactly one, each cell with at least k persons.

A fact starts in its finest cell (segment, then each dimension at its first level). Where fewer than k persons stand in
a cell, its facts move up one rung together with the other left-over facts there: first all segments become one, then the
first dimension coarsens level by level up to "all", then the next. What is under k at the last rung is suppressed.

What a recipient could try, and why it fails:
- subtract cells from each other: no fact is counted twice, and no total is published; a coarse cell holds only the facts
  that no finer cell holds.
- subtract all cells from the grand total, known from elsewhere: the suppressed facts together belong to no person or to
  at least k (else published cells join them). Who knows the total of one small cell knows that cell already.
- count rows instead of persons: every test counts distinct persons, and for each measure those who have a value: the sum
  over five persons of whom four have none is the fifth's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from contracts.model import CellPlan, Level, Measure
from core.errors import PrivacyError
from core.progress import Progress, silent
from core.sql import quoted, text
from privacy.measures import only_row

SEGMENT = "segment"
REST = "(rest)"  # the segment of a cell that gathers what the segments' own cells could not show
ALL = "all"  # the level of a dimension that a cell doesn't tell apart


@dataclass(frozen=True, kw_only=True)
class CellCounts:
    """What became of the facts: rows and distinct persons received, cells published and suppressed rows and persons."""

    facts: int
    units: int
    cells: int
    smallest: int
    suppressed_facts: int
    suppressed_units: int
    rungs: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class _Rung:
    """One level of detail: whether segments are told apart, and each dimension's level (None: all)."""

    segments: bool
    levels: tuple[Level | None, ...]

    def label(self, plan: CellPlan) -> str:
        parts = [SEGMENT if self.segments else "all segments"]
        parts += [
            level.label if level else f"all of {dimension.name}"
            for level, dimension in zip(self.levels, plan.dimensions, strict=True)
        ]
        return " x ".join(parts)


def ladder(plan: CellPlan) -> tuple[_Rung, ...]:
    """The levels of detail from fine to coarse: segment first, then dimension after dimension in the plan's order."""
    levels: list[Level | None] = [dimension.levels[0] for dimension in plan.dimensions]
    rungs = [_Rung(segments=True, levels=tuple(levels)), _Rung(segments=False, levels=tuple(levels))]
    for j, dimension in enumerate(plan.dimensions):
        for level in (*dimension.levels[1:], None):
            levels[j] = level
            rungs.append(_Rung(segments=False, levels=tuple(levels)))
    return tuple(rungs)


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
    segment: str,
    plan: CellPlan,
    k: int,
    progress: Progress = silent,
) -> CellCounts:
    """Leaves the published cells in the table `cells` of `con`, with the columns of `columns_of`, ordered by their keys.

    con: a connection on which `facts` is a relation of rows of persons. unit: SQL of whose a row is, without NULLs;
    segment: SQL of the person's segment, text. k: fewest persons of a cell.
    """
    rungs = ladder(plan)
    _number_atoms(con, facts=facts, unit=unit, segment=segment, plan=plan)
    con.execute("CREATE TEMP TABLE placed (atom BIGINT, rung INTEGER, cell BIGINT)")
    safe = " AND ".join(f"{count} >= {int(k)}" if n == 0 else f"({count} = 0 OR {count} >= {int(k)})"
                        for n, count in enumerate(_persons(plan)))  # fmt: skip
    for number, rung in enumerate(rungs):
        progress("cells", number / len(rungs))
        con.execute(
            "CREATE OR REPLACE TEMP TABLE grouped AS SELECT atom, dense_rank() OVER "
            f"(ORDER BY {', '.join(_keys(plan, rung)) or '1'}) AS cell FROM atoms SEMI JOIN left_over USING (atom)"
        )
        con.execute(
            f"INSERT INTO placed SELECT atom, {number}, cell FROM grouped SEMI JOIN "
            f"(SELECT cell FROM left_over JOIN grouped USING (atom) GROUP BY cell HAVING {safe}) USING (cell)"
        )
        con.execute("DELETE FROM left_over WHERE atom IN (SELECT atom FROM placed)")
    _widen_the_rest(con, plan=plan, k=k)
    _aggregate(con, plan=plan, rungs=rungs)
    facts_in, units_in, rest_facts, rest_units = only_row(
        con,
        "SELECT (SELECT count(*) FROM numbered), (SELECT count(DISTINCT unit) FROM numbered), "
        "(SELECT count(*) FROM numbered SEMI JOIN left_over USING (atom)), (SELECT count(DISTINCT unit) FROM left_over)",
    )
    cells, smallest = only_row(
        con, f"SELECT count(*), coalesce(min({quoted(plan.count_name)}), 0) FROM cells"
    )
    told = tuple((rung.label(plan), *_cells_and_facts(con, number)) for number, rung in enumerate(rungs))
    for table in ("numbered", "atoms", "left_over", "placed", "grouped"):
        con.execute(f"DROP TABLE {table}")
    return CellCounts(
        facts=facts_in,
        units=units_in,
        cells=cells,
        smallest=smallest,
        suppressed_facts=rest_facts,
        suppressed_units=rest_units,
        rungs=told,
    )


def _level_columns(plan: CellPlan) -> tuple[str, ...]:
    """The fact columns that any level looks at, each once, in order."""
    return tuple(dict.fromkeys(level.column for dimension in plan.dimensions for level in dimension.levels))


def _measured(plan: CellPlan) -> list[tuple[int, str]]:
    """The measures that look at a column: their number and the column."""
    return [(number, measure.column) for number, measure in enumerate(plan.measures) if measure.column]


def _persons(plan: CellPlan) -> list[str]:
    """SQL of the counts that a group of `left_over` is judged by: its persons, then those with a value of each measure."""
    return [
        "count(DISTINCT unit)",
        *(f"count(DISTINCT unit) FILTER (h{number})" for number, _ in _measured(plan)),
    ]


def _number_atoms(
    con: duckdb.DuckDBPyConnection, *, facts: str, unit: str, segment: str, plan: CellPlan
) -> None:
    """Numbers the combinations of segment and level columns (atoms); all facts of an atom end in the same cell.

    Leaves `atoms` (atom, segment, a0, a1, ...), `numbered` (atom, unit, m0, m1, ...: one row a fact) and `left_over`
    (atom, unit, h0, h1, ...: who stands behind each atom that isn't published yet, and has a value of which measure).
    All names in it are ours: a contract may call its columns and measures anything.
    """
    keys = {SEGMENT: segment, **{f"a{i}": quoted(name) for i, name in enumerate(_level_columns(plan))}}
    picked = ", ".join(f"{column} AS {name}" for name, column in keys.items())
    measures = "".join(f", {quoted(column)} AS m{number}" for number, column in _measured(plan))
    source = f"(SELECT {unit} AS unit, {picked}{measures} FROM {facts})"
    con.execute(
        f"CREATE TEMP TABLE atoms AS SELECT row_number() OVER () AS atom, * FROM (SELECT DISTINCT {', '.join(keys)} FROM {source})"
    )
    same = " AND ".join(f"f.{name} IS NOT DISTINCT FROM a.{name}" for name in keys)
    kept = "".join(f", f.m{number}" for number, _ in _measured(plan))
    con.execute(
        f"CREATE TEMP TABLE numbered AS SELECT a.atom, f.unit{kept} FROM {source} f JOIN atoms a ON {same}"
    )
    having = "".join(f", bool_or(m{number} IS NOT NULL) AS h{number}" for number, _ in _measured(plan))
    con.execute(f"CREATE TEMP TABLE left_over AS SELECT atom, unit{having} FROM numbered GROUP BY atom, unit")


def _value(plan: CellPlan, level: Level) -> str:
    """The SQL of a dimension's value at one level, over the table `atoms`."""
    column = f"a{_level_columns(plan).index(level.column)}"
    if level.width == 1:
        return column
    width, origin = int(level.width), int(level.origin)
    return f"CAST({origin} + {width} * floor(({column} - {origin}) / {width}) AS BIGINT)"


def _keys(plan: CellPlan, rung: _Rung) -> list[str]:
    keys = [SEGMENT] if rung.segments else []
    return keys + [_value(plan, level) for level in rung.levels if level is not None]


def _cells_and_facts(con: duckdb.DuckDBPyConnection, rung: int) -> tuple[int, int]:
    cells, facts = only_row(
        con,
        f"SELECT (SELECT count(DISTINCT cell) FROM placed WHERE rung = {rung}), "
        f"(SELECT count(*) FROM numbered SEMI JOIN (SELECT atom FROM placed WHERE rung = {rung}) USING (atom))",
    )
    return cells, facts


def _widen_the_rest(con: duckdb.DuckDBPyConnection, *, plan: CellPlan, k: int) -> None:
    """Takes published cells back until what is suppressed belongs to nobody or to at least k persons.

    Without it, the grand total known from elsewhere minus the published cells would be the facts of fewer than k persons.
    The coarsest cell with the fewest persons goes first.
    """
    having = "".join(f", bool_or(m{number} IS NOT NULL) AS h{number}" for number, _ in _measured(plan))
    while True:
        rest = only_row(con, f"SELECT {', '.join(_persons(plan))} FROM left_over")
        if (
            not any(0 < persons < k for persons in rest)
            or not only_row(con, "SELECT count(*) FROM placed")[0]
        ):
            return
        rung, cell = only_row(
            con,
            "SELECT rung, cell FROM placed JOIN numbered USING (atom) GROUP BY rung, cell "
            "ORDER BY rung DESC, count(DISTINCT unit), cell LIMIT 1",
        )
        con.execute(
            f"INSERT INTO left_over SELECT atom, unit{having} FROM numbered SEMI JOIN "
            f"(SELECT atom FROM placed WHERE rung = {rung} AND cell = {cell}) USING (atom) GROUP BY atom, unit"
        )
        con.execute(f"DELETE FROM placed WHERE rung = {rung} AND cell = {cell}")


def _aggregate(con: duckdb.DuckDBPyConnection, *, plan: CellPlan, rungs: Sequence[_Rung]) -> None:
    """Makes `cells` from what is placed: one pass over the facts, then the keys of one atom of each cell."""
    keys = [_by_rung([SEGMENT if rung.segments else text(REST) for rung in rungs], SEGMENT)]
    for j, dimension in enumerate(plan.dimensions):
        levels = [rung.levels[j] for rung in rungs]
        keys.append(_by_rung([_value(plan, level) if level else "NULL" for level in levels], dimension.name))
        keys.append(
            _by_rung([text(level.label if level else ALL) for level in levels], f"{dimension.name}_level")
        )
    measures = "".join(f", {_measure(measure, f'm{i}')} AS r{i}" for i, measure in enumerate(plan.measures))
    names = "".join(f", r{i} AS {quoted(measure.name)}" for i, measure in enumerate(plan.measures))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {', '.join(keys)}, persons AS {quoted(plan.count_name)}{names} FROM "
        f"(SELECT rung, min(atom) AS atom, count(DISTINCT unit) AS persons{measures} "
        f"FROM numbered JOIN placed USING (atom) GROUP BY rung, cell) JOIN atoms USING (atom) ORDER BY ALL"
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
    return f"CAST(sum(CAST({column} AS DECIMAL(38, {int(measure.decimals)}))) AS DOUBLE)"
