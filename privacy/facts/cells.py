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
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from contracts.protection import CellPlan, Level, Measure
from core.errors import PrivacyError
from core.progress import Progress, silent
from core.sql import quoted, text
from privacy.facts.beside import Counted, Others, Together, mark, spoiled, together, unsafe_cells
from privacy.facts.ladders import SEGMENT, SHARED, Ladder, Rung, ladders, losses
from privacy.measures.classes import only_row

NO_PROFILE = "no-profile"  # the segment of persons whom the subject table doesn't hold
REST = "(rest)"  # the segment of a cell that gathers what the segments' own cells could not show
_STATE = ("chosen", "placed", "left_over")
_TRIES = 30  # to find cells that nothing can be derived from, before pieces are asked to be of k each
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
    numbered = _number(con, facts=facts, unit=unit, persons=persons, plan=plan, others=others, k=k)
    rungs, beside = _made_beside(con, numbered, plan=plan, k=k, progress=progress)
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
    for table in ("levels", "people", "pairs", "atoms", "barred", *_STATE, "summed"):
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


@dataclass(frozen=True, kw_only=True)
class _Numbered:
    """The facts as the statements below read them, and what is known of them.

    facts: a relation (atom, person, m0, m1, ...). rows: how many. segments, levels: how many of each; an atom's number
    is its level's times `segments`, plus its segment's. counted: how pairs are judged. others: what the pairs were marked with.
    """

    facts: str
    rows: int
    segments: int
    levels: int
    counted: Counted
    others: Others | None

    def alone(self) -> _Numbered:
        """The same, as if there were no others."""
        return replace(self, others=None)


def level_columns(plan: CellPlan) -> tuple[str, ...]:
    """The fact columns that any level looks at, each once, in order."""
    return tuple(dict.fromkeys(level.column for dimension in plan.dimensions for level in dimension.levels))


def measured_columns(plan: CellPlan) -> list[tuple[int, str]]:
    """The measures that look at a column: their number and the column."""
    return [(number, measure.column) for number, measure in enumerate(plan.measures) if measure.column]


def _number(
    con: duckdb.DuckDBPyConnection,
    *,
    facts: str,
    unit: str,
    persons: str,
    plan: CellPlan,
    others: Others | None,
    k: int,
) -> _Numbered:
    """Numbers the combinations of segment and level columns (atoms); all facts of an atom end in the same cell.

    Leaves `levels` (level, a0, a1, ..., how many facts), `people` (spelt, person, seg, segment), `pairs` (atom, person, h0, ...: who stands behind each atom, and has
    a value of which measure), `atoms` (atom, n, n0, ...: how many do), and with `others` what `mark` does. All names in it are
    ours: a contract may call its columns and measures anything. Texts are compared only here: what follows runs on numbers.
    """
    every = others.every if others is not None else ()
    told = {name: quoted(name) for name in (*level_columns(plan), *(n for each in every for n in each.apart))}
    told |= {each.could_be_theirs: each.could_be_theirs for each in every}
    values = {f"a{i}": column for i, column in enumerate(told.values())} or {"a0": "0"}
    picked = ", ".join(f"{column} AS {name}" for name, column in values.items())
    measured = measured_columns(plan)
    added = {name: f"x{i}" for i, name in enumerate(dict.fromkeys(n for each in every for n in each.adds))}
    kept = "".join(f", {quoted(column)} AS m{number}" for number, column in measured)
    kept += "".join(f", {quoted(column)} AS {name}" for column, name in added.items())
    source = f"(SELECT {unit} AS spelt, {picked}{kept} FROM {facts})"
    known = "".join(f", count(m{number}) AS known{number}" for number, _ in measured)
    names = ", ".join(values)
    con.execute(
        f"CREATE TEMP TABLE levels AS SELECT row_number() OVER () - 1 AS level, * "
        f"FROM (SELECT {names}, count(*) AS facts{known} FROM {source} GROUP BY {names})"
    )
    con.execute(
        "CREATE TEMP TABLE people AS SELECT spelt, CAST(person AS INTEGER) AS person, segment, "
        f"dense_rank() OVER (ORDER BY segment) - 1 AS seg FROM {persons}"
    )
    rows, levels, segments, *having = only_row(
        con,
        "SELECT coalesce(sum(facts), 0), count(*), (SELECT count(DISTINCT seg) FROM people)"
        f"{''.join(f', coalesce(sum(known{number}), 0)' for number, _ in measured)} FROM levels",
    )
    partial = tuple(number for (number, _), count in zip(measured, having, strict=True) if count < rows)
    same = " AND ".join(f"f.{name} IS NOT DISTINCT FROM l.{name}" for name in values)
    carried = "".join(f", f.{name}" for name in (*(f"m{number}" for number, _ in measured), *added.values()))
    numbered = (
        f"(SELECT l.level * {segments} + p.seg AS atom, p.person{carried} "
        f"FROM {source} f JOIN levels l ON {same} JOIN people p USING (spelt))"
    )
    flags = "".join(f", bool_or(m{number} IS NOT NULL) AS h{number}" for number in partial)
    con.execute(
        f"CREATE TEMP TABLE pairs AS SELECT atom, person{flags} FROM {numbered} GROUP BY atom, person"
    )
    counts = "".join(f", count(*) FILTER (h{number}) AS n{number}" for number in partial)
    con.execute(f"CREATE TEMP TABLE atoms AS SELECT atom, count(*) AS n{counts} FROM pairs GROUP BY atom")
    counted = Counted(partial=partial, measured=dict(measured))
    if others is not None:
        columns = dict(zip(told, values, strict=False))
        own = [columns[name] for name in level_columns(plan)]
        mark(
            con, others, counted, facts=numbered, levels=columns, added=added, own=own, segments=segments, k=k
        )
    return _Numbered(
        facts=numbered,
        rows=rows,
        segments=segments,
        levels=levels,
        counted=counted,
        others=others,
    )


