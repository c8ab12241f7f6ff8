"""SQL rules: one SELECT that only reads this contract's tables and gives one number.

Three proofs, each on DuckDB with no file, network or extension in reach: the text parses as one SELECT; its tree holds
nothing but queries over the contract's tables; and it runs on empty tables with the contract's columns, giving one row of
one number or truth value. Messages name columns and tables, never the text of the query.

The third proof has a process of its own, which its timers end: `sqldry`.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import duckdb

from contracts.problems import choose, shown
from contracts.sqldry import Runner, ask_dry, connect
from core.sql import quoted

Refusal = tuple[str, str]  # what, remedy

_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"}
_TABLE_REFS = {"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "CTE"}
_TABLE_FUNCTIONS = {"unnest"}
_FUNCTIONS_REFUSED = {"error"}  # puts values of rows into error texts
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN)")
_PLACEHOLDER = re.compile(r"\$?\{(\w+)\}")
_OBJECT = {"object", "table", "schema", "model"}
_PROPERTY = {"property", "column", "field"}
OBJECT = "{object}"
_QUERY_S = 2.0  # of a processor, for one dry run
_CONTRACT_S = 6.0  # of a processor, for all dry runs of a contract
_LIGHTER = "Leave out what makes rows or long values from nothing: range, repeat, joins of such."
_MEMORY = "memory than there is for a check"


def fill_placeholders(query: str, *, column: str | None) -> str | Refusal:
    """The query with the column's name for ${property} and its kin, and `{object}` for ${object} and its kin.

    A placeholder that isn't known is refused; a brace inside a text of the query that doesn't hold one word alone is left.
    """
    unknown: list[str] = []
    orphan: list[str] = []

    def fill(match: re.Match[str]) -> str:
        word = match[1].lower()
        if word in _OBJECT:
            return OBJECT
        if word in _PROPERTY:
            if column is None:
                orphan.append(match[1])
                return match[0]
            return quoted(column)
        if not match[1].isdigit():  # {2} is a repetition of a regular expression
            unknown.append(match[1])
        return match[0]

    filled = _PLACEHOLDER.sub(fill, query)
    if orphan:
        return (
            f"uses {{{shown(orphan[0])}}}, but stands at a table",
            "Move the rule to the column, or name the column.",
        )
    if unknown:
        return (
            f"has a placeholder `{shown(unknown[0])}` that isn't known",
            "Use ${object} and ${property}, or write the value.",
        )
    return filled


class _Opened:
    """A connection, and the process that it was made in. To make one takes longer than all the rest of a contract's check."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.connection = connect()


_mine = threading.local()
_all: WeakSet[_Opened] = WeakSet()
_held: list[_Opened] = []


def _connection() -> duckdb.DuckDBPyConnection:
    """This thread's connection, without tables, to nothing but its own memory."""
    opened: _Opened | None = getattr(_mine, "opened", None)
    if opened is None or opened.pid != os.getpid():
        opened = _mine.opened = _Opened()
        _all.add(opened)
    return opened.connection


def _hold() -> None:
    _held[:] = _all
    for opened in _held:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(opened))


def _let_go() -> None:
    for opened in _held:
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(opened))
    _held.clear()


# A child never frees what it inherits: DuckDB would wait for threads that are in the parent alone.
os.register_at_fork(before=_hold, after_in_parent=_let_go)


