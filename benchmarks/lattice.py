"""What the full-domain search costs: seconds on people of Adult's shape, at each suppression limit.

    python -m benchmarks.lattice [--rows 30162 1000000] [--k 5] [--repeat 5] [--diverse] [--json]

Eight quasi-identifiers, 8,640 nodes; tuples and levels are made beforehand and not counted. Best of the repeats, in one
process, after one run that isn't counted. `--diverse` also asks for two distinct values of `condition` in each class.
Exits 1 above the limits that the project has set itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.people import HIERARCHIES, QUASI_IDENTIFIERS, adult_like
from contracts.protection import HierarchySpec
from privacy.models.rules import DISTINCT, Asked
from privacy.search.lattice import full_domain
from privacy.search.tuples import Tuples

SHARES = (0.0, 0.02, 0.05, 1.0)
LIMITS_S = {30_162: 0.2, 1_000_000: 1.0}


@dataclass(frozen=True)
class TreeLevels:
    """A tree's levels: groups and losses as the search asks for them."""

    groups: tuple[npt.NDArray[np.int32], ...]
    losses: tuple[npt.NDArray[np.float64], ...]


def tree_levels(spec: HierarchySpec) -> TreeLevels:
    """The levels of a tree whose leaves are all equally deep; a group covers its share of the steps between leaves."""
    leaves = len(spec.leaves)
    # Nodes stand before what they hold, so one that covers the same leaves as another is above it when it stands earlier.
    depth = {
        node: sum(other[1] <= node[1] and node[2] <= other[2] for other in spec.nodes[: place + 1])
        for place, node in enumerate(spec.nodes)
    }
    levels = [np.arange(leaves)]
    for deep in range(max(depth.values(), default=0), 0, -1):
        level = np.zeros(leaves, np.int64)
        for _, first, last in (node for node in spec.nodes if depth[node] == deep):
            level[first : last + 1] = first
        levels.append(level)
    levels.append(np.zeros(leaves, np.int64))
    steps = max(1, leaves - 1)
    return TreeLevels(
        groups=tuple(np.unique(level, return_inverse=True)[1].astype(np.int32) for level in levels),
        losses=tuple((np.bincount(level)[level] - 1) / steps for level in levels),
    )


def tuples_of(people: pa.Table, *, sensitive: Sequence[str] = ()) -> Tuples:
    """The distinct tuples of a table of Adult's shape."""
    first_age = int(HIERARCHIES["age"].leaves[0])
    columns = [people["age"].to_numpy().astype(np.int64) - first_age] + [
        people[name].combine_chunks().indices.to_numpy().astype(np.int64)
        for name in (*QUASI_IDENTIFIERS[1:], *sensitive)
    ]
    sizes = [len(HIERARCHIES[name].leaves) for name in QUASI_IDENTIFIERS] + [
        int(column.max()) + 1 for column in columns[len(QUASI_IDENTIFIERS) :]
    ]
    keys, rows = np.unique(np.ravel_multi_index(columns, sizes), return_counts=True)
    codes = np.stack(np.unravel_index(keys, sizes), axis=1).astype(np.int32)
    d = len(QUASI_IDENTIFIERS)
    return Tuples(
        codes=np.ascontiguousarray(codes[:, :d]),
        positions=tuple(np.linspace(0, 1, size) for size in sizes[:d]),
        weights=rows.astype(np.int32),
        sensitive=np.ascontiguousarray(codes[:, d:]),
    )


def measure(rows: int, *, k: int, repeat: int, diverse: bool) -> list[dict[str, float | str]]:
    """Per suppression limit: seconds, loss, share left out and nodes looked at."""
    tuples = tuples_of(adult_like(rows), sensitive=["condition"] if diverse else [])
    levels = [tree_levels(HIERARCHIES[name]) for name in QUASI_IDENTIFIERS]
    asked = (Asked(DISTINCT, 0, 2.0),) if diverse else ()
    found: list[dict[str, float | str]] = []
    for share in SHARES:
        taken = []
        for _ in range(repeat + 1):
            started = time.perf_counter()
            best = full_domain(tuples, levels, k=k, asked=asked, max_suppressed=int(share * rows))
            taken.append(time.perf_counter() - started)
        if best is None:
            raise SystemExit("no node keeps the limits")
        found.append(
            {
                "rows": rows,
                "tuples": len(tuples.weights),
                "limit": share,
                "seconds": round(min(taken[1:]), 4),
                "loss": round(best.loss, 4),
                "left_out": round(best.suppressed / rows, 4),
                "evaluated": best.evaluated,
                "nodes": best.nodes,
                "node": " ".join(map(str, best.node)),
            }
        )
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Seconds that a full-domain search takes.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(LIMITS_S))
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--diverse", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [
        row
        for rows in options.rows
        for row in measure(rows, k=options.k, repeat=options.repeat, diverse=options.diverse)
    ]
    if options.json:
        print(json.dumps(found))
    else:
        for row in found:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    slow = [row for row in found if float(row["seconds"]) > LIMITS_S.get(int(row["rows"]), float("inf"))]
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