def _made_beside(
    con: duckdb.DuckDBPyConnection, numbered: _Numbered, *, plan: CellPlan, k: int, progress: Progress
) -> tuple[Ladder, Together | None]:
    """Finds each atom's cell, so that beside the cells of others no more are exposed than the limit lets; where that can't be,
    the last try stands.

    Cells that stand in the way of it are barred, and the ladder is climbed again: their facts go into coarser ones. Where that
    leads nowhere, each piece is asked to be of k.
    """
    others = numbered.others
    con.execute("CREATE OR REPLACE TEMP TABLE barred (cell BIGINT)")
    rungs = _place_all(con, numbered.alone(), plan=plan, k=k, progress=progress)
    if others is None:
        return rungs, None
    seen, bars = together(con, others, numbered.counted, k=k)
    if seen.share <= others.limit:
        return rungs, seen
    con.execute("DELETE FROM atoms WHERE atom IN (FROM unsure)")
    for _ in range(_TRIES):
        con.execute("INSERT INTO barred SELECT unnest(CAST(? AS BIGINT[]))", [bars])
        _climb(con, numbered.alone(), plan=plan, rungs=rungs, k=k, progress=progress)
        before = bars
        seen, bars = together(con, others, numbered.counted, k=k)
        if seen.share <= others.limit:
            return rungs, seen
        if not (bars or before):
            break
    con.execute("DELETE FROM barred")
    rungs = _place_all(con, numbered, plan=plan, k=k, progress=progress)
    return rungs, together(con, others, numbered.counted, k=k)[0]


def _climb(
    con: duckdb.DuckDBPyConnection,
    numbered: _Numbered,
    *,
    plan: CellPlan,
    rungs: Ladder,
    k: int,
    progress: Progress,
) -> None:
    """Finds each atom's cell on one ladder."""
    _begin(con)
    _place(con, numbered, plan=plan, rungs=rungs, first=0, k=k, progress=progress)
    _widen_the_rest(con, numbered, k=k)


