"""Runs in the oracle's own environment (pycanon): k, l, entropy l and t of Parquet files, a line of JSON for each.

Usage: python oracle.py FILE JSON [FILE JSON ...]   with {"quasi_identifiers": [...], "sensitive": [...]}

pycanon counts rows, and drops classes in whose quasi-identifiers a value is missing. It knows no missing sensitive values
either: l, entropy l (rounded down) and t are of the rows that have them all. t is the largest of all columns', ordered for numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pycanon import anonymity


def measured(file: str, quasi: Sequence[str], sensitive: Sequence[str]) -> dict[str, Any]:
    table = pq.read_table(file, columns=[*quasi, *sensitive], partitioning=None)
    for place, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type):
            table = table.set_column(place, column.name, table[column.name].cast(pa.float64()))
    frame = table.to_pandas()
    found: dict[str, Any] = {"k": int(anonymity.k_anonymity(frame, quasi))}
    if sensitive:
        frame = frame.dropna(subset=list(sensitive)).reset_index(drop=True)
        found["l"] = int(anonymity.l_diversity(frame, quasi, sensitive))
        found["entropy_l"] = int(anonymity.entropy_l_diversity(frame, quasi, sensitive))
        found["t"] = float(anonymity.t_closeness(frame, quasi, sensitive))
    return found


for file, asked in zip(sys.argv[1::2], map(json.loads, sys.argv[2::2]), strict=True):
    print(json.dumps(measured(file, asked["quasi_identifiers"], asked["sensitive"])))
