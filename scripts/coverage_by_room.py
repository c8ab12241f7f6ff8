"""Prints how much of each room the tests ran, and fails when a core room is under its limit.

Usage: python scripts/coverage_by_room.py   (after pytest with --cov; reads `.coverage`)
"""

from __future__ import annotations

import os
import sys

import coverage
from coverage.exceptions import CoverageException

LIMIT_PERCENT = 90.0
# The rooms where a rule protects somebody. `cli` and `dags` run in processes of their own and are tested from outside.
CORE_ROOMS = ("core", "contracts", "audit", "privacy", "connectors", "catalog", "pipeline")


def measured() -> dict[str, float]:
    """Percent of lines and branches that ran, by room. Raises CoverageException when nothing was measured."""
    data = coverage.Coverage()
    data.load()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return {room: data.report(include=[f"{room}/*"], file=nowhere) for room in CORE_ROOMS}


def main() -> int:
    """0 when every core room reaches the limit, else 1."""
    try:
        rooms = measured()
    except CoverageException as error:
        sys.stderr.write(f"Coverage can't be told: {error}. Run `make test COVERAGE=1`.\n")
        return 1
    sys.stdout.write(
        "Coverage: " + ", ".join(f"{room} {percent:.1f} %" for room, percent in rooms.items()) + "\n"
    )
    low = [room for room, percent in rooms.items() if percent < LIMIT_PERCENT]
    if low:
        sys.stderr.write(
            f"Under {LIMIT_PERCENT:.0f} %: {', '.join(low)}. See which lines with `coverage report -m`.\n"
        )
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