def _begin(con: duckdb.DuckDBPyConnection) -> None:
    """No atom has a cell."""
    con.execute("CREATE OR REPLACE TEMP TABLE chosen (cell BIGINT, rung INTEGER, n BIGINT)")
    con.execute("CREATE OR REPLACE TEMP TABLE placed (cell BIGINT, atom BIGINT)")
    con.execute("CREATE OR REPLACE TEMP TABLE left_over AS FROM pairs LIMIT 0")


def _place_all(
    con: duckdb.DuckDBPyConnection, numbered: _Numbered, *, plan: CellPlan, k: int, progress: Progress
) -> Ladder:
    """Finds each atom's cell on the ladder that loses least, which is returned; of several that lose the same, the first.

    Leaves `chosen` (cell, rung, n persons), `placed` (cell, atom) and `left_over`, the pairs of the atoms without a cell.
    """
    _begin(con)
    every = ladders(plan)
    shared = every[0][:SHARED]
    _place(con, numbered, plan=plan, rungs=shared, first=0, k=k, progress=progress)
    for table in _STATE:
        con.execute(f"CREATE TEMP TABLE begun_{table} AS FROM {table}")
    lost: list[int] = []
    for number, rungs in enumerate(every):
        _finish(con, numbered, plan=plan, rungs=rungs, k=k, progress=progress)
        lost.append(_loss(con, plan, rungs))
        progress("cells", (number + 1) / (len(every) + 1))
    best = lost.index(min(lost))
    if best != len(every) - 1:
        _finish(con, numbered, plan=plan, rungs=every[best], k=k, progress=progress)
    for table in _STATE:
        con.execute(f"DROP TABLE begun_{table}")
    return every[best]


def _finish(
    con: duckdb.DuckDBPyConnection,
    numbered: _Numbered,
    *,
    plan: CellPlan,
    rungs: Ladder,
    k: int,
    progress: Progress,
) -> None:
    """Goes up the rest of one ladder from where all ladders part."""
    for table in _STATE:
        con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM begun_{table}")
    _place(con, numbered, plan=plan, rungs=rungs[SHARED:], first=SHARED, k=k, progress=progress)
    _widen_the_rest(con, numbered, k=k)


def _loss(con: duckdb.DuckDBPyConnection, plan: CellPlan, rungs: Ladder) -> int:
    """What a ladder loses, over all pairs of an atom and a person: a person's thousand facts of one kind count once."""
    lost, suppressed = losses(plan, rungs)
    whens = " ".join(f"WHEN {number} THEN {loss}" for number, loss in enumerate(lost))
    shown, rest = only_row(
        con,
        f"SELECT (SELECT coalesce(sum(a.n * CASE c.rung {whens} END), 0) FROM placed JOIN chosen c USING (cell) "
        "JOIN atoms a USING (atom)), (SELECT count(*) FROM left_over)",
    )
    return int(shown) + suppressed * int(rest)


def _place(
    con: duckdb.DuckDBPyConnection,
    numbered: _Numbered,
    *,
    plan: CellPlan,
    rungs: Sequence[Rung],
    first: int,
    k: int,
    progress: Progress,
) -> None:
    """Finds the cells of atoms without one, rung by rung; the rungs are numbered from `first` on.

    A cell's number grows with its keys.
    """
    counted = ", ".join(numbered.counted.names)
    safe = " AND ".join(
        f"{count} >= {int(k)}" if count == "n" else f"({count} = 0 OR {count} >= {int(k)})"
        for count in numbered.counted.names
    )
    rest = "pairs" if first == 0 else "left_over"  # not copied: most of them find a cell at the first rung
    for number, rung in enumerate(rungs, start=first):
        progress("cells")
        where = ", ".join(_keys(plan, rung)) or "1"
        segment = f"atom % {numbered.segments}" if rung.segments else "0"
        base = (number * numbered.segments) * (numbered.levels + 1)
        con.execute(
            f"CREATE TEMP TABLE grouped AS SELECT *, count(*) OVER (PARTITION BY cell) = 1 AS alone FROM "
            f"(SELECT atom, {base} + {segment} * {numbered.levels + 1} + place AS cell, {counted} FROM atoms "
            f"ANTI JOIN placed USING (atom) JOIN (SELECT level, dense_rank() OVER (ORDER BY {where}) AS place FROM levels) "
            f"ON level = atom // {numbered.segments})"
        )
        con.execute(
            f"CREATE TEMP VIEW judged AS SELECT cell, {counted} FROM grouped WHERE alone "
            f"UNION ALL SELECT cell, {numbered.counted.listed} FROM {rest} JOIN "
            "(SELECT atom, cell FROM grouped WHERE NOT alone) USING (atom) GROUP BY cell"
        )
        beside = ""
        if numbered.others is not None:
            beside = f"AND cell NOT IN ({unsafe_cells(numbered.counted, 'grouped', 'judged')})"
        con.execute(
            f"INSERT INTO chosen SELECT cell, {number}, n FROM judged "
            f"WHERE {safe} AND cell NOT IN (FROM barred) {beside}"
        )
        con.execute("INSERT INTO placed SELECT cell, atom FROM grouped SEMI JOIN chosen USING (cell)")
        con.execute(f"CREATE OR REPLACE TEMP TABLE left_over AS FROM {rest} ANTI JOIN placed USING (atom)")
        con.execute("DROP VIEW judged")
        con.execute("DROP TABLE grouped")
        rest = "left_over"


