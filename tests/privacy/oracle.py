"""Runs in the oracle's own environment (pycanon): k and l of a Parquet file, as JSON.

Usage: python oracle.py FILE JSON   with {"quasi_identifiers": [...], "sensitive": [...]}
"""

from __future__ import annotations

import json
import sys

import pyarrow.parquet as pq
from pycanon import anonymity

table = pq.read_table(sys.argv[1])
asked = json.loads(sys.argv[2])
frame = table.select([*asked["quasi_identifiers"], *asked["sensitive"]]).to_pandas()
print(
    json.dumps(
        {
            "k": int(anonymity.k_anonymity(frame, asked["quasi_identifiers"])),
            "l": int(anonymity.l_diversity(frame, asked["quasi_identifiers"], asked["sensitive"])),
        }
    )
)
