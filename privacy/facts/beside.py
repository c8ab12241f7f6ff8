"""Cells made beside those of other releases of the same facts: within what these leave open, and measured together with them.

Who reads two tables of cells adds and subtracts the cells of both. Each fact lies, or doesn't, in one cell of either; facts that lie
in the same cells, and in no other ones, are a piece. Where behind each piece there are k persons, nothing can be had of fewer. But
most pieces can't be had at all: goods by week for the one and shops by week for the other leave a piece for each good in each shop,
and none of them follows from the sums. So what is asked is what can be derived (`privacy.facts.derived`), of three kinds of facts:

- those in a cell of ours and in one of theirs (`seen`);
- those in a cell of ours and in none of theirs: they came since, or the others left them out;
- those in a cell of theirs and in none of ours: they're gone since (`gone`), or we leave them out.

What has all persons of a cell tells nothing that this cell doesn't, and may be as small. What is gone and what we leave out are held
apart, since a third release may show the one and not the other. Facts that both have and that somebody corrected in between, or some
of which are gone, are of unknown persons: we leave out all that lie alike (`unsure`).

What was published is known by the numbers of atoms' values and persons alone (`privacy.history.facts`). With two or more
others, facts of this release are told apart by all of them together, and what is gone by each alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.proof import Window
from core.sql import quoted
from privacy.facts.derived import doubtful
from privacy.facts.periods import since_1970
from privacy.history.facts import Facts
from privacy.subjects.names import Numbers, mixed, numbers

_GONE = -2  # the cell of ours of what isn't there any more; -1 is what we leave out


@dataclass(frozen=True, kw_only=True)
class Other:
    """Cells of another release, as this run can find them again in its own facts.

    apart, adds: our names of the columns that theirs are told apart by and added up of. k: their fewest persons. time, window:
    which of our facts could be theirs, by our name of the time column; None: all could.
    """

    apart: tuple[str, ...]
    adds: tuple[str, ...]
    k: int
    facts: Facts
    time: str | None = None
    window: Window = field(default_factory=Window)

    @property
    def could_be_theirs(self) -> str:
        """SQL of whether a fact lies in their window."""
        if self.time is None:
            return "true"
        at = f"epoch_us({quoted(self.time)})"
        sides = [f"{at} >= {since_1970(self.window.start)}"] if self.window.start else []
        sides += [f"{at} < {since_1970(self.window.end)}"] if self.window.end else []
        return f"coalesce({' AND '.join(sides)}, false)" if sides else "true"


@dataclass(frozen=True, kw_only=True)
class Others:
    """All cells that new ones are held against. names: the key of numbers; persons: the number of each person, by code; limit:
    the largest share of persons (0..1) who may stand in pieces that are too small."""

    every: Sequence[Other]
    names: bytes
    persons: Numbers
    limit: float


@dataclass(frozen=True, kw_only=True)
class Together:
    """What a reader of all live cells of the same facts can tell. live: tables of others; persons: behind our cells; exposed: of whom
    something might be told as of fewer than k; k: how many are asked for, the most of all contracts."""

    live: int
    persons: int
    exposed: int
    k: int

    @property
    def share(self) -> float:
        """Of the persons behind our cells."""
        return min(1.0, self.exposed / self.persons) if self.persons else float(self.exposed > 0)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What pairs are judged by: their distinct persons, then those of them with a value of each measure that some facts have
    none of. partial: the numbers of these measures; a relation of pairs has `person`, and h0, ... of them. measured: the column
    of each measure that adds one up, by its number."""

    partial: tuple[int, ...] = ()
    measured: Mapping[int, str] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[str, ...]:
        """The SQL of each count."""
        return (
            "count(DISTINCT person)",
            *(f"count(DISTINCT person) FILTER (h{number})" for number in self.partial),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the counts are called where they're kept."""
        return ("n", *(f"n{number}" for number in self.partial))

    @property
    def listed(self) -> str:
        """SQL of all counts, named."""
        return ", ".join(f"{count} AS {name}" for count, name in zip(self.counts, self.names, strict=True))


def mark(
    con: duckdb.DuckDBPyConnection,
    others: Others,
    counted: Counted,
    *,
    facts: str,
    levels: Mapping[str, str],
    windows: Mapping[str, str],
    added: Mapping[str, str],
    own: Sequence[str],
    segments: int,
    k: int,
) -> None:
    """Finds for each pair of ours where the others show it.

    con: with the tables `pairs` (atom, person, ...) and `levels` (level, ...). facts: a relation (atom, person, ...) of all
    facts. levels, windows: the column of `levels` in which a fact column, or whether a fact lies in a window, stands; added: the
    column of `facts` likewise; own: those columns of `levels` that our cells are told apart by. segments: an atom's number is its
    level's times this, plus its segment's.

    Leaves `seen`, the pairs with `before`, a number for the cells that they lie in elsewhere; `befores` (before, b0, ..., least
    persons of a piece); `gone0`, ... (cell, number, h0, ...): whose facts are behind a cell of theirs and not among ours; and
    `unsure` (atom): those that hold corrected facts, with all that have to be in one cell with them.
    """
    con.register("who_is", pa.table({"number": others.persons, "person": np.arange(len(others.persons))}))
    con.execute(
        "CREATE OR REPLACE TEMP TABLE who AS SELECT CAST(person AS INTEGER) AS person, number FROM who_is"
    )
    for number, other in enumerate(others.every):
        _find(con, number, other, others.names, counted, levels=levels, windows=windows, segments=segments)
        _find_changes(con, number, other, facts=facts, added=added)
    places = range(len(others.every))
    shown = ", ".join(f"coalesce(f{i}.cell, -1) AS b{i}" for i in places)
    joins = " ".join(f"LEFT JOIN found{i} f{i} USING (atom, person)" for i in places)
    told = ", ".join(f"b{i}" for i in places)
    con.execute(f"CREATE OR REPLACE TEMP TABLE placed_before AS SELECT pairs.*, {shown} FROM pairs {joins}")
    sizes = " ".join(f"LEFT JOIN sizes{i} s{i} ON s{i}.cell = b{i}" for i in places)
    largest = ", ".join(f"CASE WHEN b{i} >= 0 THEN {other.k} END" for i, other in enumerate(others.every))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE befores AS SELECT row_number() OVER () AS before, {told}, "
        f"least(greatest({int(k)}, {largest}), {', '.join(f's{i}.n' for i in places)}) AS least "
        f"FROM (SELECT DISTINCT {told} FROM placed_before) {sizes}"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE seen AS FROM placed_before JOIN befores USING ({told})")
    changed = " UNION ".join(f"SELECT atom FROM unsure{i}" for i in places)
    same = " AND ".join(f"o.{name} IS NOT DISTINCT FROM c.{name}" for name in own) or "true"
    picked = "".join(f", {name}" for name in own)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unsure AS SELECT o.level * {segments} + c.segment AS atom FROM (SELECT DISTINCT "
        f"atom % {segments} AS segment{picked} FROM ({changed}) JOIN levels ON level = atom // {segments}) c "
        f"JOIN levels o ON {same}"
    )
    con.execute("DROP TABLE placed_before")


def _find(
    con: duckdb.DuckDBPyConnection,
    number: int,
    other: Other,
    names: bytes,
    counted: Counted,
    *,
    levels: Mapping[str, str],
    windows: Mapping[str, str],
    segments: int,
) -> None:
    """Leaves `theirs` (id, level, number, cell, atom), what is remembered; `found` (atom, person, id, cell, theirs), which of
    it stands behind which pair of ours; `gone` (cell, number, h0, ...); and `sizes` (cell, n): how many persons each of their cells has."""
    cells = other.facts.cell_of_pair
    remembered = {
        "id": np.arange(len(cells)),
        "level": other.facts.levels,
        "number": other.facts.persons,
        "cell": cells,
        "atom": other.facts.atoms,
        "valued": other.facts.valued,
    }
    con.register(f"remembered{number}", pa.table(remembered))
    con.execute(f"CREATE OR REPLACE TEMP TABLE theirs{number} AS FROM remembered{number}")
    picked = (
        ", ".join(f"CAST({levels[name]} AS VARCHAR) AS l{i}" for i, name in enumerate(other.apart))
        or "'0' AS l0"
    )
    here = con.sql(
        f"SELECT level, {picked} FROM levels WHERE {windows[other.could_be_theirs]} ORDER BY level"
    ).to_arrow_table()
    mine = mixed([numbers(column, names) for column in here.columns[1:]], here.num_rows).view(np.int64)
    con.register(f"numbered{number}", pa.table({"level": here["level"], "number": mine}))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE found{number} AS SELECT p.atom, p.person, t.id, t.cell, t.atom AS theirs FROM pairs p "
        f"JOIN numbered{number} l ON l.level = p.atom // {segments} JOIN who w USING (person) "
        f"JOIN theirs{number} t ON t.level = l.number AND t.number = w.number"
    )
    flags = [
        f", bit_or(valued) & {1 << other.adds.index(column)} <> 0 AS h{measure}"
        if column in other.adds
        else f", false AS h{measure}"
        for measure, column in counted.measured.items()
    ]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE gone{number} AS SELECT cell, number{''.join(flags)} FROM theirs{number} "
        f"ANTI JOIN found{number} USING (id) WHERE cell >= 0 GROUP BY cell, number"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE sizes{number} AS SELECT cell, count(DISTINCT number) AS n FROM theirs{number} "
        "WHERE cell >= 0 GROUP BY cell"
    )