def _value(plan: CellPlan, level: Level) -> str:
    """The SQL of a dimension's value at one level, over the table `levels`."""
    column = f"a{level_columns(plan).index(level.column)}"
    if level.width == 1:
        return column
    width, origin = int(level.width), int(level.origin)
    return f"CAST({origin} + {width} * floor(({column} - {origin}) / {width}) AS BIGINT)"


def _cells_and_facts(con: duckdb.DuckDBPyConnection, rung: int) -> tuple[int, int]:
    cells, facts = only_row(
        con,
        f"SELECT count(*), coalesce(sum(facts), 0) FROM summed JOIN chosen USING (cell) WHERE rung = {rung}",
    )
    return cells, facts


def _keys(plan: CellPlan, rung: Rung) -> list[str]:
    return [_value(plan, level) for level in rung.levels if level is not None]


def _widen_the_rest(con: duckdb.DuckDBPyConnection, numbered: _Numbered, *, k: int) -> None:
    """Takes published cells back until what is suppressed belongs to nobody or to at least k persons, all of it and of each
    cell of the others.

    Without it, the grand total known from elsewhere minus the published cells would be the facts of fewer than k persons.
    The coarsest cell with the fewest persons goes first.
    """
    others, counted = numbered.others, numbered.counted
    while True:
        back = spoiled(con, others, counted) if others is not None else []
        rest = only_row(con, f"SELECT {counted.listed} FROM left_over")
        if not back and any(0 < persons < k for persons in rest):
            cheapest = con.execute("SELECT cell FROM chosen ORDER BY rung DESC, n, cell LIMIT 1").fetchall()
            back = [int(cell) for (cell,) in cheapest]
        if not back:
            return
        cells = ", ".join(map(str, back))
        con.execute(
            "INSERT INTO left_over FROM pairs SEMI JOIN "
            f"(SELECT atom FROM placed WHERE cell IN ({cells})) USING (atom)"
        )
        for table in ("placed", "chosen"):
            con.execute(f"DELETE FROM {table} WHERE cell IN ({cells})")


def _aggregate(
    con: duckdb.DuckDBPyConnection, numbered: _Numbered, *, plan: CellPlan, rungs: Sequence[Rung]
) -> None:
    """Makes `cells` from what is placed: one pass over the facts (`summed`), then the keys of one atom of each cell."""
    keys = [_by_rung(["segment" if rung.segments else text(REST) for rung in rungs], SEGMENT)]
    for j, dimension in enumerate(plan.dimensions):
        levels = [rung.levels[j] for rung in rungs]
        keys.append(_by_rung([_value(plan, level) if level else "NULL" for level in levels], dimension.name))
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


def _pairs(con: duckdb.DuckDBPyConnection, numbered: _Numbered, *, plan: CellPlan) -> Pairs:
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
