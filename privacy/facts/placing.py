"""Finds each atom's cell: up the ladders of detail, and beside the cells of other releases."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from contracts.protection import CellPlan
from core.progress import Progress
from privacy.facts.beside import Together, spoiled, together, unsafe_cells
from privacy.facts.ladders import SHARED, Ladder, Rung, ladders, losses
from privacy.facts.numbered import Numbered, value_at
from privacy.measures.classes import only_row

PLACED = ("chosen", "placed", "left_over")  # the tables that say where atoms are
_TRIES = 30  # to find cells that nothing can be derived from, before pieces are asked to be of k each


def place_beside(
    con: duckdb.DuckDBPyConnection, numbered: Numbered, *, plan: CellPlan, k: int, progress: Progress
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
        if not seen.persons or not (bars or before):
            break
        if seen.share <= others.limit:
            return rungs, seen
    con.execute("DELETE FROM barred")
    rungs = _place_all(con, numbered, plan=plan, k=k, progress=progress)
    return rungs, together(con, others, numbered.counted, k=k)[0]


def _climb(
    con: duckdb.DuckDBPyConnection,
    numbered: Numbered,
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
    con: duckdb.DuckDBPyConnection, numbered: Numbered, *, plan: CellPlan, k: int, progress: Progress
) -> Ladder:
    """Finds each atom's cell on the ladder that loses least, which is returned; of several that lose the same, the first.

    Leaves `chosen` (cell, rung, n persons), `placed` (cell, atom) and `left_over`, the pairs of the atoms without a cell.
    """
    _begin(con)
    every = ladders(plan)
    shared = every[0][:SHARED]
    _place(con, numbered, plan=plan, rungs=shared, first=0, k=k, progress=progress)
    for table in PLACED:
        con.execute(f"CREATE TEMP TABLE begun_{table} AS FROM {table}")
    lost: list[int] = []
    for number, rungs in enumerate(every):
        _finish(con, numbered, plan=plan, rungs=rungs, k=k, progress=progress)
        lost.append(_loss(con, plan, rungs))
        progress("cells", (number + 1) / (len(every) + 1))
    best = lost.index(min(lost))
    if best != len(every) - 1:
        _finish(con, numbered, plan=plan, rungs=every[best], k=k, progress=progress)
    for table in PLACED:
        con.execute(f"DROP TABLE begun_{table}")
    return every[best]


def _finish(
    con: duckdb.DuckDBPyConnection,
    numbered: Numbered,
    *,
    plan: CellPlan,
    rungs: Ladder,
    k: int,
    progress: Progress,
) -> None:
    """Goes up the rest of one ladder from where all ladders part."""
    for table in PLACED:
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
    numbered: Numbered,
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


def _keys(plan: CellPlan, rung: Rung) -> list[str]:
    return [value_at(plan, level) for level in rung.levels if level is not None]


def _widen_the_rest(con: duckdb.DuckDBPyConnection, numbered: Numbered, *, k: int) -> None:
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
