"""What it costs Airflow to read a folder of contracts: the CPU seconds of one pass of its DAG processor.

    python -m benchmarks.parse [--contracts 100 1000] [--repeat 3] [--json]

The contracts are the shipped grocery contract under other ids, with a schedule. A fresh process does what the DAG
processor does with a file: imports what it needs, parses the file into DAGs, serialises them, and writes them to a
database that is new (and once more, unchanged, as every 15 s after that). CPU is user and system time of the process and
its children; the database is made beforehand and not counted. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PARTS = ("imports", "parse", "serialise", "write", "again")
LIMITS_S = {100: 10.0, 1000: 20.0}  # for imports and parse
SCHEDULE = "slaProperties: [{property: frequency, value: 1, unit: d}]\n"


def used() -> float:
    """CPU seconds of this process and its children so far, user and system."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def stage(dags: str) -> dict[str, float]:
    """One pass over the folder that SLUICE_CONTRACTS names, in this process."""
    marks = [0.0]  # the interpreter's own start counts as imports
    from airflow.dag_processing import processor  # noqa: PLC0415 (what the imports cost is part of the measurement)
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db  # noqa: PLC0415
    from airflow.dag_processing.dagbag import BundleDagBag  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    marks.append(used())
    bag = BundleDagBag(
        dag_folder=f"{dags}/sharing.py",
        bundle_path=Path(dags),
        bundle_name="dags-folder",
        load_op_links=False,
    )
    marks.append(used())
    serialised, errors = processor._serialize_dags(bag, logging.getLogger(__name__))
    if bag.import_errors or errors:
        raise SystemExit(f"the contracts can't be loaded: {bag.import_errors or errors}")
    marks.append(used())
    for _ in range(2):
        with create_session() as session:
            update_dag_parsing_results_in_db(
                bundle_name="dags-folder",
                bundle_version=None,
                dags=serialised,
                import_errors={},
                parse_duration=None,
                warnings=set(),
                session=session,
                files_parsed={("dags-folder", "sharing.py")},
            )
        marks.append(used())
    found = dict(zip(PARTS, (after - before for before, after in itertools.pairwise(marks)), strict=True))
    return {**found, "dags": len(serialised)}


def once(count: int) -> dict[str, float]:
    """One pass over `count` contracts, in a fresh process and a home of its own."""
    from core.settings import PUBLISHED, Settings  # noqa: PLC0415
    from pipeline.airflow.home import DAGS, environment, prepare  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", contracts=Path(folder) / "contracts")
        settings.contracts.mkdir()
        text = (PUBLISHED / "grocery-demand.odcs.yaml").read_text(encoding="utf-8")
        for number in range(count):
            path = settings.contracts / f"grocery-{number}.odcs.yaml"
            path.write_text(
                text.replace("id: grocery-demand", f"id: grocery-{number}") + SCHEDULE, encoding="utf-8"
            )
        prepare(settings, port=8080)
        env = environment(settings, os.environ)
        made = subprocess.run(
            [sys.executable, "-c", _MAKE], env=env, capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise SystemExit(made.stderr)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.parse", "--stage", str(DAGS)],
            env=env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if result.pop("dags") != count:
        raise SystemExit("not every contract became a DAG")
    return result


_MAKE = """
from airflow.utils import db
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.session import create_session
db.initdb()
with create_session() as session:
    session.merge(DagBundleModel(name="dags-folder"))
"""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="CPU of Airflow's DAG processor over a folder of contracts.")
    parser.add_argument("--contracts", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(stage(options.stage)))
        return
    table: dict[int, dict[str, Any]] = {}
    for count in options.contracts:
        runs = []
        for number in range(options.repeat):
            print(f"{count} contracts, run {number + 1} of {options.repeat}", file=sys.stderr, flush=True)
            runs.append(once(count))
        table[count] = {part: statistics.median(run[part] for run in runs) for part in PARTS}
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(
        f"{'contracts':>9} {'imports':>8} {'parse':>8} {'both':>8} {'limit':>6} {'serialise':>10} {'write':>8} {'again':>8}"
    )
    for count, cost in table.items():
        both, limit = cost["imports"] + cost["parse"], LIMITS_S.get(count)
        print(
            f"{count:9d} {cost['imports']:8.2f} {cost['parse']:8.2f} {both:8.2f} {limit or '-':>6} "
            f"{cost['serialise']:10.2f} {cost['write']:8.2f} {cost['again']:8.2f}"
        )


if __name__ == "__main__":
    main()
