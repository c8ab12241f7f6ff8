"""Great Expectations over DuckDB: the SQLAlchemy dialect that is missing, and one suite run over several tables.

duckdb-engine's dialect doesn't serve: Great Expectations reads results after the connection went back to its pool, where
the rollback empties them, and the catalog that it takes from PostgreSQL isn't DuckDB's. Here every cursor is a DuckDB
connection of its own, which no rollback reaches, and columns come from DESCRIBE.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import sqlalchemy as sa
from great_expectations import ExpectationSuite
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
from great_expectations.validator.validator import Validator
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import dialect as _postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect

from core.sql import quoted


def _sql_types() -> dict[str, type[sa.types.TypeEngine[Any]]]:
    """DuckDB's type names as SQLAlchemy types; those that SQLAlchemy hasn't are integers of another width."""
    types: dict[str, type[sa.types.TypeEngine[Any]]] = {
        name: kind
        for name, kind in vars(sa.types).items()
        if isinstance(kind, type) and issubclass(kind, sa.types.TypeEngine)
    }
    widths = ("TINYINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
    types |= {name: type(name, (sa.types.Integer,), {"__visit_name__": "INTEGER"}) for name in widths}
    types |= {
        name: type(name, (sa.types.TIMESTAMP,), {})
        for name in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
    }
    return types | {
        "TEXT": sa.types.String,
        "STRING": sa.types.String,
        "BOOL": sa.types.BOOLEAN,
        "INT": sa.types.INTEGER,
    }


_TYPES = _sql_types()


class _Dbapi:
    """What SQLAlchemy wants to know of a driver."""

    paramstyle = "numeric_dollar"
    Error = duckdb.Error


class Dialect(PGDialect):
    """DuckDB's SQL as SQLAlchemy writes it: PostgreSQL's, which DuckDB follows, without PostgreSQL's catalog."""

    name = "duckdb"
    driver = "sluice"
    default_paramstyle = _Dbapi.paramstyle
    supports_statement_cache = False

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver's description; connections come from `engine_on`."""
        return _Dbapi

    def initialize(self, connection: Any) -> None:
        """Nothing to ask the database: a PostgreSQL server would be asked for its version and settings."""
        self.default_schema_name = "main"

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> list[Any]:
        """Name and type of a view's columns, in order."""
        rows = connection.exec_driver_sql(f"DESCRIBE {quoted(table_name)}").fetchall()
        return [
            {"name": row[0], "type": _column_type(row[1]), "nullable": True, "default": None} for row in rows
        ]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """None: the views stand over files."""
        return {"constrained_columns": [], "name": None}


registry.register("duckdb.sluice", __name__, "Dialect")


def _column_type(described: str) -> sa.types.TypeEngine[Any]:
    name, _, arguments = described.partition("(")
    if name == "TIMESTAMP WITH TIME ZONE":
        return sa.types.TIMESTAMP(timezone=True)
    if name == "DECIMAL":
        precision, scale = (int(number) for number in arguments.rstrip(")").split(","))
        return sa.types.DECIMAL(precision, scale)
    return _TYPES.get(name, sa.types.NullType)()


class _TypeModule:
    """Where Great Expectations looks up a dialect's type names and its way of writing LIKE and regular expressions."""

    __name__ = "pipeline.validation.gx_duckdb"
    dialect = _postgresql  # DuckDB writes both as PostgreSQL does

    def __getattr__(self, name: str) -> Any:
        if (kind := _TYPES.get(name) or _TYPES.get(name.upper())) is None:
            raise AttributeError(name)
        return kind


class _Connection:
    """An open DuckDB database for SQLAlchemy's pool; whoever opened it closes it."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database: what it has read outlives the pool's rollback."""
        return self._database.cursor()

    def _nothing(self) -> None:
        """Checks only read: there is nothing to commit or to take back."""

    commit = rollback = close = _nothing


def engine_on(database: duckdb.DuckDBPyConnection) -> SqlAlchemyExecutionEngine:
    """Great Expectations' engine on an open DuckDB database."""
    sql = sa.create_engine(
        "duckdb+sluice://",
        creator=lambda: _Connection(database),
        poolclass=sa.pool.StaticPool,
        hide_parameters=True,
    )
    engine = SqlAlchemyExecutionEngine(engine=sql, create_temp_table=False)
    engine.dialect_module = _TypeModule()
    return engine


class SuiteRunner:
    """Runs suites over views of one DuckDB database; a view's name is its batch id.

    Expectations name their table by `batch_id`, so one suite covers all tables of a run.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, views: Sequence[str]) -> None:
        self._engine = engine_on(database)
        for view in views:
            data = SqlAlchemyBatchData(
                execution_engine=self._engine, table_name=view, create_temp_table=False
            )
            self._engine.load_batch_data(batch_id=view, batch_data=data)

    def run(self, suite: ExpectationSuite, result_format: Mapping[str, Any]) -> list[Any]:
        """One ExpectationValidationResult for each expectation, in no stated order; what raised stands in them."""
        with _quiet():
            validator = Validator(execution_engine=self._engine)
            validator.metrics_calculator.show_progress_bars = False
            return list(
                validator.graph_validate(
                    configurations=list(suite.expectation_configurations),
                    runtime_configuration={"result_format": dict(result_format), "catch_exceptions": True},
                )
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations and SQLAlchemy from logging: their messages quote SQL and values.

    Each of their loggers by itself: one that was given a level of its own doesn't ask its parent.
    """
    names = {"great_expectations", "sqlalchemy"}
    names |= {name for name in list(logging.root.manager.loggerDict) if name.split(".")[0] in names}
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
