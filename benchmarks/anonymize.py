"""The privacy engine's CPU seconds and peak memory, Parquet to Parquet with its report, its page, and what is remembered for
the next release, beside a bare DuckDB copy.

    python -m benchmarks.anonymize [--kinds repeat unique] [--rows 1000000 10000000] [--repeat 3] [--json]

The tables are made up (`benchmarks.people`), each person one row, written once for all repeats. The engine and the copy
run in processes of their own, in turns. CPU is user and system time of the stage alone, without imports (shown beside
it); peak is the process's largest resident size, imports included. Medians over the repeats. Growth is the exponent p in
cost ~ rows^p between the first and the last size: 1 is linear. Bounds at 10 million rows: 1.5 times the copy and 1.2 GB
where tuples repeat, 4 times and 2.5 GB where hardly two are alike.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.people import UNIT, write_people
from benchmarks.route import Cost, peak_mb, used

K, L, MAX_SUPPRESSED = 5, 2, 0.02
BOUNDS = {"repeat": (1.5, 1200.0), "unique": (4.0, 2500.0)}


def engine(file: str) -> Cost:
    """Anonymizes one file in this process."""
    imports = used()
    from benchmarks.cases import contracted, people_table  # noqa: PLC0415 (what imports cost is part of the measurement)
    from contracts.protection import PrivacyTerms  # noqa: PLC0415
    from core.keys import ContractKeys, FileKey  # noqa: PLC0415
    from privacy.anonymize import anonymize  # noqa: PLC0415
    from privacy.history.memory import History  # noqa: PLC0415
    from privacy.subjects.names import KEY_BYTES  # noqa: PLC0415

    imports = used() - imports
    path = Path(file)
    terms = PrivacyTerms(unit=UNIT, k=K, l=L, max_suppressed=MAX_SUPPRESSED)
    validated, contract = contracted(path, people_table(path), terms)
    steps: list[tuple[str, float]] = []

    def progress(step: str, share: float | None = None) -> None:
        if not steps or steps[-1][0] != step:
            steps.append((step, used()))

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        start, wall = used(), time.perf_counter()
        safe = anonymize(
            validated,
            contract,
            ContractKeys("benchmark", bytes(32)),
            out=Path(folder) / "out",
            history=History(names=bytes(KEY_BYTES), files=FileKey.fresh()),
            progress=progress,
        )
        end, took = used(), time.perf_counter() - wall
        risk = safe.report["subjects"]
        assert isinstance(risk, dict)
    steps.append(("", end))
    return {
        "rows": validated.tables["people"].rows,
        "cpu_s": end - start,
        "wall_s": took,
        "imports_s": imports,
        "peak_mb": peak_mb(),
        "steps": {name: later - then for (name, then), (_, later) in pairwise(steps)},
        "ncp": risk["ncp"],
        "classes": risk["classes"],
    }


def floor(file: str) -> Cost:
    """Copies the file with DuckDB in this process."""
    import duckdb  # noqa: PLC0415 (a process of its own)

    from core.sql import parquet, text  # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory(dir=Path(file).parent) as folder,
        duckdb.connect(config={"threads": 2}) as con,
    ):
        start, wall = used(), time.perf_counter()
        con.execute(
            f"COPY (FROM {parquet(Path(file))}) TO {text(os.path.join(folder, 'copy.parquet'))} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        return {"cpu_s": used() - start, "wall_s": time.perf_counter() - wall, "peak_mb": peak_mb()}


def apart(what: str, file: Path) -> Cost:
    """One of the two in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.anonymize", f"--{what}", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    cost: Cost = json.loads(done.stdout.splitlines()[-1])
    return cost


def measured(kind: str, rows: int, folder: Path, repeats: int) -> Cost:
    """Medians of both on one table."""
    file = write_people(folder / f"{kind}-{rows}.parquet", kind, rows)
    apart("engine", file)  # compiles the kernels where they haven't been
    runs = [(apart("floor", file), apart("engine", file)) for _ in range(repeats)]
    file.unlink()

    def median(which: int, figure: str) -> float:
        return statistics.median(run[which][figure] for run in runs)

    return {
        "kind": kind,
        "rows": rows,
        "floor_cpu_s": median(0, "cpu_s"),
        "cpu_s": median(1, "cpu_s"),
        "wall_s": median(1, "wall_s"),
        "imports_s": median(1, "imports_s"),
        "peak_mb": median(1, "peak_mb"),
        "ratio": statistics.median(run[1]["cpu_s"] / run[0]["cpu_s"] for run in runs),
        "steps": runs[-1][1]["steps"],
        "ncp": runs[-1][1]["ncp"],
        "classes": runs[-1][1]["classes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", default=["repeat", "unique"], choices=sorted(BOUNDS))
    parser.add_argument("--rows", nargs="+", type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.engine or asked.floor:
        print(json.dumps(engine(asked.engine) if asked.engine else floor(asked.floor)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in asked.kinds:
            costs = [measured(kind, rows, Path(folder), asked.repeat) for rows in asked.rows]
            if asked.json:
                print(json.dumps(costs))
                continue
            print(f"{kind}: tuples that {'repeat' if kind == 'repeat' else 'are nearly all distinct'}")
            for cost in costs:
                print(
                    f"  {cost['rows']:>11,} rows  copy {cost['floor_cpu_s']:6.2f} CPU s  engine {cost['cpu_s']:6.2f}"
                    f"  {cost['ratio']:.2f}x  peak {cost['peak_mb']:,.0f} MB"
                )
                steps = ", ".join(f"{name} {spent:.2f}" for name, spent in cost["steps"].items())
                print(f"               {steps}; imports {cost['imports_s']:.2f}; NCP {cost['ncp']:.4f}")
            if len(costs) > 1:
                first, last = costs[0], costs[-1]
                growth = math.log(last["cpu_s"] / first["cpu_s"]) / math.log(last["rows"] / first["rows"])
                print(f"  growth rows^{growth:.2f}")
            limit, memory = BOUNDS[kind]
            print(f"  bounds at 10,000,000 rows: {limit}x, {memory:,.0f} MB")


if __name__ == "__main__":
    main()
