"""Facts of persons as numbers: what their cells are told apart by, and who stands behind what."""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb

from contracts.protection import CellPlan, Level
from core.sql import quoted
from privacy.facts.beside import Counted, Others, mark
from privacy.measures.classes import only_row


@dataclass(frozen=True, kw_only=True)
class Numbered:
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

    def alone(self) -> Numbered:
        """The same, as if there were no others."""
        return replace(self, others=None)


def level_columns(plan: CellPlan) -> tuple[str, ...]:
    """The fact columns that any level looks at, each once, in order."""
    return tuple(dict.fromkeys(level.column for dimension in plan.dimensions for level in dimension.levels))


def measured_columns(plan: CellPlan) -> list[tuple[int, str]]:
    """The measures that look at a column: their number and the column."""
    return [(number, measure.column) for number, measure in enumerate(plan.measures) if measure.column]


def number_facts(
    con: duckdb.DuckDBPyConnection,
    *,
    facts: str,
    unit: str,
    persons: str,
    plan: CellPlan,
    others: Others | None,
    k: int,
) -> Numbered:
    """Numbers the combinations of segment and level columns (atoms); all facts of an atom end in the same cell.

    Leaves `levels` (level, a0, a1, ..., how many facts), `people` (spelt, person, seg, segment), `pairs` (atom, person, h0, ...: who stands behind each atom, and has
    a value of which measure), `atoms` (atom, n, n0, ...: how many do), and with `others` what `mark` does. All names in it are
    ours: a contract may call its columns and measures anything. Texts are compared only here: what follows runs on numbers.
    """
    every = others.every if others is not None else ()
    told = list(dict.fromkeys([*level_columns(plan), *(name for each in every for name in each.apart)]))
    when = list(dict.fromkeys(each.could_be_theirs for each in every))
    values = {f"a{i}": sql for i, sql in enumerate([*map(quoted, told), *when])} or {"a0": "0"}
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
        columns = {name: f"a{i}" for i, name in enumerate(told)}
        windows = {sql: f"a{len(told) + i}" for i, sql in enumerate(when)}
        mark(
            con,
            others,
            counted,
            facts=numbered,
            levels=columns,
            windows=windows,
            added=added,
            own=[columns[name] for name in level_columns(plan)],
            segments=segments,
            k=k,
        )
    return Numbered(
        facts=numbered,
        rows=rows,
        segments=segments,
        levels=levels,
        counted=counted,
        others=others,
    )


def value_at(plan: CellPlan, level: Level) -> str:
    """The SQL of a dimension's value at one level, over the table `levels`."""
    column = f"a{level_columns(plan).index(level.column)}"
    if level.width == 1:
        return column
    width, origin = int(level.width), int(level.origin)
    return f"CAST({origin} + {width} * floor(({column} - {origin}) / {width}) AS BIGINT)"