def _find_changes(
    con: duckdb.DuckDBPyConnection,
    number: int,
    other: Other,
    *,
    facts: str,
    added: Mapping[str, str],
) -> None:
    """Leaves `unsure` (atom): ours whose facts, in a cell that they show, add up to something else than they did."""
    marked = np.flatnonzero(other.facts.cells > 0)
    was = pa.table({"theirs": other.facts.atoms[marked], "was": other.facts.said[marked]})
    con.register(f"was{number}", was)
    sums = ", ".join(added[name] for name in other.adds) or "1"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unsure{number} AS SELECT DISTINCT atom FROM found{number} SEMI JOIN "
        f"(SELECT theirs FROM (SELECT theirs, sum(hash({sums})) AS said FROM {facts} JOIN found{number} USING (atom, person) "
        f"WHERE cell >= 0 GROUP BY theirs) JOIN was{number} USING (theirs) "
        "WHERE CAST(said % 9223372036854775807 AS BIGINT) <> was) USING (theirs)"
    )


def unsafe_cells(counted: Counted, grouped: str, judged: str) -> str:
    """SQL of the cells that have a piece of too few. grouped: a relation (cell, atom); judged: (cell, its counts)."""
    return f"SELECT DISTINCT cell FROM ({_small_pieces(counted, grouped, judged)})"


