"""The route's CPU seconds and peak memory, stage by stage, beside a bare DuckDB copy of the same rows.

    python -m benchmarks.route [--scale 1 10] [--repeat 3] [--json]

The source is the grocery demo's, its households repeated under new ids (scale 1: 1.5 million transaction rows), as
Parquet files in a temporary folder, made once for all repeats. Each stage runs in a process of its own, as under
Airflow. CPU is user and system time of the stage alone, without imports (those are shown once, beside it); peak is the
process's largest resident size, imports included. The floor copies the source, Parquet to Parquet, zstd to zstd.
Medians over the repeats. Growth is the exponent p in cost ~ rows^p between the first and the last scale: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STAGES = ("receive", "validate", "anonymize", "publish")
FIGURES = ("cpu_s", "wall_s", "imports_s", "peak_mb")
Cost = dict[str, Any]


def used() -> float:
    """CPU seconds of this process so far, user and system, all threads."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def peak_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def stage(name: str, handoff: dict[str, str]) -> Cost:
    """Runs one stage in this process and says what it cost."""
    before_imports = used()
    from pipeline import route  # noqa: PLC0415 (what the imports cost is part of the measurement)
    from pipeline.handoff import Handoff  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    if name == "validate":
        import pipeline.validation.suite  # noqa: F401, PLC0415 (Great Expectations: seconds of imports)
    home = Home.open()
    imports, start, wall = used() - before_imports, used(), time.perf_counter()
    given = Handoff.from_json(handoff)
    result = route.publish(given, home=home) if name == "publish" else getattr(route, name)(given, home=home)
    return {
        "cpu_s": used() - start,
        "wall_s": time.perf_counter() - wall,
        "imports_s": imports,
        "peak_mb": peak_mb(),
        "handoff": None if name == "publish" else result.as_json(),
    }


def floor(folder: str) -> Cost:
    """Copies every table of the source with DuckDB, Parquet to Parquet."""
    import duckdb  # noqa: PLC0415 (a process of its own)

    from core.sql import text  # noqa: PLC0415

    start, wall, rows = used(), time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as target, duckdb.connect() as con:
        for table in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
            copy = os.path.join(target, f"{table.name}.parquet")
            source = f"read_parquet({text(str(table / '*.parquet'))})"
            ((copied,),) = con.execute(
                f"COPY (FROM {source}) TO {text(copy)} (FORMAT parquet, COMPRESSION zstd)"
            ).fetchall()
            rows = max(rows, copied)
    return {
        "cpu_s": used() - start,
        "wall_s": time.perf_counter() - wall,
        "imports_s": 0.0,
        "peak_mb": peak_mb(),
        "rows": rows,
    }


def source(folder: str, scale: int, *, clean: bool = False) -> str:
    """Makes the source; returns the contract's path."""
    from benchmarks.scaled import make_source  # noqa: PLC0415 (a process of its own)

    return str(make_source(Path(folder), scale=scale, clean=clean))


def child(name: str, argument: Any, home: Path, *, module: str = "benchmarks.route") -> Any:
    """One stage in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--stage", name, "--given", json.dumps(argument)],
        env={**os.environ, "SLUICE_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def once(contract: str) -> dict[str, Cost]:
    """One whole route in a home of its own, and the floor beside it."""
    from benchmarks.scaled import signed  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from pipeline import route  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        opened = Home.open(Settings.from_env({**os.environ, "SLUICE_HOME": str(home)}))
        costs = {"floor": child("floor", str(Path(contract).parent), home)}
        signed(opened, Path(contract))
        handoff: Any = route.check(contract, run_id="bench", home=opened).as_json()
        for name in STAGES:
            say(f"  {name}")
            costs[name] = child(name, handoff, home)
            handoff = costs[name].pop("handoff", None)
        return costs


def measured(scale: int, repeat: int) -> dict[str, Cost]:
    """Medians of each stage at one scale; `rows` stands beside the floor, `route` is all stages together."""
    with tempfile.TemporaryDirectory() as folder:
        say(f"scale {scale}: source")
        contract = child("source", [folder, scale], Path(folder) / "home")
        runs = []
        for number in range(repeat):
            say(f"scale {scale}: run {number + 1} of {repeat}")
            runs.append(once(contract))
    costs = medians(runs)
    costs["route"] = {
        key: (max if key == "peak_mb" else sum)(costs[name][key] for name in STAGES) for key in FIGURES
    }
    costs["floor"]["rows"] = runs[0]["floor"]["rows"]
    return costs


def growth(small: dict[str, Cost], large: dict[str, Cost], name: str, figure: str = "cpu_s") -> float:
    """The exponent p of cost ~ rows^p between two scales."""
    rows = large["floor"]["rows"] / small["floor"]["rows"]
    return math.log(large[name][figure] / small[name][figure]) / math.log(rows)


def medians(runs: list[dict[str, Cost]]) -> dict[str, Cost]:
    """Each measurement's figures, medians over the runs."""
    return {
        name: {key: statistics.median(run[name][key] for run in runs) for key in FIGURES} for name in runs[0]
    }


def say(what: str) -> None:
    """Progress, to stderr."""
    print(what, file=sys.stderr, flush=True)


def show(scale: int, costs: dict[str, Cost], small: dict[str, Cost] | None) -> None:
    """One scale's table, within 80 columns."""
    base = costs["floor"]
    print(f"scale {scale}: {base['rows']:,} transaction rows")
    print(
        f"{'stage':<10} {'CPU s':>8} {'x floor':>8} {'growth':>7} {'wall s':>8} {'peak MB':>8} {'imports':>8}"
    )
    for name, cost in costs.items():
        grown = f"{growth(small, costs, name):7.2f}" if small else f"{'':>7}"
        print(
            f"{name:<10} {cost['cpu_s']:8.2f} {cost['cpu_s'] / base['cpu_s']:7.2f}x {grown} {cost['wall_s']:8.2f} "
            f"{cost['peak_mb']:8.0f} {cost['imports_s']:8.2f}"
        )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="CPU and memory of the route beside a bare copy.")
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 10], help="households, times the demo's")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--given", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        given = json.loads(options.given)
        if options.stage == "source":
            print(json.dumps(source(*given)))
        else:
            print(json.dumps(floor(given) if options.stage == "floor" else stage(options.stage, given)))
        return
    scales = {scale: measured(scale, options.repeat) for scale in sorted(set(options.scale))}
    if options.json:
        print(json.dumps(scales, indent=2))
        return
    first = min(scales)
    for scale, costs in scales.items():
        show(scale, costs, scales[first] if scale != first else None)


if __name__ == "__main__":
    main()
