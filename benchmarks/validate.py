"""What validation costs beside the same checks asked of DuckDB in one scan a table, on the same encrypted files.

    python -m benchmarks.validate [--scale 10] [--repeat 5] [--json]

Twice: over the grocery demo's data without the rows that break a rule, where nothing goes to quarantine, and over the
data as it is. Each measurement is a process of its own; CPU is user and system time without imports. The floor opens the
received files as validation does and asks for every check's answer by one statement a table. Medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.route import Cost, child, medians, peak_mb, say, source, stage, used

CASES = {"clean": "nothing set aside", "as it is": "with quarantine"}


def floor(given: dict[str, str]) -> Cost:
    """Asks for the answers of all checks, one statement a table, and nothing else."""
    from connectors.base import received_from  # noqa: PLC0415 (what the imports cost isn't part of the measurement)
    from contracts.shelf import find_contract  # noqa: PLC0415
    from core.proof import Window  # noqa: PLC0415
    from pipeline.handoff import Handoff, read_handoff, tables_from_json  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415
    from pipeline.validation.expectations import compiled  # noqa: PLC0415
    from pipeline.validation.views import opened  # noqa: PLC0415

    state = read_handoff(Handoff.from_json(given))
    contract = find_contract(state["contract_file"], Path())
    run = Home.open().runs.open(state["run_id"])
    tables = tables_from_json(state["tables"], run.folder, run.key)
    received = received_from(
        contract_id=contract.id, contract_digest=contract.digest, window=Window(), tables=tables, digest=""
    )
    start, wall = used(), time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as spill,
        opened(received, contract, spill=Path(spill)) as (database, views),
    ):
        for view in views:
            rules = [compiled(check, view, number=number) for number, check in enumerate(view.table.checks)]
            counts = [f"count_if({rule.condition})" for rule in rules if rule.condition is not None]
            asked = [
                f"(SELECT count(*) FROM ({rule.query}))"
                for rule in rules
                if rule.condition is None and rule.query
            ]
            database.execute(f"SELECT {', '.join([*counts, *asked])} FROM {view.plain}").fetchall()
    return {
        "cpu_s": used() - start,
        "wall_s": time.perf_counter() - wall,
        "imports_s": 0.0,
        "peak_mb": peak_mb(),
    }


def once(contract: str) -> dict[str, Cost]:
    """The floor and validation over one source, each in a process of its own."""
    from benchmarks.scaled import signed  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from pipeline import route  # noqa: PLC0415
    from pipeline.home import Home  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        opened = Home.open(Settings(home=home, contracts=Path(contract).parent))
        signed(opened, Path(contract))
        handoff: Any = route.check(contract, run_id="bench", home=opened).as_json()
        handoff = child("receive", handoff, home)["handoff"]
        return {
            "floor": child("floor", handoff, home, module="benchmarks.validate"),
            "validate": child("validate", handoff, home),
        }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="CPU of validation beside the same checks in one scan.")
    parser.add_argument("--scale", type=int, default=10, help="households, times the demo's")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--given", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        given = json.loads(options.given)
        print(json.dumps(floor(given) if options.stage == "floor" else stage(options.stage, given)))
        return
    table: dict[str, dict[str, Cost]] = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            say(f"{case}: source")
            contract = source(folder, options.scale, clean=case == "clean")
            runs = []
            for number in range(options.repeat):
                say(f"{case}: run {number + 1} of {options.repeat}")
                runs.append(once(contract))
        table[case] = medians(runs)
    if options.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'data':<10} {'':<18} {'floor CPU s':>12} {'validate CPU s':>15} {'x floor':>8} {'peak MB':>8}")
    for case, costs in table.items():
        base, cost = costs["floor"], costs["validate"]
        print(
            f"{case:<10} {CASES[case]:<18} {base['cpu_s']:12.2f} {cost['cpu_s']:15.2f} "
            f"{cost['cpu_s'] / base['cpu_s']:7.2f}x {cost['peak_mb']:8.0f}"
        )


if __name__ == "__main__":
    main()