def spoiled(con: duckdb.DuckDBPyConnection, others: Others, counted: Counted) -> list[int]:
    """Which of our cells to take back, since too little of one of theirs is left beside them: for each such cell of theirs our
    coarsest, and of these the smallest, that has something of it. con: with `chosen` (cell, rung, n) and `placed` (cell, atom)."""
    cells: set[int] = set()
    for number, other in enumerate(others.every):
        found = con.execute(
            f"SELECT DISTINCT ON (b{number}) c.cell FROM seen s JOIN placed USING (atom) JOIN chosen c USING (cell) "
            f"WHERE b{number} IN ({_small_rests(counted, number, other.k)}) ORDER BY b{number}, c.rung DESC, c.n, c.cell"
        )
        cells |= {int(cell) for (cell,) in found.fetchall()}
    return sorted(cells)


def together(
    con: duckdb.DuckDBPyConnection, others: Others, counted: Counted, *, k: int
) -> tuple[Together, list[int]]:
    """What our cells, as they are in `placed`, tell together with all others', and which of ours stand in the way of its being
    less. k: our fewest persons."""
    ks = [*(other.k for other in others.every), k]
    places = range(len(others.every))
    shown = ", ".join(f"b{i}" for i in places)
    ours = ", ".join(f"h{m}" if m in counted.partial else f"true AS h{m}" for m in counted.measured)
    flags = "".join(f", h{m}" for m in counted.measured)
    gone = []
    for i in places:
        theirs = ", ".join("cell" if i == j else "-1" for j in places)
        gone.append(f"SELECT number, {theirs}, {_GONE}{flags} FROM gone{i}")
    rows = con.sql(
        f"SELECT DISTINCT * FROM (SELECT number, {shown}, coalesce(cell, -1) AS cell{', ' * bool(ours)}{ours} FROM seen "
        f"JOIN who USING (person) LEFT JOIN placed USING (atom) UNION ALL {' UNION ALL '.join(gone)}) "
        f"WHERE {' OR '.join(f'b{i} >= 0' for i in places)} OR cell >= 0"
    ).fetchnumpy()
    cells = np.column_stack([rows[f"b{i}"] for i in places] + [rows["cell"]]).astype(np.int64)
    # A cell of theirs of which we show nothing is told of as a whole, or not at all.
    ours_too = cells[:, -1] >= 0
    kept = ours_too.copy()
    for i in places:
        kept |= np.isin(cells[:, i], np.setdiff1d(cells[ours_too, i], [-1]))
    rows, cells = {name: column[kept] for name, column in rows.items()}, cells[kept]
    _, persons = np.unique(rows["number"], return_inverse=True)
    found = doubtful(persons, cells, ks)
    doubt, apart = found.rows.copy(), found.apart.copy()
    for measure, column in counted.measured.items():
        valued = np.asarray(rows[f"h{measure}"], np.bool_)
        tables = [i for i in places if column in others.every[i].adds]
        if not tables or valued.all():
            continue
        with_it = np.flatnonzero(valued & (cells[:, [*tables, -1]] >= 0).any(axis=1))
        part = doubtful(
            persons[with_it], cells[with_it][:, [*tables, len(places)]], [ks[i] for i in (*tables, -1)]
        )
        doubt[with_it] |= part.rows
        apart[with_it] |= part.apart
    unsure = con.execute(
        "SELECT DISTINCT number FROM pairs SEMI JOIN unsure USING (atom) SEMI JOIN placed USING (atom) JOIN who USING (person)"
    ).fetchnumpy()["number"]
    exposed = np.union1d(np.unique(rows["number"][doubt]), unsure)
    told = Together(
        live=len(others.every),
        persons=len(np.unique(persons[cells[:, -1] >= 0])),
        exposed=len(exposed),
        k=max(ks),
    )
    return told, _in_the_way(cells, doubt, apart)


