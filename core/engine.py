"""DuckDB within bounds: memory, threads, and one folder for what doesn't fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

_MEMORY = "1GB"  # beyond it the engine spills
_THREADS = 4  # each wants its share of the memory


def engine(spill: Path, **config: Any) -> duckdb.DuckDBPyConnection:
    """A database in memory. spill: the folder, made when needed, for what doesn't fit; DuckDB can't encrypt it, so it
    lies in the run's folder and goes with it. config: more of DuckDB's settings."""
    threads = min(_THREADS, os.cpu_count() or 1)
    bounds: dict[str, Any] = {"memory_limit": _MEMORY, "threads": threads, "temp_directory": str(spill)}
    return duckdb.connect(":memory:", config=bounds | config)
