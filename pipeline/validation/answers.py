"""Each question to the data is asked once: Great Expectations runs a rule's query several times, over what is found here.

All row rules of a table that look at nothing but the row are answered by one scan; every other query by itself. What is
found lies in small tables of the run's database: numbers of rows, and which rules they break.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import numpy as np

from core.parquet import Rows
from core.sql import quoted
from pipeline.validation.expectations import Rule
from pipeline.validation.views import View


class Answers:
    """What the rules over `views` found. A rule whose query fails has no answer, and is left to Great Expectations."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, rules: Sequence[Rule], owners: Sequence[View]
    ) -> None:
        self._database = database
        self._found: dict[int, str] = {}
        for view in {view.plain: view for view in owners}.values():
            mine = [(number, rule) for number, rule in enumerate(rules) if owners[number] is view]
            rowwise = [(number, rule.condition) for number, rule in mine if rule.condition is not None]
            alone = [(number, sql) for number, sql in rowwise if quoted(view.plain) in sql]
            self._scan(view, [(number, sql) for number, sql in rowwise if quoted(view.plain) not in sql])
            self._one_by_one(view, alone)
            for number, rule in mine:
                if rule.condition is None and rule.query is not None:
                    self._keep(view, number, rule.query)

    def over(self, rules: Iterable[Rule]) -> list[Rule]:
        """The rules, each asking what was found already."""
        return [
            rule.asking(f"SELECT 1 FROM {self._found[number]}")
            if rule.query and number in self._found
            else rule
            for number, rule in enumerate(rules)
        ]

    def rows(self, number: int, view: View) -> Rows | None:
        """The numbers of the rows that break rule `number`, a row rule; None when it has no answer."""
        if number not in self._found:
            return None
        query = f"SELECT {view.row} FROM {self._found[number]}"
        return np.asarray(self._database.execute(query).fetchnumpy()[view.row], np.int64)

    def _scan(self, view: View, conditions: Sequence[tuple[int, str]]) -> None:
        """Answers the conditions in one scan; one by one where they fail together."""
        if not conditions:
            return
        broken = f"{view.plain}_broken"
        marks = ", ".join(f"({sql}) AS r{number}" for number, sql in conditions)
        anyone = " OR ".join(f"r{number}" for number, _ in conditions)
        # Marks in a query of their own: beside it, `r0` would be the table's column where it has one of that name.
        if self._make(broken, f"FROM (SELECT {view.row}, {marks} FROM {view.numbered}) WHERE {anyone}"):
            self._found |= {number: f"(FROM {broken} WHERE r{number})" for number, _ in conditions}
            return
        self._one_by_one(view, conditions)

    def _one_by_one(self, view: View, conditions: Sequence[tuple[int, str]]) -> None:
        for number, sql in conditions:
            self._keep(view, number, f"SELECT {view.row} FROM {view.numbered} WHERE {sql}")

    def _keep(self, view: View, number: int, query: str) -> None:
        name = f"{view.plain}_found_{number}"
        if self._make(name, query):
            self._found[number] = name

    def _make(self, name: str, query: str) -> bool:
        try:
            self._database.execute(f"CREATE TABLE {quoted(name)} AS {query}").fetchall()
        except duckdb.Error:
            return False
        return True