def _in_the_way(
    cells: npt.NDArray[np.int64], doubt: npt.NDArray[np.bool_], apart: npt.NDArray[np.bool_]
) -> list[int]:
    """Our cells to do without: those that hang together with the rest too loosely; where it's only what we leave out that does, of
    each of their cells that it's of our coarsest (a cell's number grows with its rung)."""
    ours = cells[:, -1]
    loose = np.unique(ours[doubt & apart & (ours >= 0)])
    if len(loose):
        return [int(cell) for cell in loose]
    found: set[int] = set()
    for j in range(cells.shape[1] - 1):
        theirs = np.unique(cells[doubt & (cells[:, j] >= 0), j])
        here = np.flatnonzero(np.isin(cells[:, j], theirs) & (ours >= 0))
        coarsest = np.full(int(cells[:, j].max(initial=0)) + 1, -1)
        np.maximum.at(coarsest, cells[here, j], ours[here])
        found |= {int(cell) for cell in coarsest[coarsest >= 0]}
    return sorted(found)


def _small_pieces(counted: Counted, grouped: str, judged: str) -> str:
    """SQL of the pieces of our cells that are of too few: (cell, before)."""
    small = " OR ".join(f"(p.{n} > 0 AND p.{n} < b.least AND p.{n} <> j.{n})" for n in counted.names)
    return (
        f"SELECT p.cell, p.before FROM (SELECT cell, before, {counted.listed} FROM seen JOIN {grouped} USING (atom) "
        f"GROUP BY cell, before) p JOIN befores b USING (before) JOIN {judged} j USING (cell) WHERE {small}"
    )


def _rests(counted: Counted, number: int) -> str:
    """SQL of whose facts one of their cells holds and none of ours: (b, number, h0, ...), of those cells of which ours hold
    something at all."""
    flags = "".join(f", h{measure}" for measure in counted.partial)
    return (
        f"SELECT * FROM (SELECT b{number} AS b, number{flags} FROM seen ANTI JOIN placed USING (atom) "
        f"JOIN who USING (person) UNION ALL SELECT cell, number{flags} FROM gone{number}) "
        f"SEMI JOIN (SELECT b{number} AS b FROM seen SEMI JOIN placed USING (atom) WHERE b{number} >= 0) USING (b)"
    )


def _small_rests(counted: Counted, number: int, k: int) -> str:
    """SQL of their cells of which too little is left beside ours: (b)."""
    values = "".join(
        f" OR count(DISTINCT number) FILTER (h{measure}) BETWEEN 1 AND {int(k) - 1}"
        for measure in counted.partial
    )
    return f"SELECT b FROM ({_rests(counted, number)}) GROUP BY b HAVING count(DISTINCT number) < {int(k)}{values}"
