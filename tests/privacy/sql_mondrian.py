"""The multidimensional search once more, in SQL: what `privacy.search.mondrian` is held against.

A part is a number in a table of rows; one pass cuts every part that has a safe cut, at the best of all its thresholds, and
passes go on until none has. It knows thresholds, k and the number of distinct values, and persons with several rows; it
shares no code with the search.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.search.tuples import Tuples

_LEAST = 2.0**-40  # gains are compared in whole steps of it

# Every threshold of every dimension of every part: what stands left and right of it.
_CUTS = """
CREATE OR REPLACE TEMP TABLE cuts AS
WITH here AS (SELECT DISTINCT part, dimension, code FROM places),
thresholds AS (
    SELECT part, dimension, code FROM here
    QUALIFY code < max(code) OVER (PARTITION BY part, dimension)
),
sides AS (
    SELECT t.part, t.dimension, t.code, p.code <= t.code AS is_left, sum(p.weight) AS weight,
        count(DISTINCT p.person) * any_value($by_unit) + sum(p.weight) * (1 - any_value($by_unit)) AS persons,
        max(s.stop) - min(s.start) AS span
    FROM thresholds t JOIN places p USING (part, dimension)
    JOIN scales s ON s.dimension = p.dimension AND s.code = p.code
    GROUP BY ALL
)
SELECT part, dimension, code,
    sum(weight * span) AS spans, sum(weight) AS weight, min(persons) AS fewest
FROM sides GROUP BY part, dimension, code
"""
_WHOLE = """
SELECT p.part, p.dimension, max(s.stop) - min(s.start) AS span
FROM places p JOIN scales s ON s.dimension = p.dimension AND s.code = p.code GROUP BY p.part, p.dimension
"""
# Persons with rows on both sides of a threshold.
_ASTRIDE = """
SELECT DISTINCT c.part, c.dimension, c.code FROM cuts c JOIN (
    SELECT part, dimension, person, min(code) AS lowest, max(code) AS highest FROM places GROUP BY ALL
) p ON p.part = c.part AND p.dimension = c.dimension AND p.lowest <= c.code AND p.highest > c.code
"""
# Sides that have fewer than l values, or in which all but l - 2 persons share one.
_ALIKE = """
WITH sides AS (
    SELECT c.part, c.dimension, c.code, p.code <= c.code AS is_left, p.tuple, p.person, p.weight
    FROM cuts c JOIN places p USING (part, dimension)
),
sizes AS (
    SELECT part, dimension, code, is_left,
        CASE WHEN $by_unit = 1 THEN count(DISTINCT person) ELSE sum(weight) END AS persons
    FROM sides GROUP BY ALL
),
counts AS (
    SELECT s.part, s.dimension, s.code, s.is_left, v.number, v.value,
        CASE WHEN $by_unit = 1 THEN count(DISTINCT s.person) ELSE sum(s.weight) END AS persons
    FROM sides s JOIN sensitive v ON v.tuple = s.tuple GROUP BY ALL
),
kinds AS (
    SELECT part, dimension, code, is_left, number, count(*) AS kinds, max(persons) AS most FROM counts GROUP BY ALL
)
SELECT DISTINCT s.part, s.dimension, s.code
FROM sizes s CROSS JOIN (SELECT unnest(range($columns)) AS number) n
LEFT JOIN kinds k ON k.part = s.part AND k.dimension = s.dimension AND k.code = s.code AND k.is_left = s.is_left
    AND k.number = n.number
WHERE coalesce(k.kinds, 0) < $l OR s.persons - coalesce(k.most, 0) < $l - 1
"""
_BEST = f"""
CREATE OR REPLACE TEMP TABLE best AS
SELECT c.part, c.dimension, c.code
FROM cuts c JOIN ({_WHOLE}) w ON w.part = c.part AND w.dimension = c.dimension
LEFT JOIN ({_ALIKE}) a ON a.part = c.part AND a.dimension = c.dimension AND a.code = c.code
LEFT JOIN ({_ASTRIDE}) x ON $by_unit = 1 AND x.part = c.part AND x.dimension = c.dimension AND x.code = c.code
WHERE c.fewest >= $k AND a.part IS NULL AND x.part IS NULL AND round((w.span - c.spans / c.weight) / $least) > 1
QUALIFY row_number() OVER (
    PARTITION BY c.part ORDER BY round((w.span - c.spans / c.weight) / $least) DESC, c.dimension, c.code
) = 1
"""
_CUT = """
CREATE OR REPLACE TEMP TABLE places AS
SELECT p.tuple, p.person, p.weight, p.dimension, p.code,
    CASE WHEN b.part IS NULL THEN 2 * p.part WHEN here.code <= b.code THEN 2 * p.part ELSE 2 * p.part + 1 END AS part
FROM places p LEFT JOIN best b ON b.part = p.part
LEFT JOIN places here ON here.tuple = p.tuple AND here.dimension = b.dimension
"""
# Part numbers double with each pass; ranks keep them small and in the same order.
_RENUMBER = """
CREATE OR REPLACE TEMP TABLE places AS SELECT * REPLACE (dense_rank() OVER (ORDER BY part) - 1 AS part) FROM places
"""


def sql_partition(
    tuples: Tuples, *, k: int, l_distinct: Sequence[int] = (), within: npt.NDArray[np.int32] | None = None
) -> npt.NDArray[np.int64]:
    """The part of each tuple, (n,). l_distinct: fewest distinct values a part, of the first sensitive columns, the same
    number for all of them; within: an earlier partition that the parts refine. At least one tuple and one dimension."""
    n, d = tuples.codes.shape
    by_unit = tuples.units is not None
    at = np.arange(n)
    given = {
        "places": pa.table(
            {
                "tuple": np.tile(at, d),
                "person": np.tile(tuples.units if tuples.units is not None else at, d).astype(np.int64),
                "weight": np.tile(tuples.weights, d).astype(np.int64),
                "dimension": np.repeat(np.arange(d), n),
                "code": tuples.codes.T.ravel().astype(np.int64),
                "part": np.tile(np.zeros(n, np.int64) if within is None else within.astype(np.int64), d),
            }
        ),
        "scales": pa.table(
            {
                "dimension": np.repeat(np.arange(d), [len(each) for each in tuples.positions]),
                "code": np.concatenate([np.arange(len(each)) for each in tuples.positions]),
                "start": np.concatenate(tuples.positions),
                "stop": np.concatenate(tuples.positions if tuples.ends is None else tuples.ends),
            }
        ),
        "sensitive": pa.table(
            {
                "tuple": np.repeat(at, tuples.sensitive.shape[1]),
                "number": np.tile(np.arange(tuples.sensitive.shape[1]), n),
                "value": tuples.sensitive.ravel().astype(np.int64),
            }
        ),
    }
    rules = {"l": max(l_distinct, default=0), "columns": len(l_distinct)}
    units = {"by_unit": int(by_unit)}
    with duckdb.connect(config={"threads": 1}) as con:
        for name, table in given.items():
            con.register("given", table)
            there = " WHERE value >= 0" if name == "sensitive" else ""
            con.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM given{there}")
        while True:
            con.execute(_CUTS, units)
            con.execute(_BEST, {"k": k, "least": _LEAST, **units, **rules})
            ((cuts,),) = con.execute("SELECT count(*) FROM best").fetchall()
            if not cuts:
                break
            con.execute(_CUT)
            con.execute(_RENUMBER)
        rows = con.execute("SELECT part FROM places WHERE dimension = 0 ORDER BY tuple").fetchall()
    return np.array([part for (part,) in rows], np.int64)
