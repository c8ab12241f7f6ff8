"""The route's CPU seconds and peak memory, stage by stage, beside a bare DuckDB copy of the same tables.

    python -m benchmarks.route [--contract grocery-demand] [--repeat 5] [--json]

Each stage runs in a process of its own, as under Airflow. CPU is user and system time of the stage alone, without
imports (those are shown once, beside it); peak is the process's largest resident size, imports included. The floor copies
the tables as received, Parquet to Parquet with the same compression. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
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


def used() -> float:
    """CPU seconds of this process so far, user and system, all threads."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def peak_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def stage(name: str, handoff: dict[str, str]) -> dict[str, Any]:
    """Runs one stage in this process and says what it cost."""
    before_imports = used()
    from pipeline import route  # noqa: PLC0415 (what the imports cost is part of the measurement)
    from pipeline.handoff import Handoff  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    if name == "validate":
        import pipeline.suite  # noqa: F401, PLC0415 (Great Expectations: seconds of imports)
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


def floor(folder: str) -> dict[str, Any]:
    """Copies every received table with DuckDB, Parquet to Parquet."""
    import duckdb  # noqa: PLC0415 (a process of its own)

    from core.sql import parquet, text  # noqa: PLC0415

    source = Path(folder)
    start, wall = used(), time.perf_counter()
    with tempfile.TemporaryDirectory() as target, duckdb.connect() as con:
        for file in sorted(source.glob("*.parquet")):
            copy = os.path.join(target, file.name)
            con.execute(f"COPY (FROM {parquet(file)}) TO {text(copy)} (FORMAT parquet, COMPRESSION zstd)")
    return {
        "cpu_s": used() - start,
        "wall_s": time.perf_counter() - wall,
        "imports_s": 0.0,
        "peak_mb": peak_mb(),
    }


def child(name: str, argument: Any, home: Path) -> dict[str, Any]:
    """One stage in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.route", "--stage", name, "--given", json.dumps(argument)],
        env={**os.environ, "SLUICE_HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def once(contract: str) -> dict[str, dict[str, Any]]:
    """One whole route in a home of its own, and the floor beside it."""
    from core.settings import Settings  # noqa: PLC0415
    from pipeline import route  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        opened = Home.open(Settings.from_env({**os.environ, "SLUICE_HOME": str(home)}))
        handoff: Any = route.check(contract, run_id="bench", home=opened).as_json()
        costs = {}
        for name in STAGES:
            costs[name] = child(name, handoff, home)
            if name == "receive":
                received = Path(handoff["path"]).parent / "received"
                costs["floor"] = child("floor", str(received), home)
            handoff = costs[name].pop("handoff", None)
        return costs


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="CPU and memory of the route beside a bare copy.")
    parser.add_argument("--contract", default="grocery-demand")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--given", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        given = json.loads(options.given)
        print(json.dumps(floor(given) if options.stage == "floor" else stage(options.stage, given)))
        return
    runs = []
    for number in range(options.repeat):
        print(f"run {number + 1} of {options.repeat}", file=sys.stderr, flush=True)
        runs.append(once(options.contract))
    names = ("floor", *STAGES)
    table = {
        name: {
            key: statistics.median(run[name][key] for run in runs)
            for key in ("cpu_s", "wall_s", "imports_s", "peak_mb")
        }
        for name in names
    }
    whole = {
        key: (max if key == "peak_mb" else sum)(table[name][key] for name in STAGES)  # type: ignore[operator]
        for key in ("cpu_s", "wall_s", "imports_s", "peak_mb")
    }
    table["route"] = whole
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(
        f"{'stage':<10} {'CPU s':>8} {'x floor':>8} {'wall s':>8} {'peak MB':>8} {'x floor':>8} {'imports':>8}"
    )
    base = table["floor"]
    for name, cost in table.items():
        print(
            f"{name:<10} {cost['cpu_s']:8.2f} {cost['cpu_s'] / base['cpu_s']:7.1f}x {cost['wall_s']:8.2f} "
            f"{cost['peak_mb']:8.0f} {cost['peak_mb'] / base['peak_mb']:7.1f}x {cost['imports_s']:8.2f}"
        )


if __name__ == "__main__":
    main()
