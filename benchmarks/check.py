"""What `sluice contract check` costs: one contract of 500 columns, and 1,000 contracts at once.

    python -m benchmarks.check [--repeat 3] [--json]

The wide contract is the shipped grocery contract with more columns in its reference table; the many are the grocery contract
under other ids. A fresh process does each check, its start included. Medians over the repeats, beside what the bare start
of the command costs (`sluice contract check --help`) and the limits that the project has set itself.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from core.settings import PUBLISHED

COLUMNS, CONTRACTS = 500, 1000
LIMITS_S = {"500 columns": 1.0, "1,000 contracts": 20.0}
SLUICE = [sys.executable, "-m", "cli.main"]


def wide(grocery: dict[str, Any]) -> dict[str, Any]:
    """The grocery contract with COLUMNS columns in all."""
    contract = copy.deepcopy(grocery)
    table = next(
        table
        for table in contract["schema"]
        if any(entry["value"] == "reference" for entry in table["customProperties"])
    )
    missing = COLUMNS - sum(len(each["properties"]) for each in contract["schema"])
    table["properties"] += [
        {
            "name": f"attribute_{number}",
            "physicalName": f"ATTR_{number}",
            "logicalType": "string",
            "description": "One more attribute of a product, as the platform's catalogue has it.",
            "logicalTypeOptions": {"maxLength": 40},
            "customProperties": [{"property": "sluiceGrade", "value": "general"}],
            "quality": [{"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": ["", "-"]}}],
        }
        for number in range(missing)
    ]
    return contract


def seconds(argv: list[str]) -> float:
    """How long a command takes by the clock on the wall; it must succeed."""
    started = time.monotonic()
    done = subprocess.run(
        [*SLUICE, *argv], capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    taken = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return taken


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Seconds that checking contracts takes.")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    grocery = yaml.safe_load((PUBLISHED / "grocery-demand.odcs.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "wide.odcs.yaml"
        one.write_text(yaml.safe_dump(wide(grocery), sort_keys=False), encoding="utf-8")
        many = []
        for number in range(CONTRACTS):
            path = Path(folder) / f"grocery-{number}.odcs.yaml"
            path.write_text(
                yaml.safe_dump(grocery | {"id": f"grocery-{number}"}, sort_keys=False), encoding="utf-8"
            )
            many.append(str(path))
        cases = {
            "start": ["contract", "check", "--help"],
            "500 columns": ["contract", "check", str(one)],
            "1,000 contracts": ["contract", "check", "--json", *many],
        }
        table = {
            name: statistics.median(seconds(argv) for _ in range(options.repeat))
            for name, argv in cases.items()
        }
    if options.json:
        print(json.dumps(table, indent=2))
        return
    for name, taken in table.items():
        print(
            f"{name:16} {taken:7.2f} s   {f'limit {LIMITS_S[name]:g} s' if name in LIMITS_S else ''}".rstrip()
        )


if __name__ == "__main__":
    main()