class SqlGate:
    """Proves queries and patterns against the tables of one contract.

    tables: name -> (column, DuckDB type) in order. Close it when done.
    """

    def __init__(self, tables: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        self._tables = {name.casefold(): name for name in tables}
        self._paths = {
            f"{name}.{column}".casefold() for name, columns in tables.items() for column, _ in columns
        }
        self._columns = sorted({column for columns in tables.values() for column, _ in columns})
        self._made = {
            name: ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
            for name, columns in tables.items()
            if columns
        }
        self._con = _connection()
        self._left_s = _CONTRACT_S

    def close(self) -> None:
        """Ends it: no query is run any more. The connection and the process stay for the next contract."""
        self._left_s = 0.0

    def knows(self, reference: str) -> bool:
        """Whether a reference in short form, `table.column`, names a column of the contract."""
        return reference.casefold() in self._paths

    def refuse(self, query: str, *, table: str) -> Refusal | None:
        """Why a query (with `{object}` for `table`) isn't taken, or None when all three proofs hold."""
        sql = query.replace(OBJECT, quoted(table))
        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            return _unparsed(error)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return "isn't one SELECT", "Write a single SELECT that gives a number; rules only read."
        tree = self._tree(statements[0].query)
        if tree is None:
            return "isn't one SELECT", "Write a single SELECT that gives a number; rules only read."
        return self._foreign(tree) or self._dry_run(statements[0].query)

    def pattern_works(self, pattern: str) -> bool:
        """Whether a regular expression is one that DuckDB (RE2) knows."""
        try:
            self._con.execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
        except duckdb.Error:
            return False
        return True

    def _tree(self, sql: str) -> Any:
        try:
            row = self._con.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        except duckdb.Error:
            return None
        parsed = json.loads(row[0]) if row else {"error": True}
        return None if parsed.get("error") else parsed["statements"]

    def _foreign(self, tree: Any) -> Refusal | None:
        """What in the tree isn't a query over the contract's tables."""
        objects = list(_objects(tree))
        named = {
            str(entry["key"]).casefold()
            for part in objects
            for entry in part.get("cte_map", {}).get("map", [])
        }
        for part in objects:
            kind = str(part.get("type", ""))
            if kind.endswith("_NODE") and kind not in _NODES:
                return "does something else than select", "Write a plain SELECT; rules only read."
            name = str(part.get("function_name", "")).lower()
            if name in _FUNCTIONS_REFUSED:
                return f"calls {name}()", "Leave it out: it would put values into messages."
            if "alias" not in part or "sample" not in part:  # only references to tables have both
                continue
            if kind == "TABLE_FUNCTION":
                function = str(part.get("function", {}).get("function_name", "")).lower()
                if function not in _TABLE_FUNCTIONS:
                    return f"reads from the function `{shown(function)}`", "Read the contract's tables only."
            elif kind not in _TABLE_REFS:
                return "reads from something else than a table", "Read the contract's tables only."
            elif kind == "BASE_TABLE":
                table = str(part.get("table_name", ""))
                if part.get("schema_name") or part.get("catalog_name"):
                    return (
                        f"names a schema before `{shown(table)}`",
                        "Write ${object} for the rule's own table.",
                    )
                if table.casefold() not in self._tables and table.casefold() not in named:
                    close = choose(table, self._tables.values())
                    return (
                        f"reads `{shown(table)}`, which isn't a table of the contract",
                        f"Write ${{object}} for the rule's own table. {close}",
                    )
        return None

    def _dry_run(self, sql: str) -> Refusal | None:
        limit_s = min(_QUERY_S, self._left_s)
        if limit_s < _QUERY_S / 100:
            return "wasn't tried: the rules before it took all the time there is", _LIGHTER
        answer = ask_dry({"tables": self._made, "sql": sql, "limit_s": limit_s})
        if isinstance(answer, Runner):
            late = answer.out_of_time()
            answer.end()
            self._left_s -= limit_s
            return _too_much(f"than {limit_s:.2g} s") if late else _too_much(_MEMORY)
        self._left_s -= answer["took_s"]
        if answer.get("error") == duckdb.OutOfMemoryException.__name__:
            return _too_much(_MEMORY)
        if "error" in answer:
            return self._unbound(answer["error"], answer["text"])
        kinds, rows = answer["kinds"], answer["rows"]
        if len(kinds) != 1 or rows != 1:
            return "doesn't give one number", "Aggregate: SELECT count(*) FROM ${object} WHERE ..."
        if not _NUMERIC.fullmatch(kinds[0]) and kinds[0] != '"NULL"':
            return (
                "gives something else than a number or a truth value",
                "Select a count, a sum or a comparison.",
            )
        return None

    def _unbound(self, error: str, text: str) -> Refusal:
        if column := re.search(r'column(?: name)? "([^"]+)" not found', text):
            return f"names a column `{shown(column[1])}` that isn't there", choose(column[1], self._columns)
        if column := re.search(r'does not have a column named "([^"]+)"', text):
            return f"names a column `{shown(column[1])}` that isn't there", choose(column[1], self._columns)
        if function := re.search(r"Function with name (\w+) does not exist", text):
            return (
                f"calls `{shown(function[1])}`, which DuckDB doesn't have",
                "Rules are written in DuckDB's SQL.",
            )
        if function := re.search(r"given name and argument types '(\w+)\(", text):
            return (
                f"calls `{shown(function[1])}` on a type that it doesn't take",
                "Check the columns' logical types.",
            )
        # Any other text of the engine may quote a literal of the query.
        kind = error.removesuffix("Exception")
        return f"can't be run ({kind})", "Try it in DuckDB on tables with the contract's columns and types."


def _too_much(what: str) -> Refusal:
    return f"takes more {what}, on tables without a row", _LIGHTER


def _unparsed(error: duckdb.Error) -> Refusal:
    """Where the parser stopped, when that is a plain word."""
    token = re.search(r'at or near "([A-Za-z_]\w*)"', str(error))
    near = f" near `{shown(token[1])}`" if token else ""
    return f"isn't SQL that DuckDB can parse{near}", "Rules are written in DuckDB's SQL."


def _objects(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _objects(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _objects(value)
