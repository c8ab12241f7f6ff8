"""What a table gives away, measured on the table itself. Independent of how it was made: SQL over Arrow, no kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from core.errors import PrivacyError
from core.sql import quoted


@dataclass(frozen=True, kw_only=True)
class ClassSizes:
    """Equivalence classes over persons: how many, the smallest, the mean, and how many hold a single person."""

    classes: int
    units: int
    smallest: int
    singletons: int

    @property
    def mean(self) -> float:
        """Persons per class; 0 without classes."""
        return self.units / self.classes if self.classes else 0.0


def only_row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    """The counts of a query that has one row. The result is drained: DuckDB refuses to go on beside an open one."""
    ((*counts,),) = con.execute(sql).fetchall()
    return tuple(int(count) for count in counts)


def _need(table: pa.Table, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table.column_names:
            raise PrivacyError(
                f"No column `{column}` to measure.", remedy=f"There are: {', '.join(table.column_names)}."
            )


def in_memory() -> duckdb.DuckDBPyConnection:
    """DuckDB without a folder to spill into: what is measured is in memory already, and may be raw."""
    return duckdb.connect(config={"temp_directory": ""})


def class_sizes(table: pa.Table, quasi_identifiers: Sequence[str], *, unit: str) -> ClassSizes:
    """Classes of rows that share all quasi-identifier values, counted in distinct persons.

    table: n rows; one person may own many of them, `unit` names the column that tells whose. NULLs form a value of their
    own. Raises PrivacyError if a column is missing.
    """
    _need(table, [*quasi_identifiers, unit])
    keys = ", ".join(quoted(name) for name in quasi_identifiers) or "NULL::INTEGER"
    with in_memory() as con:
        con.register("measured", table)
        classes, smallest, singletons = only_row(
            con,
            f"SELECT count(*), coalesce(min(n), 0), count(*) FILTER (n = 1) FROM "
            f"(SELECT count(DISTINCT {quoted(unit)}) AS n FROM measured GROUP BY {keys})",
        )
        (units,) = only_row(con, f"SELECT count(DISTINCT {quoted(unit)}) FROM measured")
    return ClassSizes(classes=classes, units=units, smallest=smallest, singletons=singletons)


def k_anonymity(table: pa.Table, quasi_identifiers: Sequence[str], *, unit: str) -> int:
    """Fewest distinct persons that share one combination of quasi-identifier values.

    table: n rows; one person may own many of them, `unit` names the column that tells whose. NULLs form a value of their
    own. Returns 0 for an empty table. Raises PrivacyError if a column is missing.
    Source: Sweeney 2002, counted over persons rather than rows.
    """
    return class_sizes(table, quasi_identifiers, unit=unit).smallest


def l_diversity(table: pa.Table, quasi_identifiers: Sequence[str], *, sensitive: str, unit: str) -> int:
    """Fewest distinct values of `sensitive` within one combination of quasi-identifier values, counted over persons.

    A missing value is no value: who knows that a value is missing has not been misled by it. Where persons have several
    rows, a value that all of a class share is known of everyone: a class of n persons, m of whom share its commonest
    value, has an l of at most n - m + 1 (with one row a person that is never less than the distinct values).
    Returns 0 for an empty table. Raises PrivacyError if a column is missing.
    Source: Machanavajjhala et al. 2007, distinct l-diversity, carried over to persons.
    """
    _need(table, [*quasi_identifiers, sensitive, unit])
    keys = [f"q{number}" for number in range(len(quasi_identifiers))]
    picked = ", ".join(f"{quoted(name)} AS {key}" for key, name in zip(keys, quasi_identifiers, strict=True))
    grouped = ", ".join(keys) or "()"
    with in_memory() as con:
        con.register("measured", table)
        con.execute(
            f"CREATE TEMP TABLE rows_of AS SELECT {picked + ', ' if picked else ''}{quoted(sensitive)} AS s, "
            f"{quoted(unit)} AS u FROM measured"
        )
        both = " AND ".join(f"p.{key} IS NOT DISTINCT FROM v.{key}" for key in keys) or "true"
        (least,) = only_row(
            con,
            f"""
            SELECT coalesce(min(least(v.l, p.n - v.m + 1)), 0) FROM
            (SELECT {grouped + "," if keys else ""} count(DISTINCT u) AS n FROM rows_of GROUP BY {grouped}) p JOIN
            (SELECT {grouped + "," if keys else ""} count(s) AS l, coalesce(max(n) FILTER (s IS NOT NULL), 0) AS m FROM
             (SELECT {grouped + "," if keys else ""} s, count(DISTINCT u) AS n FROM rows_of GROUP BY {grouped + ", " if keys else ""}s)
             GROUP BY {grouped}) v ON {both}
            WHERE p.n > 0
            """,
        )
    return least
