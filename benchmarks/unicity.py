"""What facts as rows cost: unicity alone, and the whole way from raw rows to a measured file.

    python -m benchmarks.unicity [--rows 10000000] [--units 100000] [--places 5000] [--months 0] [--json]

Made-up visits: a unit, a moment to the hour in a year (or in so many months), a place (few with most visits), an amount. The first
case counts unicity of (hour, place) from codes; the second writes the rows under a lasting pseudonym (or one a month where
--months is given), reads them back and measures five kinds of attackers. Wall seconds, peak memory of the process, and shares.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Column, Contract, LogicalType, Role, Source, Table, TableKind, Term
from contracts.protection import PrivacyTerms, RowPlan, Transform
from core.keys import ContractKeys
from core.proof import TableFile
from privacy.facts.rows import build_rows
from privacy.facts.unicity import unicity

_RUN = 1 << 20
_DAYS = 360


def make_visits(path: Path, *, rows: int, units: int, places: int, months: int) -> None:
    """Writes the visits, a run of rows at a time, each from a seed of its own."""
    hours = 24 * (30 * months if months else _DAYS)
    schema = pa.schema(
        [("unit", pa.int64()), ("at", pa.timestamp("us")), ("place", pa.string()), ("amount", pa.int64())]
    )
    names = pa.array([f"place {number}" for number in range(places)])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, _RUN):
            rng = np.random.default_rng(start)
            count = min(_RUN, rows - start)
            at = rng.integers(0, hours, count) * 3_600_000_000 + 1_767_225_600_000_000
            place = (places * rng.random(count) ** 3).astype(np.int32)
            table = pa.table(
                {
                    "unit": rng.integers(0, units, count),
                    "at": pa.array(at).cast(pa.timestamp("us")),
                    "place": pa.DictionaryArray.from_arrays(place, names).cast(pa.string()),
                    "amount": (100 * rng.random(count) ** 2).astype(np.int64),
                }
            )
            writer.write_table(table, row_group_size=count)


def _table(months: int) -> Table:
    def column(name: str, role: Role, transform: Transform, kind: LogicalType) -> Column:
        return Column(name=name, type=kind, role=role, transform=transform)

    return Table(
        name="visits",
        physical_name="visits",
        kind=TableKind.FACTS,
        columns=(
            column("unit", Role.IDENTIFIER, Transform.PSEUDONYM, LogicalType.INTEGER),
            column("at", Role.ATTRIBUTE, Transform.KEEP, LogicalType.TIMESTAMP),
            column("place", Role.ATTRIBUTE, Transform.KEEP, LogicalType.STRING),
            column("amount", Role.ATTRIBUTE, Transform.KEEP, LogicalType.INTEGER),
        ),
        rows=RowPlan(
            period="month" if months else None,
            period_column="at" if months else None,
            max_rows=200,
            points=4,
            max_unicity=1.0,
        ),
    )


def _contract(table: Table) -> Contract:
    first = time.gmtime().tm_year
    days = [time.strptime(f"{year}-01-01", "%Y-%m-%d") for year in (first, first + 1)]
    start, end = (np.datetime64(time.strftime("%Y-%m-%d", day)).item() for day in days)
    return Contract(
        id="visits",
        version="1.0.0",
        name="Visits",
        status="active",
        digest="0" * 64,
        tenant="platform",
        recipient="firm",
        purpose="benchmark",
        term=Term(start=start, end=end),
        source=Source(connector="files"),
        privacy=PrivacyTerms(unit="unit", k=5, l=2),
        max_quarantined=0.0,
        tables=(table,),
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Seconds that facts as rows take.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--places", type=int, default=5000)
    parser.add_argument("--months", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, object] = {}
    rng = np.random.default_rng(0)
    unicity(np.arange(9), np.arange(9) % 3, key=bytes(32), exact=0)  # compiles, or finds what is compiled
    points = rng.integers(0, 24 * _DAYS, options.rows) * options.places
    points += (options.places * rng.random(options.rows) ** 3).astype(np.int64)
    points = np.unique(points, return_inverse=True)[1]
    traces = rng.integers(0, options.units, options.rows)
    started = time.monotonic()
    alone = unicity(points, traces, key=bytes(32))
    found["unicity"] = {
        "seconds": round(time.monotonic() - started, 2),
        "shares": [round(share.share, 4) for share in alone.shares],
        "how": alone.how[-1],
    }
    del points, traces
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        make_visits(
            source, rows=options.rows, units=options.units, places=options.places, months=options.months
        )
        file = TableFile(
            name="visits", path=source, rows=options.rows, size_bytes=source.stat().st_size, sha256=""
        )
        table = _table(options.months)
        started, stages = time.monotonic(), []

        def told(step: str, done: float | None = None, /) -> None:
            if not done:
                stages.append((step, round(time.monotonic() - started, 1)))

        risk = build_rows(
            file,
            _contract(table),
            table,
            ContractKeys("visits", bytes(32)),
            target=target,
            source_digest="",
            progress=told,
        )
        found["rows"] = {
            "seconds": round(time.monotonic() - started, 1),
            "steps begin": stages,
            "published": risk.rows,
            "traces": risk.traces,
            "bytes": target.stat().st_size,
            "all columns": [round(share.share, 4) for share in risk.after.whole.shares],
            "one column": {
                name: [round(share.share, 4) for share in each.shares]
                for name, each in risk.after.by_column.items()
            },
            "relinked": risk.relinked.share.share if risk.relinked else None,
        }
    found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(name, value, sep=": ")


if __name__ == "__main__":
    main()
